"""The U-Net of Ronneberger, Fischer and Brox (https://arxiv.org/abs/1505.04597), padded, with batch normalisation."""

from functools import partial
from typing import NamedTuple

import keras
import tensorflow as tf
from keras import layers

from src.archive import layer_names
from src.model.network.replicas import replica_count, sum_over_replicas
from src.model.network.tensor import Tensor
from src.params import PlannedModel

Shape = tuple[int | None, ...]


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
    EPSILON = 1e-3

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
            epsilon=self.EPSILON,
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
        scale = tf.math.rsqrt(variance + self.EPSILON) * tf.convert_to_tensor(self.gamma.value)
        outputs = (pixels - mean) * scale + tf.convert_to_tensor(self.beta.value)
        return Normalised(tf.cast(outputs, inputs.dtype), mean, variance * count / (count - 1))

    def compute_output_shape(self, shape: Shape) -> Shape:
        return shape


def build_unet(params: PlannedModel, channels: int, classes: int, *, normalised: bool = True) -> keras.Model:
    """Build a U-Net with random weights, in Keras's global precision.

    Every layer has a fixed name (src/archive/layer_names.py), so that a saved model does not depend on what else was
    built before it.

    Args:
        params: filters at full resolution, and depth.
        channels: of the images.
        classes: 2 or more.
        normalised: with batch normalisation; without it, convolutions have a bias (see layer_folding.py).

    Returns:
        A model from images float32 [batch, height, width, channels] to logits float32 [batch, height, width, n]. Height
        and width must be multiples of 2 ** depth. n is 1 for two classes (the logit of the second), else `classes`.
    """
    inputs = x = keras.Input((None, None, channels), name=layer_names.IMAGE)
    block, skips = partial(_block, normalised=normalised), []
    for level in range(params.depth):
        x = block(x, params.filters * 2**level, layer_names.encoder(level))
        skips.append(x)
        x = layers.MaxPooling2D(2, name=layer_names.pool(level))(x)
    x = block(x, params.filters * 2**params.depth, layer_names.BOTTOM)
    for level in reversed(range(params.depth)):
        filters = params.filters * 2**level
        x = layers.Conv2DTranspose(  # without a bias: the normalisation that follows would remove it
            filters,
            2,
            strides=2,
            use_bias=False,
            kernel_initializer="he_normal",
            name=layer_names.upsampling(level),
        )(x)
        x = layers.Concatenate(name=layer_names.skip(level))([skips[level], x])
        x = block(x, filters, layer_names.decoder(level))
    x = layers.Conv2D(1 if classes == 2 else classes, 1, name=layer_names.LOGITS_CONVOLUTION)(x)
    outputs = layers.Activation("linear", dtype="float32", name=layer_names.LOGITS)(x)
    return keras.Model(inputs, outputs, name="unet")


def _block(x: Tensor, filters: int, name: str, normalised: bool) -> Tensor:
    """Twice: 3 × 3 convolution, batch normalisation, ReLU."""
    options = {"padding": "same", "use_bias": not normalised, "kernel_initializer": "he_normal"}
    for part in layer_names.PARTS:
        x = layers.Conv2D(filters, 3, **options, name=layer_names.convolution(name, part))(x)
        if normalised:
            x = FusedBatchNormalization(name=layer_names.normalisation(name, part))(x)
        x = layers.ReLU(name=layer_names.activation(name, part))(x)
    return x
