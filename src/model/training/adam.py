"""Adam in TensorFlow's fused operation: one for each weight, where Keras's optimizer runs a dozen."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from src.model.network.replicas import sum_over_replicas

LARGEST_SCALE = 2.0**24  # of the loss in float16; more would overflow at once


class Adam:
    """Adam of Kingma and Ba (https://arxiv.org/abs/1412.6980), its rate given anew at every step.

    In float16 small gradients would become 0, so the loss is multiplied by `scale`, and the gradients divided by it
    again: a step whose gradients overflow is left out and halves it, `PATIENCE` good ones in a row double it.
    """

    BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-7
    PATIENCE = 1000  # steps

    def __init__(self, weights: Sequence[keras.Variable], scaled: bool = False) -> None:
        self.weights, self.scaled = list(weights), scaled
        self.moments = [[tf.Variable(tf.zeros(weight.shape), trainable=False) for weight in weights] for _ in range(2)]
        self.scale = tf.Variable(2.0**15 if scaled else 1.0, trainable=False)
        self.good = tf.Variable(0.0, trainable=False)  # steps since the scale last changed
        self.updates = tf.Variable(0.0, trainable=False)

    @property
    def state(self) -> list[tf.Variable]:
        """All that a later step depends on, the weights apart."""
        return [*self.moments[0], *self.moments[1], self.scale, self.good, self.updates]

    def apply(self, gradients: Sequence[Any], rate: Any) -> None:
        """One update by the gradients of `scale` × loss, summed over all replicas."""
        gradients = sum_over_replicas(list(gradients))
        if not self.scaled:
            self._update(gradients, rate)
            return
        scale = tf.convert_to_tensor(self.scale)
        gradients = [gradient / scale for gradient in gradients]
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(gradient)) for gradient in gradients])
        tf.cond(finite, lambda: self._update(gradients, rate), lambda: None)
        good = tf.where(finite, self.good + 1, 0.0)
        raised = good >= self.PATIENCE
        grown = tf.where(raised, tf.minimum(scale * 2, LARGEST_SCALE), scale)
        _assign(self.scale, tf.where(finite, grown, tf.maximum(scale / 2, 1.0)))
        _assign(self.good, tf.where(raised, 0.0, good))

    def _update(self, gradients: Sequence[Any], rate: Any) -> None:
        updates = tf.convert_to_tensor(self.updates) + 1
        _assign(self.updates, updates)
        for weight, mean, square, gradient in zip(self.weights, *self.moments, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=weight.value.handle,
                m=mean.handle,
                v=square.handle,
                beta1_power=self.BETA1**updates,
                beta2_power=self.BETA2**updates,
                lr=rate,
                beta1=self.BETA1,
                beta2=self.BETA2,
                epsilon=self.EPSILON,
                grad=gradient,
            )


def _assign(variable: tf.Variable, value: Any) -> None:
    """Each replica assigns to its own copy, all of them the same value."""
    tf.raw_ops.AssignVariableOp(resource=variable.handle, value=value)
