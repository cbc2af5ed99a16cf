"""Scores of one image from counts, and means over images. No smoothing: a ratio of nothing is NaN, and left out."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

STRIP = 2**22  # pixels counted at a time: bounds the memory
Scores = NDArray[np.float64]
Counts = NDArray[np.int64]


def confusion_matrix(truth: NDArray[np.uint8], prediction: NDArray[np.uint8], classes: int) -> Counts:
    """int64 [classes, classes]: how many pixels of the row's class were predicted as the column's.

    truth, prediction: uint8 of one shape. Pixels whose truth is no class (IGNORE) count nowhere; a prediction must be a
    class everywhere, else ValueError.
    """
    if truth.shape != prediction.shape:
        raise ValueError(f"truth is {truth.shape}, prediction {prediction.shape}")
    counts = np.zeros(classes * classes, np.int64)
    for start in range(0, len(truth), step := max(1, STRIP // max(truth[:1].size, 1))):
        true, found = truth[start : start + step], prediction[start : start + step]
        counted = true < classes
        pairs = true[counted].astype(np.int64) * classes + found[counted]
        if pairs.size and found[counted].max() >= classes:
            raise ValueError(f"predicted class {found[counted].max()}, there are {classes}")
        counts += np.bincount(pairs, minlength=classes * classes)
    return counts.reshape(classes, classes)


class Overlap(NamedTuple):
    """Pixels of each class, int64 [..., classes]; all that the scores below need of a confusion."""

    true: Counts
    predicted: Counts
    both: Counts
    counted: Counts  # of any class: all pixels but the ignored ones


def overlap(counts: Counts) -> Overlap:
    """Of confusions [..., classes, classes]."""
    true = counts.sum(axis=-1)
    counted = np.broadcast_to(true.sum(axis=-1, keepdims=True), true.shape)
    return Overlap(true, counts.sum(axis=-2), np.diagonal(counts, axis1=-2, axis2=-1), counted)


def dice(pixels: Overlap) -> Scores:
    """2 |A ∩ B| / (|A| + |B|) of each class, float64 [..., classes].

    0 for a class that is in the truth or in the prediction alone; NaN for one that is in neither.
    """
    return ratio(2 * pixels.both, pixels.true + pixels.predicted)


def iou(pixels: Overlap) -> Scores:
    """Intersection over union of each class, |A ∩ B| / |A ∪ B|; shapes and empty classes as in `dice`."""
    return ratio(pixels.both, pixels.true + pixels.predicted - pixels.both)


def precision(pixels: Overlap) -> Scores:
    """The share of what is predicted as a class that is right; NaN where it is not predicted."""
    return ratio(pixels.both, pixels.predicted)


def recall(pixels: Overlap) -> Scores:
    """The share of a class that is found; NaN where the truth does not hold it."""
    return ratio(pixels.both, pixels.true)


def specificity(pixels: Overlap) -> Scores:
    """The share of the other classes' pixels that is not taken for this one; NaN where there are no others."""
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
    """The share of the counted pixels whose class is right: [..., classes] → float64 [...]; NaN for no pixel."""
    return ratio(pixels.both.sum(axis=-1), pixels.counted[..., 0])


def ratio(part: Counts, whole: Counts) -> Scores:
    """NaN where there is no whole."""
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)


def class_means(scores: Scores) -> Scores:
    """The mean of each class over the images that it counts for: [images, classes] → [classes]; NaN if for none."""
    counted = ~np.isnan(scores)
    return ratio(np.nansum(scores, axis=0), counted.sum(axis=0))


def classes_present(true: Counts, classes: Sequence[int]) -> list[int]:
    """Those of the classes that any image's truth holds; true: pixels [images, classes].

    Means over classes are over these. Of any other class there is nothing to find, and a single false pixel of it would
    count as much as all there is of another: its false alarms are reported apart.
    """
    return [label for label in classes if true[:, label].any()]


def mean_over_classes(scores: Scores, foreground: Sequence[int]) -> float:
    """The mean over the foreground classes of their means over images; NaN if no class counts for any image."""
    means = class_means(scores)[list(foreground)]
    return float(np.mean(means[~np.isnan(means)])) if not np.isnan(means).all() else float("nan")
