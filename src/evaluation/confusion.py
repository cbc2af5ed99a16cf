"""Scores of one image from counts, and means over images. No smoothing: a ratio of nothing is NaN, and left out."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

STRIP = 2**22  # pixels counted at a time: bounds the memory
Scores = NDArray[np.float64]


def confusion(truth: NDArray[np.uint8], prediction: NDArray[np.uint8], classes: int) -> NDArray[np.int64]:
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


def dice(counts: NDArray[np.int64]) -> Scores:
    """Dice of each class, 2 |A ∩ B| / (|A| + |B|), from confusions [..., classes, classes] → float64 [..., classes].

    0 for a class that is in the truth or in the prediction alone; NaN for one that is in neither.
    """
    both, either = _overlap(counts)
    return _ratio(2 * both, either)


def iou(counts: NDArray[np.int64]) -> Scores:
    """Intersection over union of each class, |A ∩ B| / |A ∪ B|; shapes and empty classes as in `dice`."""
    both, either = _overlap(counts)
    return _ratio(both, either - both)


def accuracy(counts: NDArray[np.int64]) -> Scores:
    """Share of the counted pixels whose class is right: [..., classes, classes] → float64 [...]; NaN for no pixel."""
    both, _ = _overlap(counts)
    return _ratio(both.sum(axis=-1), counts.sum(axis=(-2, -1)))


def _overlap(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    both = np.diagonal(counts, axis1=-2, axis2=-1)
    return both, counts.sum(axis=-1) + counts.sum(axis=-2)


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> Scores:
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)


def class_means(scores: Scores) -> Scores:
    """The mean of each class over the images that it counts for: [images, classes] → [classes]; NaN if for none."""
    counted = ~np.isnan(scores)
    return _ratio(np.nansum(scores, axis=0), counted.sum(axis=0))


def headline(scores: Scores, foreground: Sequence[int]) -> float:
    """The mean over the foreground classes of their means over images; NaN if no class counts for any image."""
    means = class_means(scores)[list(foreground)]
    return float(np.mean(means[~np.isnan(means)])) if not np.isnan(means).all() else float("nan")
