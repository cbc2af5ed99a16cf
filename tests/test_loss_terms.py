"""Each further term of the loss equals its formula in NumPy, is finite for extreme logits, and skips ignored pixels."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import distance_transform_cdt
from scipy.special import log_expit, log_softmax

from src.data.source.dataset import IGNORE
from src.model.network.losses import sums as sums_module
from src.model.network.losses.boundary import REACH, boundary_distance
from src.model.network.losses.sums import LossSums, loss_sums
from src.model.network.losses.total import total_loss
from src.model.network.supervision import deep_losses
from src.plan.class_weights import LossWeights

NOTHING = {"cross_entropy": 0.0, "dice": 0.0}
OF_CLASSES = (0.3, 4.0, 1.0, 0.01, 2.5)
TERMS = {
    "label smoothing": {"cross_entropy": 1.0, "label_smoothing": 0.2},
    "focal": {"focal": 2.0, "focal_gamma": 2.0},
    "focal, small exponent": {"focal": 2.0, "focal_gamma": 0.5},
    "tversky": {"tversky": 0.7, "tversky_alpha": 0.2, "tversky_beta": 1.5},
    "boundary": {"boundary": 3.0},
}
TOGETHER = {"cross_entropy": 1.0, "dice": 1.0, "label_smoothing": 0.1, "focal": 1.0, "tversky": 1.0, "boundary": 1.0}


def weights_of(term, of_classes=()):
    return LossWeights(**(NOTHING | term), classes=of_classes)


def found_loss(logits, truth, weights, foreground):
    return total_loss(loss_sums(tf.convert_to_tensor(logits), tf.constant(truth), weights), weights, foreground)


def terms_reference(logits, truth, weights, foreground):
    """Label smoothing, focal, Tversky and boundary loss from their definitions, in float64, without Dice."""
    z = logits.astype(np.float64)
    binary = z.shape[-1] == 1
    logs = np.concatenate([log_expit(-z), log_expit(z)], axis=-1) if binary else log_softmax(z, axis=-1)
    classes = logs.shape[-1]
    counted = truth < classes
    label, log_p = truth[counted], logs[counted]
    p, t = np.exp(log_p), np.eye(classes)[label]
    of_pixels = np.array(weights.classes or np.ones(classes))[label]
    of_truth = (p * t).sum(axis=1)
    smoothed = (1 - weights.label_smoothing) * t + weights.label_smoothing / classes
    loss = weights.cross_entropy * np.average(-(smoothed * log_p).sum(axis=1), weights=of_pixels)
    focal = (1 - of_truth) ** weights.focal_gamma * -np.log(of_truth)
    loss += weights.focal * np.average(focal, weights=of_pixels)
    hits, extra, missed = (part.sum(axis=0) for part in (p * t, p * (1 - t), (1 - p) * t))
    index = (hits + 0.5) / (hits + weights.tversky_alpha * extra + weights.tversky_beta * missed + 0.5)
    loss += weights.tversky * np.mean(1 - index[foreground])
    distance = np.stack([distance_reference(mask, classes) for mask in truth])[counted]
    return loss + weights.boundary * np.average(distance * (1 - of_truth), weights=of_pixels)


def distance_reference(mask, classes):
    """SciPy's chessboard distance to the pixels of all other classes."""
    distance = np.full(mask.shape, float(REACH))
    for label in range(classes):
        others = (mask < classes) & (mask != label)
        if others.any():
            to_others = distance_transform_cdt(~others, metric="chessboard")
            distance[mask == label] = np.minimum(to_others, REACH)[mask == label]
    return (distance - 0.5) / REACH


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


@pytest.mark.parametrize("term", ["label smoothing", "focal, small exponent", "tversky", "boundary"])
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
    dice = LossWeights(cross_entropy=0.0)
    each = [
        function(part, truth[:, ::step, ::step], chosen, [1, 2])
        for part, step in zip(logits, (1, 2), strict=True)
        for function, chosen in ((terms_reference, weights), (reference, dice))
    ]
    learned, first = deep_losses([tf.constant(part) for part in logits], tf.constant(truth), weights, [1, 2])
    assert float(first) == pytest.approx(sum(each[:2]), rel=1e-5)
    assert float(learned) == pytest.approx((2 * sum(each[:2]) + sum(each[2:])) / 3, rel=1e-5)


def test_a_term_without_weight_is_not_computed(monkeypatch):
    def refuse(*_):
        raise AssertionError

    monkeypatch.setattr(sums_module, "focal_terms", refuse)
    monkeypatch.setattr(sums_module, "boundary_terms", refuse)
    monkeypatch.setattr("src.model.network.losses.total.tversky_loss", refuse)
    logits, truth = example(1)
    assert float(found_loss(logits, truth, LossWeights(), [1])) > 0


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize(
    ("term", "same"),
    [
        ({"focal": 1.0, "focal_gamma": 0.0}, {"cross_entropy": 1.0}),
        ({"tversky": 1.0, "tversky_alpha": 0.5, "tversky_beta": 0.5}, {"dice": 1.0}),
    ],
)
def test_special_cases_of_a_term_are_the_default_terms(outputs, term, same):
    logits, truth = example(outputs)
    losses = [float(found_loss(logits, truth, weights_of(one), [0, 1])) for one in (term, same)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.parametrize("mistake", ["false positive", "false negative"])
def test_alpha_weights_false_positives_and_beta_false_negatives(mistake):
    truth = np.zeros((1, 8, 8), np.uint8)
    truth[0, :4] = 1
    logits = np.where(truth == 1, 20.0, -20.0).astype(np.float32)[..., None]
    logits[0, 4 if mistake == "false positive" else 3] *= -1
    alpha, beta = ({"tversky": 1.0, "tversky_alpha": a, "tversky_beta": b} for a, b in ((1.0, 0.0), (0.0, 1.0)))
    of_alpha, of_beta = (float(found_loss(logits, truth, weights_of(one), [1])) for one in (alpha, beta))
    larger, smaller = (of_alpha, of_beta) if mistake == "false positive" else (of_beta, of_alpha)
    assert larger > 0.19 and smaller < 1e-5


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_boundary_distances_equal_those_of_scipy(classes):
    _, truth = example(classes, side=60, blocks=20)
    found = boundary_distance(tf.constant(truth, tf.int32), classes).numpy()
    expected = np.stack([distance_reference(mask, classes) for mask in truth])
    np.testing.assert_allclose(found[truth != IGNORE], expected[truth != IGNORE], rtol=1e-6)
    assert set(np.unique(expected[truth != IGNORE] * REACH + 0.5)) == set(range(1, REACH + 1))


def test_boundary_loss_of_two_classes_has_the_gradient_of_kervadec_et_al():
    """Theirs is the mean over pixels of the signed distance, negative inside, times the predicted probability."""
    logits, truth = example(1, side=48, blocks=12)
    truth[truth == IGNORE] = 0
    inside, outside = (
        np.stack([distance_transform_cdt(which, metric="chessboard") for which in (truth == label)]) for label in (1, 0)
    )
    signed = (np.where(truth == 1, -1, 1) * (np.minimum(inside + outside, REACH) - 0.5) / REACH).astype(np.float32)
    given = tf.Variable(logits)
    with tf.GradientTape(persistent=True) as tape:
        loss = found_loss(given, truth, weights_of({"boundary": 1.0}), [1])
        theirs = tf.reduce_mean(signed * tf.sigmoid(given[..., 0]))
    found, expected = (tape.gradient(one, given).numpy() for one in (loss, theirs))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-9)
    constant = -np.mean(np.where(truth == 1, signed, 0))
    assert float(loss) == pytest.approx(float(theirs) + constant, rel=1e-4)
