"""The copies of the network that train together, one on each device; inside a training step."""

from typing import Any

import tensorflow as tf


def replicas() -> int:
    """How many replicas share the step that is being traced; 1 outside of one."""
    context = tf.distribute.get_replica_context()
    return context.num_replicas_in_sync if context else 1


def sum_over_replicas(value: Any) -> Any:
    """The sum of a tensor, or of each of several, over all replicas; they pass gradients on."""
    if replicas() == 1:
        return value
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)


def joined_over_replicas(value: Any) -> Any:
    """The parts of a batch that the replicas hold, [part, …] each, in order as [batch, …]."""
    if replicas() == 1:
        return value
    return tf.distribute.get_replica_context().all_gather(value, axis=0)
