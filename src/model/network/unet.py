"""The U-Net of Ronneberger, Fischer and Brox (https://arxiv.org/abs/1505.04597), padded, with batch normalisation."""

from functools import partial
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from src.model.network.replicas import replicas, sum_over_replicas
from src.params import PlannedModel


@keras.saving.register_keras_serializable("segmentation")
class FusedBatchNormalization(layers.Layer):
    """Batch normalisation over [batch, height, width] in one fused operation, over the batch of all replicas.

    Keras's own layer runs as separate operations on TensorFlow, which takes half of a training step. Like it, this one
    computes in float32 inside and keeps moving statistics for inference. With several replicas the statistics are those
    of the whole batch, so that the number of devices changes no result; those operations are not fused.
    """

    MOMENTUM = 0.9  # of the moving statistics; Keras's 0.99 lags behind in trainings of some hundred steps
    EPSILON = 1e-3

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.gamma = self._weight("gamma", shape[-1], "ones")
        self.beta = self._weight("beta", shape[-1], "zeros")
        self.moving_mean = self._weight("moving_mean", shape[-1], "zeros", trainable=False)
        self.moving_variance = self._weight("moving_variance", shape[-1], "ones", trainable=False)

    def _weight(self, name: str, channels: int | None, initializer: str, trainable: bool = True) -> Any:
        return self.add_weight(
            (channels,), initializer, "float32", trainable=trainable, autocast=False, name=name
        )  # float32 also where the rest of the network computes in bfloat16

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training:
            return self._fused(inputs, self.moving_mean, self.moving_variance).y
        if replicas() > 1:
            outputs, mean, variance = self._synchronised(inputs)
        else:
            outputs, mean, variance = self._fused(inputs)[:3]
        for weight, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moved = tf.convert_to_tensor(weight.value) * self.MOMENTUM + batch * (1 - self.MOMENTUM)
            tf.raw_ops.AssignVariableOp(resource=weight.value.handle, value=moved)  # each replica its own, all equal
        return outputs

    def _fused(self, inputs: Any, *moving: Any) -> Any:
        """By the moving mean and variance, or without them by the batch's own: output, mean, unbiased variance, …"""
        mean, variance = (tf.convert_to_tensor(weight.value) for weight in moving) if moving else (tf.zeros([0]),) * 2
        return tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.convert_to_tensor(self.gamma.value),
            offset=tf.convert_to_tensor(self.beta.value),
            mean=mean,
            variance=variance,
            epsilon=self.EPSILON,
            is_training=not moving,
        )

    def _synchronised(self, inputs: Any) -> tuple[Any, Any, Any]:
        """Output, mean and unbiased variance of the batch of all replicas, each of which holds an equal part of it."""
        pixels = tf.cast(inputs, tf.float32)
        own, spread = tf.nn.moments(pixels, [0, 1, 2])
        count = tf.cast(tf.size(pixels[..., 0]) * replicas(), tf.float32)
        mean = sum_over_replicas(own) / replicas()  # first, since a difference of squares could become negative
        variance = sum_over_replicas(spread + (own - mean) ** 2) / replicas()
        scale = tf.math.rsqrt(variance + self.EPSILON) * tf.convert_to_tensor(self.gamma.value)
        outputs = (pixels - mean) * scale + tf.convert_to_tensor(self.beta.value)
        return tf.cast(outputs, inputs.dtype), mean, variance * count / (count - 1)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape


def build_unet(params: PlannedModel, channels: int, classes: int, *, normalised: bool = True) -> keras.Model:
    """Images [batch, height, width, channels] → logits float32 [batch, height, width, n].

    n is 1 for two classes (the logit of the second), else the number of classes. Height and width must be multiples of
    2 ** depth. Every layer is named, so that a saved model does not depend on what was built before it.

    normalised: with batch normalisation; without it convolutions have a bias, see fold.py.
    """
    inputs = x = keras.Input((None, None, channels), name="image")
    block, skips = partial(_block, normalised=normalised), []
    for level in range(params.depth):
        x = block(x, params.filters * 2**level, f"down{level}")
        skips.append(x)
        x = layers.MaxPooling2D(2, name=f"down{level}_pool")(x)
    x = block(x, params.filters * 2**params.depth, "bottom")
    for level in reversed(range(params.depth)):
        filters = params.filters * 2**level
        x = layers.Conv2DTranspose(  # without a bias: the normalisation that follows would take it out again
            filters, 2, strides=2, use_bias=False, kernel_initializer="he_normal", name=f"up{level}_grow"
        )(x)
        x = layers.Concatenate(name=f"up{level}_skip")([skips[level], x])
        x = block(x, filters, f"up{level}")
    x = layers.Conv2D(1 if classes == 2 else classes, 1, name="logits_conv")(x)
    outputs = layers.Activation("linear", dtype="float32", name="logits")(x)
    return keras.Model(inputs, outputs, name="unet")


def _block(x: Any, filters: int, name: str, normalised: bool) -> Any:
    """Twice: convolution 3 × 3, batch normalisation, ReLU."""
    form = {"padding": "same", "use_bias": not normalised, "kernel_initializer": "he_normal"}
    for part in "ab":
        x = layers.Conv2D(filters, 3, **form, name=f"{name}_conv_{part}")(x)
        if normalised:
            x = FusedBatchNormalization(name=f"{name}_norm_{part}")(x)
        x = layers.ReLU(name=f"{name}_relu_{part}")(x)
    return x
