"""Each further term of the loss equals its formula in NumPy, is finite for extreme logits, and skips ignored pixels."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_expit, log_softmax

from src.data.source.dataset import IGNORE, Dataset
from src.model.network.losses import sums as sums_module
from src.model.network.losses.sums import LossSums, loss_sums
from src.model.network.losses.total import total_loss
from src.model.network.supervision import deep_losses
from src.plan.class_weights import LossWeights

NOTHING = {"cross_entropy": 0.0, "dice": 0.0}
OF_CLASSES = (0.3, 4.0, 1.0, 0.01, 2.5)
TERMS = {
    "cross-entropy": {"cross_entropy": 1.5},
    "focal": {"focal": 2.0, "focal_gamma": 2.0},
    "focal, small exponent": {"focal": 2.0, "focal_gamma": 0.5},
}
TOGETHER = {"cross_entropy": 1.0, "dice": 1.0, "focal": 1.0}


def weights_of(term, of_classes=()):
    return LossWeights(**(NOTHING | term), classes=of_classes)


def found_loss(logits, truth, weights, foreground):
    return total_loss(loss_sums(tf.convert_to_tensor(logits), tf.constant(truth), weights), weights, foreground)


def terms_reference(logits, truth, weights, foreground):
    """Cross-entropy and focal loss from their definitions, in float64; without Dice."""
    z = logits.astype(np.float64)
    binary = z.shape[-1] == 1
    logs = np.concatenate([log_expit(-z), log_expit(z)], axis=-1) if binary else log_softmax(z, axis=-1)
    classes = logs.shape[-1]
    counted = truth < classes
    label, log_p = truth[counted], logs[counted]
    entropy = -log_p[np.arange(len(label)), label]
    of_pixels = np.array(weights.classes or np.ones(classes))[label]
    focal = (1 - np.exp(-entropy)) ** weights.focal_gamma * entropy
    return np.average(weights.cross_entropy * entropy + weights.focal * focal, weights=of_pixels)


def example(outputs, *, side=24, blocks=4):
    """Logits and a mask of blocks of classes in which a tenth of the blocks and of the pixels are ignored."""
    rng = np.random.default_rng(outputs)
    truth = rng.integers(0, max(outputs, 2), (2, side // blocks, side // blocks), dtype=np.uint8)
    truth[rng.random(truth.shape) < 0.1] = IGNORE
    truth = truth.repeat(blocks, axis=1).repeat(blocks, axis=2)
    truth[rng.random(truth.shape) < 0.1] = IGNORE
    return rng.normal(0, 3, (*truth.shape, outputs)).astype(np.float32), truth


@pytest.mark.parametrize(("outputs", "foreground"), [(1, [1]), (3, [0, 1, 2]), (5, [1, 2, 3, 4])])
@pytest.mark.parametrize("term", [*TERMS.values()], ids=[*TERMS])
@pytest.mark.parametrize("of_classes", [(), OF_CLASSES], ids=["equal", "weighted"])
def test_a_term_equals_its_formula_in_numpy(outputs, foreground, term, of_classes):
    logits, truth = example(outputs)
    weights = weights_of(term, of_classes[: max(outputs, 2)])
    expected = terms_reference(logits, truth, weights, foreground)
    assert expected > 0.01
    assert float(found_loss(logits, truth, weights, foreground)) == pytest.approx(expected, rel=2e-5)


@pytest.mark.parametrize("term", ["cross-entropy", "focal", "focal, small exponent"])
@pytest.mark.parametrize("outputs", [1, 3])
def test_a_term_and_its_gradient_are_finite_at_the_extremes(outputs, term):
    """Classes without a pixel, and masks without a counted pixel, are among the cases."""
    weights = weights_of(TERMS[term])
    scales = np.arange(1, outputs + 1, dtype=np.float32)
    for size in (1e4, -1e4, 1e30):
        for label in (0, 1, IGNORE):
            logits = tf.Variable(np.full((1, 4, 4, outputs), size, np.float32) * scales)
            with tf.GradientTape() as tape:
                loss = found_loss(logits, np.full((1, 4, 4), label, np.uint8), weights, [1])
            assert np.isfinite(float(loss)), (size, label)
            assert np.isfinite(tape.gradient(loss, logits).numpy()).all(), (size, label)


@pytest.mark.parametrize("term", [*TERMS.values()], ids=[*TERMS])
@pytest.mark.parametrize("outputs", [1, 3])
def test_logits_of_ignored_pixels_change_nothing(outputs, term):
    logits, truth = example(outputs)
    other = np.where((truth == IGNORE)[..., None], np.float32(-77), logits)
    weights, given = weights_of(term, OF_CLASSES[: max(outputs, 2)]), tf.Variable(logits)
    with tf.GradientTape() as tape:
        loss = found_loss(given, truth, weights, [1])
    gradient = tape.gradient(loss, given).numpy()
    assert float(loss) == pytest.approx(float(found_loss(other, truth, weights, [1])), rel=1e-6)
    assert (gradient[truth == IGNORE] == 0).all() and (gradient[truth != IGNORE] != 0).any()


def test_sums_of_all_terms_over_parts_add_up_to_those_of_the_whole():
    logits, truth = example(3)
    weights = LossWeights(**TOGETHER)
    parts = [loss_sums(tf.constant(logits[k : k + 1]), tf.constant(truth[k : k + 1]), weights) for k in range(2)]
    whole = loss_sums(tf.constant(logits), tf.constant(truth), weights)
    for name, *values in zip(LossSums._fields, *parts, whole, strict=True):
        np.testing.assert_allclose(values[0] + values[1], values[2], rtol=1e-5, err_msg=name)
        assert (np.asarray(values[2]) > 0).all(), name


def test_terms_add_up_and_reach_every_supervised_output():
    """The reference is the sum of the terms in NumPy, at each resolution."""
    from tests.test_losses import reference

    _, truth = example(3, side=32, blocks=8)
    rng, weights = np.random.default_rng(0), LossWeights(**TOGETHER, classes=OF_CLASSES[:3])
    logits = [rng.normal(size=(2, 32 // step, 32 // step, 3)).astype(np.float32) for step in (1, 2)]
    dice, classes = LossWeights(cross_entropy=0.0), Dataset(classes={0: "background", 1: "a", 2: "b"})
    each = [
        function(part, truth[:, ::step, ::step], chosen, [1, 2])
        for part, step in zip(logits, (1, 2), strict=True)
        for function, chosen in ((terms_reference, weights), (reference, dice))
    ]
    learned, first = deep_losses([tf.constant(part) for part in logits], tf.constant(truth), weights, classes)
    assert float(first) == pytest.approx(sum(each[:2]), rel=1e-5)
    assert float(learned) == pytest.approx((2 * sum(each[:2]) + sum(each[2:])) / 3, rel=1e-5)


def test_a_term_without_weight_is_not_computed(monkeypatch):
    def refuse(*_):
        raise AssertionError

    monkeypatch.setattr(sums_module, "focal_terms", refuse)
    logits, truth = example(1)
    assert float(found_loss(logits, truth, LossWeights(), [1])) > 0


@pytest.mark.parametrize("outputs", [1, 3])
def test_the_focal_loss_with_an_exponent_of_0_is_the_cross_entropy(outputs):
    logits, truth = example(outputs)
    pair = weights_of({"focal": 1.0, "focal_gamma": 0.0}), weights_of({"cross_entropy": 1.0})
    losses = [float(found_loss(logits, truth, weights, [0, 1])) for weights in pair]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
