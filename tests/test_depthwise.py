"""The gradient of the depthwise convolution is TensorFlow's own, for every kernel, stride and padding."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from src.model.network.depthwise import DepthwiseConvolution, depthwise_convolution


@pytest.mark.parametrize("side", [3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("height", [16, 17, 18, 19])
def test_output_and_gradients_are_those_of_tensorflow(side, stride, padding, height):
    rng = np.random.default_rng(0)
    images = tf.constant(rng.normal(size=(2, height, height + 3, 4)), tf.float32)
    kernel = tf.constant(rng.normal(size=(side, side, 4, 1)), tf.float32)
    results = []
    for convolve in (
        lambda: depthwise_convolution(images, kernel, stride, padding),
        lambda: tf.nn.depthwise_conv2d(images, kernel, [1, stride, stride, 1], padding.upper()),
    ):
        with tf.GradientTape() as tape:
            tape.watch([images, kernel])
            output = convolve()
            total = tf.reduce_sum(tf.sin(output))  # a gradient that differs from pixel to pixel
        results.append([output, *tape.gradient(total, [images, kernel])])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_the_layer_adds_its_bias():
    layer = DepthwiseConvolution(3, padding="same", bias_initializer="ones")
    stock = keras.layers.DepthwiseConv2D(3, padding="same")
    images = np.random.default_rng(0).normal(size=(1, 8, 8, 2)).astype(np.float32)
    layer(images), stock(images)
    stock.set_weights(layer.get_weights())
    np.testing.assert_allclose(layer(images), stock(images), atol=1e-6)
    assert np.abs(np.asarray(layer(np.zeros_like(images))) - 1).max() < 1e-6
