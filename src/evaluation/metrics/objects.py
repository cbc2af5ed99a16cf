"""Detection of objects: connected components of each class in truth and prediction, matched by their IoU."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from src.data.classes.label_format import LabelFormat
from src.evaluation.metrics.components import connected_components
from src.evaluation.metrics.confusion import Counts, Scores
from src.evaluation.metrics.regions import Mask, class_masks


class ObjectScores(NamedTuple):
    """Detection scores, float64 [...] each, NaN for a ratio of nothing.

    Attributes:
        precision: Matched objects / predicted objects.
        recall: Matched objects / true objects.
        f1: Harmonic mean of the two.
    """

    precision: Scores
    recall: Scores
    f1: Scores


def count_objects(truth: Mask, prediction: Mask, labels: LabelFormat) -> Counts:
    """Count true, predicted and matched objects of each class in one image.

    An object is an 8-connected component. A true and a predicted object match if their IoU is above 0.5. An object has
    at most one such partner, so no assignment problem has to be solved (Kirillov et al. 2019,
    https://arxiv.org/abs/1801.00868, section 4.1).

    Args:
        truth: Labels, uint8 [height, width]. Ignored pixels belong to no object of either mask.
        prediction: Labels, uint8 [height, width].
        labels: The meaning of labels.

    Returns:
        int64 [classes, 3]: numbers of true objects, predicted objects and matched pairs; 0 where there are none.

    Raises:
        ValueError: The shapes differ.
    """
    counts = [_class_counts(*masks) for masks in class_masks(truth, prediction, labels)]
    return np.array(counts, np.int64).reshape(labels.classes, 3)


def object_scores(counts: Counts) -> ObjectScores:
    """Return precision, recall and F1, [...] each, from the counts [..., 3] of `count_objects`."""
    true, predicted, matched = np.moveaxis(counts.astype(np.float64), -1, 0)
    with np.errstate(invalid="ignore"):  # 0 / 0; no more are matched than there are
        return ObjectScores(matched / predicted, matched / true, 2 * matched / (true + predicted))


def _class_counts(truth: Mask, prediction: Mask) -> list[int]:
    """The numbers of true objects, predicted objects and matched pairs of one class."""
    if not truth.size:
        return [0, 0, 0]
    true, predicted = (connected_components(mask, 8) for mask in (truth, prediction))
    (one, other), intersections = _intersections(true.labels, predicted.labels)
    unions = true.areas[one] + predicted.areas[other] - intersections
    return [len(true.areas) - 1, len(predicted.areas) - 1, int(np.count_nonzero(2 * intersections > unions))]


def _intersections(one: NDArray[np.int32], other: NDArray[np.int32]) -> tuple[Counts, Counts]:
    """The pairs of components that share pixels, int64 [2, pairs], and the number of shared pixels, int64 [pairs]."""
    shared = np.flatnonzero((one > 0) & (other > 0))
    base = int(other.max(initial=0)) + 1
    pairs = one.ravel()[shared].astype(np.int64) * base + other.ravel()[shared]
    # Adjacent pixels mostly belong to one pair. Sorting runs of equal pairs is faster than sorting pixels.
    starts = np.flatnonzero(np.diff(pairs, prepend=-1))
    lengths = np.diff(starts, append=len(pairs))
    found, which = np.unique(pairs[starts], return_inverse=True)
    return np.stack([found // base, found % base]), np.bincount(which, lengths, len(found)).astype(np.int64)
