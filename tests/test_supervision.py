"""Deep supervision: its outputs, their weights in the loss, and their gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from src.model.network.losses.sums import loss_sums
from src.model.network.losses.total import total_loss
from src.model.network.supervision import add_supervision, deep_losses
from src.model.network.unet import build_unet
from src.params import PlannedModel
from src.plan.class_weights import LossWeights
from tests.test_losses import reference

WEIGHTS = LossWeights(cross_entropy=1.0, dice=0.5)
OF_CLASSES = LossWeights(cross_entropy=1.0, dice=0.5, classes=(0.5, 2.0, 1.5))


@pytest.mark.parametrize(("classes", "outputs"), [(2, 1), (5, 5)])
def test_supervision_adds_outputs_of_lower_resolutions(classes, outputs):
    model = build_unet(PlannedModel(filters=4, depth=3), 3, classes)
    images = tf.random.stateless_normal([2, 32, 48, 3], [1, 2])
    found = add_supervision(model, 2)(images)
    assert [tuple(part.shape) for part in found] == [(2, 32, 48, outputs), (2, 16, 24, outputs), (2, 8, 12, outputs)]
    np.testing.assert_array_equal(found[0], model(images))
    assert all(part.dtype == tf.float32 for part in found)


def test_no_supervised_levels_add_no_weights():
    model = build_unet(PlannedModel(filters=4, depth=2), 3, 2)
    assert [weight.path for weight in add_supervision(model, 0).weights] == [weight.path for weight in model.weights]


def test_each_supervised_level_has_half_the_weight_of_the_level_above():
    """The reference is the loss in NumPy, at each resolution."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, (2, 16, 16)).astype(np.uint8)
    truth[0, :4] = 255  # ignored
    logits = [rng.normal(size=(2, 16 // step, 16 // step, 3)).astype(np.float32) for step in (1, 2, 4)]
    each = [
        reference(part, truth[:, ::step, ::step], OF_CLASSES, [0, 1, 2])
        for part, step in zip(logits, (1, 2, 4), strict=True)
    ]
    learned, first = deep_losses([tf.constant(part) for part in logits], tf.constant(truth), OF_CLASSES, [0, 1, 2])
    assert float(first) == pytest.approx(each[0], rel=1e-5)
    assert float(learned) == pytest.approx((4 * each[0] + 2 * each[1] + each[2]) / 7, rel=1e-5)


def test_gradients_of_deep_supervision_reach_all_weights():
    keras.utils.set_random_seed(0)
    network = add_supervision(build_unet(PlannedModel(filters=4, depth=2), 1, 2), 1)
    images, masks = tf.random.stateless_normal([2, 16, 16, 1], [3, 4]), tf.ones([2, 16, 16], tf.uint8)
    with tf.GradientTape() as tape:
        loss, _ = deep_losses(network(images, training=True), masks, WEIGHTS, [1])
    for weight, gradient in zip(
        network.trainable_variables, tape.gradient(loss, network.trainable_variables), strict=True
    ):
        assert gradient is not None and bool(tf.reduce_any(gradient != 0)), weight.path


def test_the_loss_of_one_output_is_not_weighted():
    logits, truth = tf.random.stateless_normal([2, 8, 8, 1], [5, 6]), tf.ones([2, 8, 8], tf.uint8)
    learned, first = deep_losses([logits], truth, WEIGHTS, [1])
    plain = total_loss(loss_sums(logits, truth, WEIGHTS), WEIGHTS, [1])
    assert float(learned) == float(first) == float(plain)
