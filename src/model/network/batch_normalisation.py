"""Batch normalisation in one fused operation."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras import layers

from src.model.network.replicas import replica_count, sum_over_replicas
from src.model.network.tensor import Tensor

Shape = tuple[int | None, ...]
EPSILON = 1e-3  # added to the variance, as Keras's layer does


class Normalised(NamedTuple):
    """A batch after normalisation, and its statistics float32 [channels]; the variance is the unbiased one."""

    outputs: Tensor
    mean: Tensor
    variance: Tensor


@keras.saving.register_keras_serializable("segmentation")
class FusedBatchNormalization(layers.Layer):
    """Batch normalisation over [batch, height, width] in one fused operation, over the batch of all replicas.

    On TensorFlow, Keras's own layer runs as separate operations, which take half of a training step. Like Keras's
    layer, this one computes in float32 and keeps moving statistics for inference. With several replicas, the statistics
    are those of the whole batch, so that the number of devices does not change the result. This case is not fused.
    """

    MOMENTUM = 0.9  # of the moving statistics; Keras's 0.99 adapts too slowly for trainings of some hundred steps

    def __init__(self, *, epsilon: float = EPSILON, **options: Any) -> None:  # Any: options of Keras's layer
        """Make a layer.

        Args:
            epsilon: added to the variance.
            **options: of every Keras layer, such as its name.
        """
        super().__init__(**options)
        self.epsilon = epsilon

    def build(self, shape: Shape) -> None:
        self.gamma = self._weight("gamma", shape[-1], "ones")
        self.beta = self._weight("beta", shape[-1], "zeros")
        self.moving_mean = self._weight("moving_mean", shape[-1], "zeros", trainable=False)
        self.moving_variance = self._weight("moving_variance", shape[-1], "ones", trainable=False)

    def _weight(self, name: str, channels: int | None, initializer: str, trainable: bool = True) -> keras.Variable:
        return self.add_weight(
            (channels,), initializer, "float32", trainable=trainable, autocast=False, name=name
        )  # float32 even if the rest of the network computes in bfloat16

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Normalise a batch.

        Args:
            inputs: [batch, height, width, channels].
            training: True: by the batch's own statistics, which also move the moving ones; False: by the moving ones.
        """
        if not training:
            return self._fused(inputs, self.moving_mean, self.moving_variance).outputs
        batch = self._synchronised(inputs) if replica_count() > 1 else self._fused(inputs)
        for weight, value in ((self.moving_mean, batch.mean), (self.moving_variance, batch.variance)):
            moved = tf.convert_to_tensor(weight.value) * self.MOMENTUM + value * (1 - self.MOMENTUM)
            tf.raw_ops.AssignVariableOp(resource=weight.value.handle, value=moved)  # each replica its own, all equal
        return batch.outputs

    def _fused(self, inputs: Tensor, *moving: keras.Variable) -> Normalised:
        """Normalise by the moving mean and variance if they are given, else by the batch's own."""
        mean, variance = (tf.convert_to_tensor(weight.value) for weight in moving) if moving else (tf.zeros([0]),) * 2
        result = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.convert_to_tensor(self.gamma.value),
            offset=tf.convert_to_tensor(self.beta.value),
            mean=mean,
            variance=variance,
            epsilon=self.epsilon,
            is_training=not moving,
        )
        return Normalised(*result[:3])

    def _synchronised(self, inputs: Tensor) -> Normalised:
        """Normalise by the statistics of the batch of all replicas, each of which holds an equal part of it."""
        pixels = tf.cast(inputs, tf.float32)
        own_mean, own_variance = tf.nn.moments(pixels, [0, 1, 2])
        count = tf.cast(tf.size(pixels[..., 0]) * replica_count(), tf.float32)
        # The mean comes first: a difference of sums of squares could become negative.
        mean = sum_over_replicas(own_mean) / replica_count()
        variance = sum_over_replicas(own_variance + (own_mean - mean) ** 2) / replica_count()
        scale = tf.math.rsqrt(variance + self.epsilon) * tf.convert_to_tensor(self.gamma.value)
        outputs = (pixels - mean) * scale + tf.convert_to_tensor(self.beta.value)
        return Normalised(tf.cast(outputs, inputs.dtype), mean, variance * count / (count - 1))

    def compute_output_shape(self, shape: Shape) -> Shape:
        return shape

    def get_config(self) -> dict[str, Any]:  # Any: options of Keras's layer
        config = super().get_config()
        return config if self.epsilon == EPSILON else config | {"epsilon": self.epsilon}
