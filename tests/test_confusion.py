"""Confusion matrices and ratios against scikit-learn, and classes that are absent."""

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    jaccard_score,
    multilabel_confusion_matrix,
    precision_score,
    recall_score,
)
from sklearn.metrics import (
    confusion_matrix as sklearn_confusion_matrix,
)

from src.data.classes.label_format import LabelFormat
from src.data.source.dataset import IGNORE
from src.evaluation.metrics.confusion import (
    RATIOS,
    accuracy,
    class_means,
    confusion_matrix,
    dice,
    mean_over_classes,
    pixel_counts,
)

REFERENCES = {"dice": f1_score, "iou": jaccard_score, "precision": precision_score, "recall": recall_score}


def random_masks(rng, classes):
    """A truth and a prediction that agree to a random degree; some hold one class, some nothing but ignored pixels."""
    shape = tuple(rng.integers(1, 30, 2))
    some = rng.choice(classes, rng.integers(1, classes + 1), replace=False)
    truth, prediction = (rng.choice(some, shape).astype(np.uint8) for _ in range(2))
    prediction = np.where(rng.random(shape) < rng.random(), truth, prediction)
    truth[rng.random(shape) < rng.choice([0, 0, 0.3, 1], p=[0.4, 0.3, 0.2, 0.1])] = IGNORE
    return truth, prediction


def test_counts_and_ratios_equal_scikit_learn():
    """1,000 masks; a NaN of ours is where scikit-learn divides nothing by nothing."""
    rng = np.random.default_rng(0)
    for number in range(1000):
        classes = (2, 3, 7)[number % 3]
        truth, prediction = random_masks(rng, classes)
        counts = confusion_matrix(truth, prediction, classes)
        pixels = pixel_counts(counts, LabelFormat(classes))
        labels, flat = range(classes), (truth[truth != IGNORE], prediction[truth != IGNORE])
        if not flat[0].size:
            assert counts.sum() == 0 and all(np.isnan(score(pixels)).all() for score in RATIOS.values())
            assert np.isnan(accuracy(pixels, LabelFormat(classes)))
            continue
        wanted = sklearn_confusion_matrix(*flat, labels=labels)
        np.testing.assert_array_equal(counts, wanted)
        for name, reference in REFERENCES.items():
            nothing = 0 if name == "iou" else np.nan  # jaccard_score knows no other word for 0 / 0
            expected = reference(*flat, labels=labels, average=None, zero_division=nothing)
            found = RATIOS[name](pixels)
            np.testing.assert_allclose(np.nan_to_num(found) if name == "iou" else found, expected, atol=1e-9)
        np.testing.assert_array_equal(np.isnan(dice(pixels)), np.isnan(RATIOS["iou"](pixels)))
        np.testing.assert_allclose(accuracy(pixels, LabelFormat(classes)), accuracy_score(*flat), atol=1e-9)
        negatives = multilabel_confusion_matrix(*flat, labels=list(labels))[:, 0]  # right ones, false alarms
        with np.errstate(invalid="ignore"):
            np.testing.assert_allclose(
                RATIOS["specificity"](pixels), negatives[:, 0] / negatives.sum(axis=1), atol=1e-9
            )


def test_dice_is_nan_for_a_class_in_neither_mask_and_0_for_one_in_one_mask():
    truth, prediction = np.array([[0, 0, 1, 1]], np.uint8), np.array([[0, 0, 0, 2]], np.uint8)
    scores = dice(pixel_counts(confusion_matrix(truth, prediction, 4), LabelFormat(4)))
    np.testing.assert_array_equal(np.isnan(scores), [False, False, False, True])
    assert scores[1] == 0 and scores[2] == 0  # missed, and a false alarm: no smoothing lifts them


def test_class_means_leave_out_images_that_do_not_count():
    scores = np.array([[1.0, 0.2, np.nan], [1.0, np.nan, np.nan], [0.0, 0.6, np.nan]])
    np.testing.assert_allclose(class_means(scores), [2 / 3, 0.4, np.nan])
    assert mean_over_classes(scores, [1, 2]) == pytest.approx(0.4)
    assert np.isnan(mean_over_classes(scores, [2]))


def test_confusion_matrix_refuses_unknown_classes_and_other_shapes():
    with pytest.raises(ValueError, match="predicted label 3"):
        confusion_matrix(np.zeros((2, 2), np.uint8), np.full((2, 2), 3, np.uint8), 3)
    with pytest.raises(ValueError, match="truth is"):
        confusion_matrix(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8), 3)


def test_large_masks_are_counted_strip_by_strip(monkeypatch):
    truth, prediction = np.random.default_rng(0).integers(0, 3, (2, 50, 40), dtype=np.uint8)
    whole = confusion_matrix(truth, prediction, 3)
    monkeypatch.setattr("src.evaluation.metrics.confusion.STRIP", 90)
    np.testing.assert_array_equal(confusion_matrix(truth, prediction, 3), whole)
