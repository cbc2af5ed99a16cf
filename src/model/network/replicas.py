"""Replicas: the copies of the network that train together, one on each device. For use inside a training step."""

import tensorflow as tf

from src.model.network.tensor import Tensor


def replica_count() -> int:
    """How many replicas share the step that is being traced; 1 outside of a step."""
    context = tf.distribute.get_replica_context()
    return context.num_replicas_in_sync if context else 1


def sum_over_replicas(value: Tensor) -> Tensor:
    """Sum a tensor, or each of several tensors, over all replicas. Gradients pass through."""
    if replica_count() == 1:
        return value
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)


def gather_over_replicas(value: Tensor) -> Tensor:
    """Concatenate the parts of a batch, [part, …] on each replica, in the order of the replicas to [batch, …]."""
    if replica_count() == 1:
        return value
    return tf.distribute.get_replica_context().all_gather(value, axis=0)
