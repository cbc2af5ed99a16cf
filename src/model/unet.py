"""The U-Net of Ronneberger, Fischer and Brox (https://arxiv.org/abs/1505.04597), padded, with batch normalisation."""

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from src.params import Model


@keras.saving.register_keras_serializable("segmentation")
class FusedBatchNormalization(layers.Layer):
    """Batch normalisation over [batch, height, width] in one fused operation.

    Keras's own layer runs as separate operations on TensorFlow, which takes half of a training step. Like it, this one
    computes in float32 inside and keeps moving statistics for inference.
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
        moving = [tf.convert_to_tensor(weight.value) for weight in (self.moving_mean, self.moving_variance)]
        outputs = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.convert_to_tensor(self.gamma.value),
            offset=tf.convert_to_tensor(self.beta.value),
            mean=tf.zeros([0]) if training else moving[0],
            variance=tf.zeros([0]) if training else moving[1],
            epsilon=self.EPSILON,
            is_training=training,
        )
        if training:
            for weight, old, batch in zip((self.moving_mean, self.moving_variance), moving, outputs[1:3], strict=True):
                weight.assign(old * self.MOMENTUM + batch * (1 - self.MOMENTUM))
        return outputs.y

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape


def build_unet(params: Model, channels: int, classes: int) -> keras.Model:
    """Images [batch, height, width, channels] → logits float32 [batch, height, width, n].

    n is 1 for two classes (the logit of the second), else the number of classes. Height and width must be multiples of
    2 ** depth. Every layer is named, so that a saved model does not depend on what was built before it.
    """
    inputs = x = keras.Input((None, None, channels), name="image")
    skips = []
    for level in range(params.depth):
        x = _block(x, params.filters * 2**level, f"down{level}")
        skips.append(x)
        x = layers.MaxPooling2D(2, name=f"down{level}_pool")(x)
    x = _block(x, params.filters * 2**params.depth, "bottom")
    for level in reversed(range(params.depth)):
        filters = params.filters * 2**level
        x = layers.Conv2DTranspose(filters, 2, strides=2, kernel_initializer="he_normal", name=f"up{level}_grow")(x)
        x = layers.Concatenate(name=f"up{level}_skip")([skips[level], x])
        x = _block(x, filters, f"up{level}")
    outputs = layers.Conv2D(1 if classes == 2 else classes, 1, dtype="float32", name="logits")(x)
    return keras.Model(inputs, outputs, name="unet")


def _block(x: Any, filters: int, name: str) -> Any:
    """Twice: convolution 3 × 3, batch normalisation, ReLU."""
    for part in "ab":
        x = layers.Conv2D(
            filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv_{part}"
        )(x)
        x = FusedBatchNormalization(name=f"{name}_norm_{part}")(x)
        x = layers.ReLU(name=f"{name}_relu_{part}")(x)
    return x
