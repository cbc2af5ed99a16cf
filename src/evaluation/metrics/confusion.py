"""Pixel counts of one image, the ratios that follow from them (Dice, IoU, …), and their means over images and classes.

No smoothing constant is added: a ratio of nothing is NaN, and means leave NaN out.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

STRIP = 2**22  # pixels that are counted at a time; bounds the memory
Scores = NDArray[np.float64]
Counts = NDArray[np.int64]


def confusion_matrix(truth: NDArray[np.uint8], prediction: NDArray[np.uint8], classes: int) -> Counts:
    """Count the pixels of each pair of true and predicted class.

    Args:
        truth: Class indices, uint8 of any shape. Pixels of `classes` or more (the ignore index) are not counted.
        prediction: Class indices, uint8 of the same shape, each below `classes`.
        classes: Number of classes.

    Returns:
        int64 [classes, classes]; entry [i, j] is the number of pixels of class i that were predicted as class j. All
        entries are 0 if no pixel counts.

    Raises:
        ValueError: The shapes differ, or a counted pixel has a predicted class of `classes` or more.
    """
    if truth.shape != prediction.shape:
        raise ValueError(f"truth is {truth.shape}, prediction {prediction.shape}")
    counts = np.zeros(classes * classes, np.int64)
    for start in range(0, len(truth), step := max(1, STRIP // max(truth[:1].size, 1))):
        true, predicted = truth[start : start + step], prediction[start : start + step]
        counted = true < classes
        pairs = true[counted].astype(np.int64) * classes + predicted[counted]
        if pairs.size and predicted[counted].max() >= classes:
            raise ValueError(f"predicted class {predicted[counted].max()}, there are {classes}")
        counts += np.bincount(pairs, minlength=classes * classes)
    return counts.reshape(classes, classes)


class Overlap(NamedTuple):
    """Pixel counts of each class: all that the ratios below need of a confusion matrix.

    Attributes:
        true: Pixels of the class in the truth (tp + fn), int64 [..., classes].
        predicted: Pixels that are predicted as the class (tp + fp), same shape.
        both: Pixels that are of the class in both (tp), same shape.
        counted: Pixels of any class (all but ignored ones), same shape; equal for all classes of an image.
    """

    true: Counts
    predicted: Counts
    both: Counts
    counted: Counts


def overlap(counts: Counts) -> Overlap:
    """Return the pixel counts of each class, from confusion matrices [..., classes, classes]."""
    true = counts.sum(axis=-1)
    counted = np.broadcast_to(true.sum(axis=-1, keepdims=True), true.shape)
    return Overlap(true, counts.sum(axis=-2), np.diagonal(counts, axis1=-2, axis2=-1), counted)


def dice(pixels: Overlap) -> Scores:
    """Return the Dice coefficient of each class, 2 |A ∩ B| / (|A| + |B|) (Dice 1945, https://doi.org/10.2307/1932409).

    The result is float64 [..., classes] from 0 to 1. It is 0 for a class that is in the truth alone or in the
    prediction alone, and NaN for a class that is in neither.
    """
    return ratio(2 * pixels.both, pixels.true + pixels.predicted)


def iou(pixels: Overlap) -> Scores:
    """Return the intersection over union of each class, |A ∩ B| / |A ∪ B| (Jaccard 1912).

    Shape, range and empty classes are as in `dice`.
    """
    return ratio(pixels.both, pixels.true + pixels.predicted - pixels.both)


def precision(pixels: Overlap) -> Scores:
    """Return tp / (tp + fp) of each class, float64 [..., classes]; NaN for a class that is not predicted."""
    return ratio(pixels.both, pixels.predicted)


def recall(pixels: Overlap) -> Scores:
    """Return tp / (tp + fn) of each class, float64 [..., classes]; NaN for a class that is not in the truth."""
    return ratio(pixels.both, pixels.true)


def specificity(pixels: Overlap) -> Scores:
    """Return tn / (tn + fp) of each class, float64 [..., classes]; NaN if the truth holds no other class."""
    others = pixels.counted - pixels.true
    return ratio(others - (pixels.predicted - pixels.both), others)


RATIOS: dict[str, Callable[[Overlap], Scores]] = {
    "dice": dice,
    "iou": iou,
    "precision": precision,
    "recall": recall,
    "specificity": specificity,
}


def accuracy(pixels: Overlap) -> Scores:
    """Return the fraction of counted pixels whose class is right: [..., classes] → [...]; NaN if no pixel counts."""
    return ratio(pixels.both.sum(axis=-1), pixels.counted[..., 0])


def ratio(part: Counts, whole: Counts) -> Scores:
    """Divide elementwise.

    Args:
        part: Numerators.
        whole: Denominators of the same shape, 0 or more.

    Returns:
        float64 of that shape; NaN where the denominator is 0.
    """
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)


def class_means(scores: Scores) -> Scores:
    """Return the mean of each class over the images without NaN: [images, classes] → [classes]; NaN if there are none.

    More axes are allowed: the mean is over the first one.
    """
    counted = ~np.isnan(scores)
    return ratio(np.nansum(scores, axis=0), counted.sum(axis=0))


def classes_present(true: Counts, classes: Sequence[int]) -> list[int]:
    """Select the classes that occur in the truth of at least one image; means over classes are over these.

    For an absent class there is nothing to find: one false pixel would make its Dice 0, which would weigh as much as
    all pixels of another class. False alarms of absent classes are reported separately (`empty` in metrics/test.json).

    Args:
        true: Pixels of each class in the truth, int64 [images, classes].
        classes: Candidates, as class indices.

    Returns:
        Those of the candidates that occur, in their order; empty if none does.
    """
    return [label for label in classes if true[:, label].any()]


def mean_over_classes(scores: Scores, foreground: Sequence[int]) -> float:
    """Average over classes the means over images (macro average).

    Args:
        scores: float64 [images, classes]; NaN where an image does not count for a class.
        foreground: Indices of the classes to average.

    Returns:
        The mean of `class_means` over these classes, without those that count for no image; NaN if none counts.
    """
    means = class_means(scores)[list(foreground)]
    return float(np.mean(means[~np.isnan(means)])) if not np.isnan(means).all() else float("nan")
