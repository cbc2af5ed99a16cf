"""One step of training: Adam against that of Keras, and the scale of the loss in float16."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from src.model.network.device import Arithmetic
from src.model.network.losses import loss_sums, total_loss
from src.model.network.unet import build_unet
from src.model.training.adam import Adam
from src.model.training.step import training_step
from src.model.training.workers import choose_workers
from src.params import PlannedModel
from tests.conftest import changed_params
from tests.small_training import SMALL


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
    keras.utils.set_random_seed(0)
    params = changed_params(**SMALL).train
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_global_policy("float32" if precision == "float32" else f"mixed_{precision}")
    model = build_unet(PlannedModel(filters=4, depth=1), 3, 3)
    keras.mixed_precision.set_global_policy(before)
    arithmetic = Arithmetic(precision, gpus=0)
    adam = Adam(model.trainable_variables, arithmetic.scales_loss)
    step = training_step(model, adam, params, [0, 1, 2], choose_workers("single"))
    masks = np.random.default_rng(0).integers(0, 3, (4, 16, 16), dtype=np.uint8)
    images = np.eye(3, dtype=np.float32)[masks]
    first = total_loss(loss_sums(model(images, training=True), masks), params.loss, [0, 1, 2])
    losses, counts = zip(*(step(images, masks, 0.01) for _ in range(60)), strict=True)
    assert losses[0] == pytest.approx(float(first), rel=1e-4 if precision == "float32" else 0.02)
    assert losses[-1] < 0.3 * losses[0]
    assert counts[-1].shape == (4, 3, 3) and counts[-1].sum() == masks.size
