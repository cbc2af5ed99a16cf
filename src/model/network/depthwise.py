"""Depthwise convolution with a gradient that is fast on processors.

The output is that of Keras's layer. TensorFlow 2.21 with oneDNN computes two parts of its gradient 10 to 70 times more
slowly than the others: that of the input where the stride is 2, and that of the kernel where it is larger than 3 × 3.
Here the first one is a convolution of the gradient with zeros between its pixels, and the second one is put together
from gradients of kernels of 3 × 3. `python -m benchmarks.depthwise` times both ways.
"""

from collections.abc import Callable

import keras
import tensorflow as tf
from keras import layers

from src.model.network.tensor import Tensor

SIDE = 3  # pixels of the largest kernel whose gradient is fast


@keras.saving.register_keras_serializable("segmentation")
class DepthwiseConvolution(layers.DepthwiseConv2D):
    """Keras's DepthwiseConv2D for channels last, one filter for each channel and equal strides."""

    def call(self, inputs: Tensor) -> Tensor:
        outputs = depthwise_convolution(inputs, tf.convert_to_tensor(self.kernel), self.strides[0], self.padding)
        outputs = outputs if self.bias is None else tf.nn.bias_add(outputs, tf.convert_to_tensor(self.bias))
        return self.activation(outputs)


def depthwise_convolution(images: Tensor, kernel: Tensor, stride: int, padding: str) -> Tensor:
    """Filter each channel by itself.

    Args:
        images: [batch, height, width, channels].
        kernel: [side, side, channels, 1], of the same number type.
        stride: 1 or 2.
        padding: same or valid.

    Returns:
        [batch, height / stride, width / stride, channels], rounded as in `tf.nn.depthwise_conv2d`.
    """
    options = {"strides": [1, stride, stride, 1], "padding": padding.upper()}

    @tf.custom_gradient
    def convolve(images: Tensor, kernel: Tensor) -> tuple[Tensor, Callable[[Tensor], tuple[Tensor, Tensor]]]:
        def gradient(upstream: Tensor) -> tuple[Tensor, Tensor]:
            side = int(kernel.shape[0])
            before = [_padding_before(size, side, stride, padding) for size in _sides(images)]
            if stride > 1:
                of_images = _gradient_of_images(upstream, images, kernel, before)
            else:
                of_images = tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
                    input_sizes=tf.shape(images), filter=kernel, out_backprop=upstream, **options
                )
            if side > SIDE:
                of_kernel = _gradient_of_kernel(upstream, images, side, stride, before)
            else:
                of_kernel = tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
                    input=images, filter_sizes=kernel.shape, out_backprop=upstream, **options
                )
            return of_images, of_kernel

        return tf.raw_ops.DepthwiseConv2dNative(input=images, filter=kernel, **options), gradient

    return convolve(images, kernel)


def _sides(images: Tensor) -> tuple[Tensor, Tensor]:
    """Height and width."""
    shape = tf.shape(images)
    return shape[1], shape[2]


def _padding_before(size: Tensor, side: int, stride: int, padding: str) -> Tensor:
    """Zeros that TensorFlow puts before the first pixel: half of all, rounded down."""
    if padding == "valid":
        return tf.constant(0)
    outputs = (size + stride - 1) // stride
    return tf.maximum((outputs - 1) * stride + side - size, 0) // 2


def _gradient_of_images(upstream: Tensor, images: Tensor, kernel: Tensor, before: list[Tensor]) -> Tensor:
    """The gradient for stride 2: dx[j] = Σ_t kernel[t] g[(j + before - t) / 2], where that is a whole number."""
    side = int(kernel.shape[0])
    batch, rows, columns, channels = tf.unstack(tf.shape(upstream))
    apart = tf.reshape(upstream, [batch, rows, 1, columns, 1, channels])
    apart = tf.pad(apart, [[0, 0], [0, 0], [0, 1], [0, 0], [0, 1], [0, 0]])
    apart = tf.reshape(apart, [batch, 2 * rows, 2 * columns, channels])
    margins = [[0, 0]]
    for size, outputs, zeros in zip(_sides(images), (rows, columns), before, strict=True):
        first = side - 1 - zeros
        margins.append([first, tf.maximum(size + side - 1 - first - 2 * outputs, 0)])
    padded = tf.pad(apart, [*margins, [0, 0]])
    padded = padded[:, : _sides(images)[0] + side - 1, : _sides(images)[1] + side - 1]
    flipped = tf.reverse(kernel, [0, 1])
    gradient = tf.raw_ops.DepthwiseConv2dNative(input=padded, filter=flipped, strides=[1, 1, 1, 1], padding="VALID")
    return tf.ensure_shape(gradient, images.shape)


def _gradient_of_kernel(upstream: Tensor, images: Tensor, side: int, stride: int, before: list[Tensor]) -> Tensor:
    """Compute the gradient of the kernel in parts of 3 × 3, which overlap if `side` is no multiple of 3."""
    rows, columns = _sides(upstream)
    needed = [(outputs - 1) * stride + side for outputs in (rows, columns)]
    margins = [
        [zeros, tf.maximum(length - zeros - size, 0)]
        for zeros, length, size in zip(before, needed, _sides(images), strict=True)
    ]
    padded = tf.pad(images, [[0, 0], *margins, [0, 0]])
    starts = [*range(0, side - SIDE, SIDE), side - SIDE]
    height, width = ((outputs - 1) * stride + SIDE for outputs in (rows, columns))

    def part(top: int, left: int) -> Tensor:
        return tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
            input=padded[:, top : top + height, left : left + width],
            filter_sizes=[SIDE, SIDE, images.shape[-1], 1],
            out_backprop=upstream,
            strides=[1, stride, stride, 1],
            padding="VALID",
        )

    def joined(parts: list[Tensor], axis: int) -> Tensor:
        """Join parts along an axis; what a part shares with the one before it is left out."""
        overlap = (len(parts) * SIDE) - side
        last = tf.split(parts[-1], [overlap, SIDE - overlap], axis)[1] if overlap else parts[-1]
        return tf.concat([*parts[:-1], last], axis)

    return joined([joined([part(top, left) for left in starts], 1) for top in starts], 0)
