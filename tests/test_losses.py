"""The loss equals its formula in NumPy, and is finite for extreme logits."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_expit, log_softmax

from src.data.source.dataset import IGNORE
from src.model.inference.predictor import classes_from_logits
from src.model.network.losses.confusions import confusions, predicted_classes
from src.model.network.losses.sums import LossSums, loss_sums
from src.model.network.losses.total import SMOOTH, total_loss
from src.plan.class_weights import LossWeights, class_weights


def reference(logits, truth, weights, foreground):
    """The loss from its definition, in float64: weighted cross-entropy + weighted (1 - mean soft Dice).

    The cross-entropy is the weighted mean over pixels, as in PyTorch's CrossEntropyLoss(weight=…).
    """
    z = logits.astype(np.float64)
    binary = z.shape[-1] == 1
    logs = np.concatenate([log_expit(-z), log_expit(z)], axis=-1) if binary else log_softmax(z, axis=-1)
    counted = truth < logs.shape[-1]
    p, log_p, t = np.exp(logs)[counted], logs[counted], np.eye(logs.shape[-1])[truth[counted]]
    of_classes = np.array(weights.classes or np.ones(logs.shape[-1]))
    entropy = np.average(-(t * log_p).sum(axis=1), weights=of_classes[truth[counted]])
    soft = (2 * (p * t).sum(axis=0) + SMOOTH) / (p.sum(axis=0) + t.sum(axis=0) + SMOOTH)
    return weights.cross_entropy * entropy + weights.dice * (1 - soft[foreground].mean())


@pytest.mark.parametrize(("outputs", "foreground"), [(1, [1]), (3, [0, 1, 2]), (5, [1, 2, 3, 4])])
@pytest.mark.parametrize("weights", [(1, 0), (0, 1), (0.3, 2)])
@pytest.mark.parametrize("of_classes", [(), (0.3, 4.0, 1.0, 0.01, 2.5)])
def test_loss_equals_its_formula_in_numpy(outputs, foreground, weights, of_classes):
    rng = np.random.default_rng(outputs)
    logits = rng.normal(0, 3, (4, 9, 7, outputs)).astype(np.float32)
    truth = rng.integers(0, max(outputs, 2), (4, 9, 7), dtype=np.uint8)
    truth[rng.random(truth.shape) < 0.1] = IGNORE
    chosen = LossWeights(*weights, of_classes[: max(outputs, 2)])
    found = float(total_loss(loss_sums(tf.constant(logits), tf.constant(truth), chosen), chosen, foreground))
    assert found == pytest.approx(reference(logits, truth, chosen, foreground), rel=2e-5)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("size", [0.0, 1e4, -1e4, 1e30])
@pytest.mark.parametrize("label", [0, 1, IGNORE])
def test_loss_and_gradients_are_finite_at_the_extremes(outputs, size, label):
    logits = tf.Variable(np.full((2, 4, 4, outputs), size, np.float32) * np.arange(1, outputs + 1, dtype=np.float32))
    with tf.GradientTape() as tape:
        sums = loss_sums(logits, tf.constant(np.full((2, 4, 4), label, np.uint8)), LossWeights())
        loss = total_loss(sums, LossWeights(), [1])
    assert np.isfinite(float(loss))
    assert np.isfinite(tape.gradient(loss, logits).numpy()).all()


def test_ignored_pixels_have_no_gradient():
    logits = tf.Variable(np.random.default_rng(0).normal(size=(1, 4, 4, 3)).astype(np.float32))
    truth = np.zeros((1, 4, 4), np.uint8)
    truth[0, :2] = IGNORE
    with tf.GradientTape() as tape:
        loss = total_loss(loss_sums(logits, tf.constant(truth), LossWeights()), LossWeights(), [0, 1, 2])
    gradient = tape.gradient(loss, logits).numpy()
    assert (gradient[0, :2] == 0).all() and (gradient[0, 2:] != 0).any()


def test_class_weights_even_out_what_classes_weigh():
    shares = [0.64, 0.32, 0.04, 0.0]
    balanced, root = (np.array(class_weights(kind, shares)) for kind in ("balanced", "root"))
    assert (balanced[:3] * shares[:3]) == pytest.approx([1 / 3] * 3, rel=1e-3)
    assert (root[:3] / root[0]) == pytest.approx([1, 2**0.5, 4], rel=1e-3)
    for weights in (balanced, root):
        assert (weights * shares).sum() == pytest.approx(1, rel=1e-3)
        assert weights[3] == 1  # no pixels
    assert class_weights("none", shares) == ()


def test_false_positives_of_an_absent_class_raise_the_loss():
    truth, dice = tf.zeros((1, 8, 8), tf.uint8), LossWeights(cross_entropy=0.0)
    quiet, loud = (
        float(total_loss(loss_sums(tf.fill((1, 8, 8, 1), logit), truth, dice), dice, [1])) for logit in (-20.0, 0.0)
    )
    assert quiet < 0.01 and loud > 0.9


def test_loss_sums_of_parts_add_up_to_those_of_the_whole():
    rng = np.random.default_rng(0)
    logits, truth = rng.normal(size=(6, 5, 5, 3)).astype(np.float32), rng.integers(0, 3, (6, 5, 5), dtype=np.uint8)
    parts = [loss_sums(tf.constant(logits[k : k + 2]), tf.constant(truth[k : k + 2]), LossWeights()) for k in (0, 2, 4)]
    whole = loss_sums(tf.constant(logits), tf.constant(truth), LossWeights())
    for part, together in zip(LossSums(*(sum(values) for values in zip(*parts, strict=True))), whole, strict=True):
        np.testing.assert_allclose(part, together, rtol=1e-5)


@pytest.mark.parametrize("outputs", [1, 4])
def test_tensorflow_and_numpy_give_equal_classes_and_counts(outputs):
    from src.evaluation.metrics.confusion import confusion_matrix

    rng = np.random.default_rng(outputs)
    logits = rng.integers(-2, 3, (3, 16, 16, outputs)).astype(np.float32)  # small integers: many ties
    truth = rng.integers(0, max(outputs, 2), (3, 16, 16), dtype=np.uint8)
    truth[0, :4] = IGNORE
    predicted = np.stack([classes_from_logits(image) for image in logits])
    np.testing.assert_array_equal(predicted_classes(tf.constant(logits)), predicted)
    counts = [confusion_matrix(t, p, max(outputs, 2)) for t, p in zip(truth, predicted, strict=True)]
    np.testing.assert_array_equal(confusions(tf.constant(logits), tf.constant(truth)), counts)
