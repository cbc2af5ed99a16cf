"""One step of training: Adam against that of Keras, and the scale of the loss in float16."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from src.model.network.device import Arithmetic
from src.model.network.losses.sums import loss_sums
from src.model.network.losses.total import total_loss
from src.model.network.unet import build_unet
from src.model.training.adam import Adam
from src.model.training.step import training_step
from src.model.training.workers import choose_workers
from src.params import PlannedModel
from src.plan.class_weights import LossWeights


def test_adam_equals_the_adam_of_keras():
    rng = np.random.default_rng(0)
    ours, theirs = (
        [keras.Variable(value) for value in (np.ones((3, 4), "float32"), np.zeros(5, "float32"))] for _ in "ab"
    )
    adam, reference = Adam(ours), keras.optimizers.Adam(0.0)
    reference.build(theirs)
    for step in range(50):
        gradients = [tf.constant(rng.normal(size=weight.shape) * 10.0 ** (step % 5), tf.float32) for weight in ours]
        rate = 0.01 / (step + 1)
        reference.learning_rate = rate
        reference.apply_gradients(zip(gradients, theirs, strict=True))
        adam.apply(gradients, rate)
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-5, atol=1e-7)


def test_weights_with_a_share_learn_with_that_share_of_the_rate():
    start, gradient = np.ones((2, 3), "float32"), tf.constant(np.arange(6.0).reshape(2, 3), tf.float32)
    slow, fast, frozen = (keras.Variable(start, name=name) for name in ("slow", "fast", "frozen"))
    Adam([slow, fast, frozen], shares={slow.path: 0.1, frozen.path: 0.0}).apply([gradient] * 3, 0.01)
    alone = keras.Variable(start)
    Adam([alone]).apply([gradient], 0.001)
    np.testing.assert_array_equal(slow.numpy(), alone.numpy())
    assert (frozen.numpy() == start).all() and (fast.numpy()[:, 1] < slow.numpy()[:, 1]).all()


def test_a_step_whose_gradient_overflows_is_skipped_and_halves_the_loss_scale(monkeypatch):
    monkeypatch.setattr(Adam, "PATIENCE", 3)
    weight = keras.Variable(np.ones(4, "float32"))
    adam = Adam([weight], scale_loss=True)
    start = float(adam.scale.numpy())
    adam.apply([tf.constant([1.0, np.inf, 0.0, 0.0])], 0.1)
    assert (weight.numpy() == 1).all() and float(adam.scale.numpy()) == start / 2 and float(adam.updates.numpy()) == 0
    for _ in range(3):
        adam.apply([tf.fill([4], start / 2)], 0.1)
    assert (weight.numpy() < 1).all() and float(adam.scale.numpy()) == start and float(adam.updates.numpy()) == 3


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_step_lowers_the_loss_and_reports_it(precision):
    weights = LossWeights(classes=(0.5, 1.5, 1.0))
    keras.utils.set_random_seed(0)
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_global_policy("float32" if precision == "float32" else f"mixed_{precision}")
    model = build_unet(PlannedModel(filters=4, depth=1), 3, 3)
    keras.mixed_precision.set_global_policy(before)
    arithmetic = Arithmetic(precision, gpus=0)
    adam = Adam(model.trainable_variables, arithmetic.scales_loss)
    step = training_step(model, adam, weights, [0, 1, 2], choose_workers("single"))
    masks = np.random.default_rng(0).integers(0, 3, (4, 16, 16), dtype=np.uint8)
    images = np.eye(3, dtype=np.float32)[masks]
    first = total_loss(loss_sums(model(images, training=True), masks, weights), weights, [0, 1, 2])
    losses, counts = zip(*(step(images, masks, 0.01) for _ in range(60)), strict=True)
    assert losses[0] == pytest.approx(float(first), rel=1e-4 if precision == "float32" else 0.02)
    assert losses[-1] < 0.3 * losses[0]
    assert counts[-1].shape == (4, 3, 3) and counts[-1].sum() == masks.size
