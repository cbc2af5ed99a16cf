"""The network: shapes, size, and its normalisation against Keras's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from src.data.classes.label_format import LabelFormat
from src.model.network.batch_normalisation import FusedBatchNormalization
from src.model.network.unet import build_unet
from src.params import PlannedModel


def expected_parameters(filters: int, depth: int, channels: int, classes: int) -> int:
    """Count the weights: pairs of 3 × 3 convolutions, and four numbers for each normalised channel."""

    def block(inputs: int, outputs: int) -> int:
        return 9 * inputs * outputs + 9 * outputs * outputs + 2 * 4 * outputs

    widths = [filters * 2**level for level in range(depth + 1)]
    down = sum(block(a, b) for a, b in zip([channels, *widths[:-1]], widths, strict=True))
    up = sum(4 * 2 * w * w + block(2 * w, w) for w in widths[:-1])
    outputs = 1 if classes == 2 else classes
    return down + up + filters * outputs + outputs


@pytest.mark.parametrize(("filters", "depth", "channels", "classes"), [(16, 4, 3, 3), (4, 1, 1, 2), (8, 3, 5, 11)])
def test_unet_has_the_expected_shapes_and_parameter_count(filters, depth, channels, classes):
    model = build_unet(PlannedModel(filters=filters, depth=depth), channels, LabelFormat(classes).outputs)
    assert model.count_params() == expected_parameters(filters, depth, channels, classes)
    side = 3 * 2**depth
    logits = model(np.zeros((2, side, 2 * side, channels), np.float32), training=False)
    assert logits.shape == (2, side, 2 * side, 1 if classes == 2 else classes)
    assert logits.dtype == tf.float32


def test_unet_has_as_many_poolings_upsamplings_and_skip_connections_as_levels():
    layers = [type(layer).__name__ for layer in build_unet(PlannedModel(filters=4, depth=3), 3, 1).layers]
    assert layers.count("MaxPooling2D") == layers.count("Conv2DTranspose") == layers.count("Concatenate") == 3


def test_pooling_and_upsampling_keep_positions():
    """In a shallow network, a bright pixel changes only logits around itself."""
    keras.utils.set_random_seed(0)
    model = build_unet(PlannedModel(filters=4, depth=1), 1, 1)
    dark = np.zeros((1, 64, 64, 1), np.float32)
    lit = dark.copy()
    lit[0, 20, 40] = 1
    changed = np.argwhere(np.abs(model(lit) - model(dark))[0, ..., 0] > 0)
    assert len(changed) and np.abs(changed - [20, 40]).max() <= 12


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_batch_normalisation_equals_that_of_keras(dtype):
    rng = np.random.default_rng(0)
    ours = FusedBatchNormalization(dtype=keras.DTypePolicy(dtype))
    theirs = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-3)
    x = rng.normal(3, 2, (8, 32, 32, 3)).astype(np.float32)
    tolerance = 1e-3 if dtype == "float32" else 0.05
    for layer in (ours, theirs):
        layer.build(x.shape)
        layer.gamma.assign([1.0, 2.0, 0.5])
        layer.beta.assign([0.0, -1.0, 3.0])
    for _ in range(3):
        np.testing.assert_allclose(
            tf.cast(ours(x, training=True), tf.float32), theirs(x, training=True), atol=tolerance, rtol=tolerance
        )
    for name in ("moving_mean", "moving_variance"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=tolerance)
    np.testing.assert_allclose(
        tf.cast(ours(x, training=False), tf.float32), theirs(x, training=False), atol=tolerance, rtol=tolerance
    )


def test_gradients_reach_every_weight():
    model = build_unet(PlannedModel(filters=4, depth=2), 3, 3)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(np.random.default_rng(0).normal(size=(2, 16, 16, 3)), training=True) ** 2)
    gradients = tape.gradient(loss, model.trainable_variables)
    assert all(gradient is not None and np.isfinite(gradient).all() for gradient in gradients)


def test_layer_names_do_not_depend_on_what_was_built_before():
    first, second = (build_unet(PlannedModel(filters=4, depth=2), 3, 1) for _ in range(2))
    assert [layer.name for layer in first.layers] == [layer.name for layer in second.layers]
    assert [weight.path for weight in first.weights] == [weight.path for weight in second.weights]
