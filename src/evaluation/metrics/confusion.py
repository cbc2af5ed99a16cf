"""Pixel counts of one image, the ratios that follow from them (Dice, IoU, …), and their means over images and classes.

No smoothing constant is added: a ratio of nothing is NaN, and means leave NaN out.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from src.data.classes.label_format import LabelFormat

STRIP = 2**22  # pixels that are counted at a time; bounds the memory
Scores = NDArray[np.float64]
Counts = NDArray[np.int64]


def confusion_matrix(truth: NDArray[np.uint8], prediction: NDArray[np.uint8], limit: int) -> Counts:
    """Count the pixels of each pair of true and predicted label.

    Args:
        truth: Labels, uint8 of any shape. Pixels of `limit` or more (the ignore index) are not counted.
        prediction: Labels, uint8 of the same shape, each below `limit`.
        limit: Number of labels, see `LabelFormat`: of classes; of sets of classes, if classes overlap.

    Returns:
        int64 [limit, limit]; entry [i, j] is the number of pixels of label i that were predicted as label j. All
        entries are 0 if no pixel counts.

    Raises:
        ValueError: The shapes differ, or a counted pixel has a predicted label of `limit` or more.
    """
    if truth.shape != prediction.shape:
        raise ValueError(f"truth is {truth.shape}, prediction {prediction.shape}")
    counts = np.zeros(limit * limit, np.int64)
    for start in range(0, len(truth), step := max(1, STRIP // max(truth[:1].size, 1))):
        true, predicted = truth[start : start + step], prediction[start : start + step]
        counted = true < limit
        pairs = true[counted].astype(np.int64) * limit + predicted[counted]
        if pairs.size and predicted[counted].max() >= limit:
            raise ValueError(f"predicted label {predicted[counted].max()}, there are {limit}")
        counts += np.bincount(pairs, minlength=limit * limit)
    return counts.reshape(limit, limit)


class PixelCounts(NamedTuple):
    """Pixel counts of each class: all that the ratios below need of a confusion matrix.

    Attributes:
        true: Pixels of the class in the truth (tp + fn), int64 [..., classes].
        predicted: Pixels that are predicted as the class (tp + fp), same shape.
        both: Pixels that are of the class in both (tp), same shape.
        counted: All pixels but ignored ones, same shape; equal for all classes of an image.
    """

    true: Counts
    predicted: Counts
    both: Counts
    counted: Counts

    @classmethod
    def stacked(cls, parts: Iterable["PixelCounts"]) -> "PixelCounts":
        """Join the counts of several images, [classes] each, to [images, classes]."""
        return cls(*(np.stack(counts) for counts in zip(*parts, strict=True)))


def pixel_counts(matrices: Counts, labels: LabelFormat) -> PixelCounts:
    """Count the pixels of each class.

    Args:
        matrices: Confusion matrices, int64 [..., limit, limit].
        labels: The meaning of their rows and columns.
    """
    members = labels.planes(np.arange(labels.limit, dtype=np.uint8)).astype(np.int64)  # [limit, classes]
    true = matrices.sum(axis=-1) @ members
    both = ((matrices @ members) * members).sum(axis=-2)
    counted = np.broadcast_to(matrices.sum(axis=(-2, -1))[..., None], true.shape)
    return PixelCounts(true, matrices.sum(axis=-2) @ members, both, counted)


def decided_together(pixels: PixelCounts, labels: LabelFormat) -> PixelCounts:
    """Group the counts by the choices that a pixel's label consists of.

    Of classes that exclude each other one is chosen. Of overlapping classes each is chosen or not, by itself.

    Args:
        pixels: Counts of each class, [..., classes].
        labels: The meaning of labels.

    Returns:
        Counts [..., 1, classes], or [..., classes, 2] of the pixels that are not of the class, and of those that are.
    """
    if not labels.overlap:
        return PixelCounts(*(counts[..., None, :] for counts in pixels))
    true, predicted, both, counted = pixels
    neither = counted - true - predicted + both
    others = PixelCounts(counted - true, counted - predicted, neither, counted)
    return PixelCounts(*(np.stack(pair, axis=-1) for pair in zip(others, pixels, strict=True)))


def dice(pixels: PixelCounts) -> Scores:
    """Return the Dice coefficient of each class, 2 |A ∩ B| / (|A| + |B|) (Dice 1945, https://doi.org/10.2307/1932409).

    The result is float64 [..., classes] from 0 to 1. It is 0 for a class that is in the truth alone or in the
    prediction alone, and NaN for a class that is in neither.
    """
    return ratio(2 * pixels.both, pixels.true + pixels.predicted)


def iou(pixels: PixelCounts) -> Scores:
    """Return the intersection over union of each class, |A ∩ B| / |A ∪ B| (Jaccard 1912).

    Shape, range and empty classes are as in `dice`.
    """
    return ratio(pixels.both, pixels.true + pixels.predicted - pixels.both)


def precision(pixels: PixelCounts) -> Scores:
    """Return tp / (tp + fp) of each class, float64 [..., classes]; NaN for a class that is not predicted."""
    return ratio(pixels.both, pixels.predicted)


def recall(pixels: PixelCounts) -> Scores:
    """Return tp / (tp + fn) of each class, float64 [..., classes]; NaN for a class that is not in the truth."""
    return ratio(pixels.both, pixels.true)


def specificity(pixels: PixelCounts) -> Scores:
    """Return tn / (tn + fp) of each class, float64 [..., classes]; NaN if the truth holds no other class."""
    others = pixels.counted - pixels.true
    return ratio(others - (pixels.predicted - pixels.both), others)


RATIOS: dict[str, Callable[[PixelCounts], Scores]] = {
    "dice": dice,
    "iou": iou,
    "precision": precision,
    "recall": recall,
    "specificity": specificity,
}


def accuracy(pixels: PixelCounts, labels: LabelFormat) -> Scores:
    """Compute the fraction of counted pixels whose class is right.

    Args:
        pixels: Counts of each class, [..., classes].
        labels: The meaning of labels.

    Returns:
        float64 [...]; NaN if no pixel counts. Of overlapping classes, it is the mean over classes of the fraction that
        is right about the class: 1 - Hamming loss.
    """
    choices = decided_together(pixels, labels)
    return np.asarray(ratio(choices.both.sum(axis=-1), choices.counted[..., 0]).mean(axis=-1))


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
