"""Adam as one fused TensorFlow operation for each weight; Keras's optimizer runs a dozen operations."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import keras
import tensorflow as tf

from src.model.network.replicas import sum_over_replicas
from src.model.network.tensor import Tensor

NO_SHARES: Mapping[str, float] = MappingProxyType({})
LARGEST_SCALE = 2.0**24  # of the loss in float16; a larger scale would overflow at once


class Adam:
    """Adam of Kingma and Ba (https://arxiv.org/abs/1412.6980); the caller gives the learning rate of each step.

    In float16 small gradients would become 0. So the loss is multiplied by `scale`, and the gradients are divided by
    it. A step whose gradients overflow is skipped and halves the scale. `PATIENCE` good steps in a row double it.

    Attributes:
        weights: the variables to train.
        shares: the share of the learning rate with which each weight learns.
        moments: the running means of the gradients and of their squares, one of each for every weight.
        scale: of the loss; 1 unless the loss is scaled.
        good_steps: steps since the scale last changed.
        updates: steps that changed the weights.
    """

    BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-7
    PATIENCE = 1000  # steps

    def __init__(
        self, weights: Sequence[keras.Variable], scale_loss: bool = False, shares: Mapping[str, float] = NO_SHARES
    ) -> None:
        """Start with moments of 0.

        Args:
            weights: the variables to train.
            scale_loss: True for float16.
            shares: path of a weight → the share of the learning rate with which it learns; 1 for the others.
        """
        self.weights, self.scale_loss = list(weights), scale_loss
        self.shares = [shares.get(weight.path, 1.0) for weight in self.weights]
        self.moments = [[tf.Variable(tf.zeros(weight.shape), trainable=False) for weight in weights] for _ in range(2)]
        self.scale = tf.Variable(2.0**15 if scale_loss else 1.0, trainable=False)
        self.good_steps = tf.Variable(0.0, trainable=False)
        self.updates = tf.Variable(0.0, trainable=False)

    @property
    def state(self) -> list[tf.Variable]:
        """The variables that later steps depend on, without the weights."""
        return [*self.moments[0], *self.moments[1], self.scale, self.good_steps, self.updates]

    def apply(self, gradients: Sequence[Tensor], rate: Tensor) -> None:
        """Update the weights once.

        Args:
            gradients: of `scale` × loss, for each weight; they are summed over all replicas.
            rate: learning rate of this step.
        """
        gradients = sum_over_replicas(list(gradients))
        if not self.scale_loss:
            self._update(gradients, rate)
            return
        scale = tf.convert_to_tensor(self.scale)
        gradients = [gradient / scale for gradient in gradients]
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(gradient)) for gradient in gradients])
        tf.cond(finite, lambda: self._update(gradients, rate), lambda: None)
        good_steps = tf.where(finite, self.good_steps + 1, 0.0)
        enough = good_steps >= self.PATIENCE
        doubled = tf.where(enough, tf.minimum(scale * 2, LARGEST_SCALE), scale)
        _assign(self.scale, tf.where(finite, doubled, tf.maximum(scale / 2, 1.0)))
        _assign(self.good_steps, tf.where(enough, 0.0, good_steps))

    def _update(self, gradients: Sequence[Tensor], rate: Tensor) -> None:
        updates = tf.convert_to_tensor(self.updates) + 1
        _assign(self.updates, updates)
        parts = zip(self.weights, self.shares, *self.moments, gradients, strict=True)
        for weight, share, mean, square, gradient in parts:
            tf.raw_ops.ResourceApplyAdam(
                var=weight.value.handle,
                m=mean.handle,
                v=square.handle,
                beta1_power=self.BETA1**updates,
                beta2_power=self.BETA2**updates,
                lr=rate * share,
                beta1=self.BETA1,
                beta2=self.BETA2,
                epsilon=self.EPSILON,
                grad=gradient,
            )


def _assign(variable: tf.Variable, value: Tensor) -> None:
    """Assign in each replica to its own copy; all assign the same value."""
    tf.raw_ops.AssignVariableOp(resource=variable.handle, value=value)
