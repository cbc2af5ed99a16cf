"""Scores against scikit-learn, and what happens to a class that is not there."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, jaccard_score

from src.data.dataset import IGNORE
from src.evaluation.confusion import accuracy, class_means, confusion, dice, headline, iou


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_counts_and_ratios_equal_scikit_learn(classes):
    rng = np.random.default_rng(classes)
    for _ in range(100):
        truth, prediction = rng.integers(0, classes, (2, 13, 17), dtype=np.uint8)
        counts = confusion(truth, prediction, classes)
        labels, flat = range(classes), (truth.ravel(), prediction.ravel())
        np.testing.assert_array_equal(counts, confusion_matrix(*flat, labels=labels))
        np.testing.assert_allclose(dice(counts), f1_score(*flat, labels=labels, average=None), atol=1e-12)
        np.testing.assert_allclose(iou(counts), jaccard_score(*flat, labels=labels, average=None), atol=1e-12)
        np.testing.assert_allclose(accuracy(counts), accuracy_score(*flat), atol=1e-12)


def test_ignored_pixels_count_nowhere():
    rng = np.random.default_rng(0)
    truth, prediction = rng.integers(0, 3, (2, 20, 20), dtype=np.uint8)
    ignored = rng.random((20, 20)) < 0.3
    counts = confusion(np.where(ignored, IGNORE, truth).astype(np.uint8), prediction, 3)
    np.testing.assert_array_equal(counts, confusion(truth[~ignored], prediction[~ignored], 3))


def test_a_class_in_neither_is_left_out_and_in_one_alone_is_zero():
    truth, prediction = np.array([[0, 0, 1, 1]], np.uint8), np.array([[0, 0, 0, 2]], np.uint8)
    scores = dice(confusion(truth, prediction, 4))
    np.testing.assert_array_equal(np.isnan(scores), [False, False, False, True])
    assert scores[1] == 0 and scores[2] == 0  # missed, and a false alarm: no smoothing lifts them


def test_all_ignored_has_no_score():
    counts = confusion(np.full((4, 4), IGNORE, np.uint8), np.zeros((4, 4), np.uint8), 2)
    assert counts.sum() == 0 and np.isnan(dice(counts)).all() and np.isnan(accuracy(counts))


def test_means_are_over_the_images_that_count():
    scores = np.array([[1.0, 0.2, np.nan], [1.0, np.nan, np.nan], [0.0, 0.6, np.nan]])
    np.testing.assert_allclose(class_means(scores), [2 / 3, 0.4, np.nan])
    assert headline(scores, [1, 2]) == pytest.approx(0.4)
    assert np.isnan(headline(scores, [2]))


def test_a_prediction_that_is_no_class_is_refused():
    with pytest.raises(ValueError, match="predicted class 3"):
        confusion(np.zeros((2, 2), np.uint8), np.full((2, 2), 3, np.uint8), 2)
