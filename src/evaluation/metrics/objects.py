"""Detection of objects: objects of each class in truth and prediction, matched by their IoU.

An object is an 8-connected component of its class, or the pixels of one number where masks number their objects.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from src.data.classes.label_format import LabelFormat
from src.data.store.numbers import Numbers
from src.evaluation.metrics.components import connected_components
from src.evaluation.metrics.confusion import Counts, Scores
from src.evaluation.metrics.regions import Mask, class_masks

HALF = 50  # per cent of IoU above which objects match
THRESHOLDS = (HALF, 55, 60, 65, 70, 75, 80, 85, 90)  # per cent of IoU for the average precision


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


@dataclass(frozen=True)
class Numbered:
    """The numbers of the objects of one image.

    Attributes:
        true: Index of each class whose objects the masks number → [height, width] of numbers; 0 for no object.
        predicted: The same of the prediction; empty if its objects are connected components.
    """

    true: Mapping[int, Numbers] = field(default_factory=dict)
    predicted: Mapping[int, Numbers] = field(default_factory=dict)


NO_NUMBERS = Numbered()


@dataclass(frozen=True)
class _Objects:
    """The objects of one class in one mask.

    Attributes:
        numbers: The object of each pixel, [height, width]; 0 for no object.
        areas: Number of pixels of each object, int64 [highest number + 1]; entry 0 is the background. An object of 0
            pixels does not exist.
    """

    numbers: NDArray[np.int32] | Numbers
    areas: Counts

    @property
    def count(self) -> int:
        return int(np.count_nonzero(self.areas[1:]))


def count_objects(
    truth: Mask,
    prediction: Mask,
    labels: LabelFormat,
    numbered: Numbered = Numbered(),
    thresholds: Sequence[int] = (HALF,),
) -> Counts:
    """Count true, predicted and matched objects of each class in one image.

    A true and a predicted object match if their IoU is above the threshold. From one half on, an object has at most one
    such partner, so no assignment problem has to be solved (Kirillov et al. 2019, https://arxiv.org/abs/1801.00868,
    section 4.1).

    Args:
        truth: Labels, uint8 [height, width]. Ignored pixels belong to no object of either mask.
        prediction: Labels, uint8 [height, width].
        labels: The meaning of labels.
        numbered: The numbers of objects. Of a class without numbers in the truth, objects are connected components.
        thresholds: Thresholds of the IoU in per cent, each at least 50.

    Returns:
        int64 [classes, 2 + thresholds]: numbers of true objects, predicted objects and matched pairs at each threshold;
        0 where there are none.

    Raises:
        ValueError: The shapes differ.
    """
    counts = []
    for label, planes in enumerate(class_masks(truth, prediction, labels)):
        if label in numbered.true:
            true, predicted = _numbered_objects(truth, prediction, labels, label, numbered)
        else:
            true, predicted = (_components(plane) for plane in planes)
        counts.append(_class_counts(true, predicted, thresholds))
    return np.array(counts, np.int64).reshape(labels.classes, 2 + len(thresholds))


def object_scores(counts: Counts) -> ObjectScores:
    """Return precision, recall and F1 at the first threshold, [...] each, from the counts [..., 3 or more]."""
    true, predicted, matched = np.moveaxis(counts[..., :3].astype(np.float64), -1, 0)
    with np.errstate(invalid="ignore"):  # 0 / 0; no more are matched than there are
        return ObjectScores(matched / predicted, matched / true, 2 * matched / (true + predicted))


def average_precision(counts: Counts) -> Scores:
    """Compute TP / (TP + FP + FN) of objects at each threshold of the IoU.

    This is the average precision of the Data Science Bowl 2018 (https://www.kaggle.com/c/data-science-bowl-2018), of
    StarDist (Schmidt et al. 2018, https://arxiv.org/abs/1806.03535) and of Cellpose (Stringer et al. 2021). It is not
    the area under a curve of precision and recall, as COCO has it: a mask has no confidence of each object.

    Args:
        counts: Counts of `count_objects`, int64 [..., 2 + thresholds].

    Returns:
        float64 [..., thresholds]; NaN where there is neither a true nor a predicted object.
    """
    matched = counts[..., 2:].astype(np.float64)
    with np.errstate(invalid="ignore"):  # 0 / 0
        return np.asarray(matched / (counts[..., :1] + counts[..., 1:2] - matched))


def _numbered_objects(
    truth: Mask, prediction: Mask, labels: LabelFormat, label: int, numbered: Numbered
) -> tuple[_Objects, _Objects]:
    """True and predicted objects of a class that the masks number. The prediction may have numbers or components."""
    predicted = labels.of_class(prediction, label) & labels.counted(truth)
    true = _with_numbers(numbered.true[label], labels.of_class(truth, label))
    if label in numbered.predicted:
        return true, _with_numbers(numbered.predicted[label], predicted)
    return true, _components(predicted.view(np.uint8))


def _with_numbers(numbers: Numbers, inside: NDArray[np.bool_]) -> _Objects:
    kept = np.where(inside, numbers, 0)
    return _Objects(kept, np.bincount(kept.ravel(), minlength=1))


def _components(mask: Mask) -> _Objects:
    if not mask.size:  # the class is in neither mask
        return _Objects(np.zeros((0, 0), np.int32), np.zeros(1, np.int64))
    found = connected_components(mask, 8)
    return _Objects(found.labels, found.areas)


def _class_counts(true: _Objects, predicted: _Objects, thresholds: Sequence[int]) -> list[int]:
    """The numbers of true objects, predicted objects and matched pairs of one class."""
    (one, other), intersections = _intersections(true.numbers, predicted.numbers)
    unions = true.areas[one] + predicted.areas[other] - intersections
    matched = [int(np.count_nonzero(100 * intersections > least * unions)) for least in thresholds]
    return [true.count, predicted.count, *matched]


def _intersections(one: NDArray[np.int32] | Numbers, other: NDArray[np.int32] | Numbers) -> tuple[Counts, Counts]:
    """The pairs of objects that share pixels, int64 [2, pairs], and the number of shared pixels, int64 [pairs]."""
    shared = np.flatnonzero((one > 0) & (other > 0))
    base = int(other.max(initial=0)) + 1
    pairs = one.ravel()[shared].astype(np.int64) * base + other.ravel()[shared]
    # Adjacent pixels mostly belong to one pair. Sorting runs of equal pairs is faster than sorting pixels.
    starts = np.flatnonzero(np.diff(pairs, prepend=-1))
    lengths = np.diff(starts, append=len(pairs))
    found, which = np.unique(pairs[starts], return_inverse=True)
    return np.stack([found // base, found % base]), np.bincount(which, lengths, len(found)).astype(np.int64)
