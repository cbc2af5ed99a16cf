"""Losses and counts of overlapping classes: each class is a binary problem of its own, held against NumPy."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, log_expit

from src.data.classes.label_format import LabelFormat
from src.data.source.dataset import IGNORE, Dataset
from src.evaluation.metrics.confusion import confusion_matrix, pixel_counts
from src.evaluation.metrics.outputs import Outputs
from src.model.network.losses.counts import count_pixels, predicted_labels
from src.model.network.losses.sums import LossSums, loss_sums
from src.model.network.losses.total import SMOOTH, total_loss
from src.model.network.supervision import deep_losses
from src.plan.class_weights import LossWeights

ALL = LossWeights(cross_entropy=0.3, dice=2.0, focal=2.0)


def example(classes, side=12):
    """Logits, and labels of which a tenth is ignored."""
    rng = np.random.default_rng(classes)
    truth = rng.integers(0, 2**classes, (2, side, side), dtype=np.uint8)
    truth[rng.random(truth.shape) < 0.1] = IGNORE
    return rng.normal(0, 3, (2, side, side, classes)).astype(np.float32), truth


def loss_of(logits, truth, weights, classes):
    sums = loss_sums(tf.convert_to_tensor(logits), tf.constant(truth), weights, overlap=True)
    return total_loss(sums, weights, list(range(classes)))


def reference(logits, truth, weights):
    """The mean over pixels and classes of the binary terms, and the mean over classes of Dice, in float64."""
    counted, classes = truth != IGNORE, logits.shape[-1]
    z = logits[counted].astype(float)
    t = np.stack([(truth[counted] >> label) & 1 for label in range(classes)], axis=-1).astype(float)
    p, of_truth = expit(z), expit(np.where(t, z, -z))
    loss = weights.cross_entropy * -(t * log_expit(z) + (1 - t) * log_expit(-z)).mean()
    loss += weights.focal * ((1 - of_truth) ** weights.focal_gamma * -np.log(of_truth)).mean()
    hits, extra, missed = (part.sum(axis=0) for part in (p * t, p * (1 - t), (1 - p) * t))
    return loss + weights.dice * (1 - ((2 * hits + SMOOTH) / (2 * hits + extra + missed + SMOOTH)).mean())


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("weights", [LossWeights(), LossWeights(cross_entropy=0.0), ALL], ids=["plain", "dice", "all"])
def test_the_loss_equals_its_formula_in_numpy(classes, weights):
    logits, truth = example(classes)
    assert float(loss_of(logits, truth, weights, classes)) == pytest.approx(reference(logits, truth, weights), rel=2e-5)


def test_the_cross_entropy_is_the_mean_of_the_losses_of_each_class_alone():
    (logits, truth), alone = example(3), LossWeights(dice=0.0)
    planes = [np.where(truth == IGNORE, IGNORE, (truth >> label) & 1).astype(np.uint8) for label in range(3)]
    each = [
        total_loss(loss_sums(tf.constant(logits[..., [label]]), tf.constant(plane), alone), alone, [1])
        for label, plane in enumerate(planes)
    ]
    assert float(loss_of(logits, truth, alone, 3)) == pytest.approx(np.mean(each), rel=1e-5)


@pytest.mark.parametrize("size", [0.0, 1e4, -1e4, 1e30])
@pytest.mark.parametrize("label", [0, 3, IGNORE])
def test_loss_and_gradients_are_finite_at_the_extremes(size, label):
    logits, truth = tf.Variable(np.full((2, 4, 4, 2), size, np.float32)), np.full((2, 4, 4), label, np.uint8)
    with tf.GradientTape() as tape:
        loss = loss_of(logits, truth, ALL, 2)
    assert np.isfinite(float(loss)) and np.isfinite(tape.gradient(loss, logits).numpy()).all()


def test_ignored_pixels_change_neither_loss_nor_gradient():
    (logits, truth), found = example(3), []
    for change in (0.0, 5.0):
        values = tf.Variable(np.where((truth == IGNORE)[..., None], logits + change, logits))
        with tf.GradientTape() as tape:
            loss = loss_of(values, truth, ALL, 3)
        gradient = tape.gradient(loss, values).numpy()
        assert (gradient[truth == IGNORE] == 0).all() and (gradient[truth != IGNORE] != 0).any()
        found.append(float(loss))
    assert found[0] == found[1]


def test_sums_of_parts_add_up_to_those_of_the_whole():
    logits, truth = example(3)
    pairs = [(logits[k : k + 1], truth[k : k + 1]) for k in range(2)] + [(logits, truth)]
    *parts, whole = (loss_sums(*map(tf.constant, pair), ALL, overlap=True) for pair in pairs)
    for part, together in zip(LossSums(*(sum(values) for values in zip(*parts, strict=True))), whole, strict=True):
        np.testing.assert_allclose(part, together, rtol=1e-5)


def test_supervised_outputs_learn_sets_of_classes_at_lower_resolutions():
    _, truth = example(2, side=16)
    rng, dataset = np.random.default_rng(0), Dataset(classes={0: "nucleus", 1: "cell"}, overlap=True)
    logits = [rng.normal(size=(2, 16 // step, 16 // step, 2)).astype(np.float32) for step in (1, 2)]
    each = [reference(part, truth[:, ::step, ::step], LossWeights()) for part, step in zip(logits, (1, 2), strict=True)]
    learned, first = deep_losses([tf.constant(part) for part in logits], tf.constant(truth), LossWeights(), dataset)
    assert float(first) == pytest.approx(each[0], rel=1e-5)
    assert float(learned) == pytest.approx((2 * each[0] + each[1]) / 3, rel=1e-5)


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_tensorflow_and_numpy_give_equal_labels_and_counts(classes):
    _, truth = example(classes)
    logits = np.random.default_rng(0).integers(-2, 3, (*truth.shape, classes)).astype(np.float32)  # with zeros
    labels = LabelFormat(classes, overlap=True)
    predicted = Outputs(labels).decide(logits)
    np.testing.assert_array_equal(predicted_labels(tf.constant(logits), overlap=True), predicted)
    matrices = [confusion_matrix(*pair, labels.limit) for pair in zip(truth, predicted, strict=True)]
    counts = np.stack(pixel_counts(np.stack(matrices), labels), axis=1)
    np.testing.assert_array_equal(count_pixels(tf.constant(logits), tf.constant(truth), overlap=True), counts)
