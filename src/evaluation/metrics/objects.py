"""How many objects were found: 8-connected components of each class, matched by overlap."""

import cv2
import numpy as np
from numpy.typing import NDArray

from src.evaluation.metrics.confusion import Scores
from src.evaluation.metrics.regions import Mask, class_masks


def count_objects(truth: Mask, prediction: Mask, classes: int) -> NDArray[np.int64]:
    """Numbers of true objects, of predicted ones and of matched pairs of one image, int64 [classes, 3].

    truth, prediction: uint8 [height, width] of class indices; pixels whose truth is no class (IGNORE) are outside of
    all objects. A pair matches if its intersection is more than half of its union. An object can be in one such pair at
    most, so that nothing has to be assigned (Kirillov et al. 2019, https://arxiv.org/abs/1801.00868, section 4.1).
    """
    counts = [_counts(*masks) for masks in class_masks(truth, prediction, classes)]
    return np.array(counts, np.int64).reshape(classes, 3)


def object_scores(counts: NDArray[np.int64]) -> tuple[Scores, Scores, Scores]:
    """Precision, recall and F1 of counts [..., 3] as of `count_objects`, float64 [...] each; NaN for a ratio of nothing."""
    true, found, matched = np.moveaxis(counts.astype(np.float64), -1, 0)
    with np.errstate(invalid="ignore"):  # 0 / 0; no more are matched than there are
        return matched / found, matched / true, 2 * matched / (true + found)


def _counts(truth: Mask, prediction: Mask) -> tuple[int, int, int]:
    if not truth.size:
        return 0, 0, 0
    (true, true_areas), (found, found_areas) = _components(truth), _components(prediction)
    one, other, overlaps = _overlaps(true, found)
    union = true_areas[one] + found_areas[other] - overlaps
    return len(true_areas) - 1, len(found_areas) - 1, int(np.count_nonzero(2 * overlaps > union))


def _components(mask: Mask) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Each pixel's component, from 1, and 0 outside; and their areas, the outside's first."""
    _, labels, facts, _ = cv2.connectedComponentsWithStats(mask, connectivity=8, ltype=cv2.CV_32S)
    return labels.astype(np.int32, copy=False), facts[:, cv2.CC_STAT_AREA].astype(np.int64)


def _overlaps(
    one: NDArray[np.int32], other: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The pairs of components that share pixels, and how many: three [pairs]."""
    shared = np.flatnonzero((one > 0) & (other > 0))
    base = int(other.max(initial=0)) + 1
    pairs = one.ravel()[shared].astype(np.int64) * base + other.ravel()[shared]
    # Pixels side by side are mostly of one pair: runs of them are sorted, not pixels.
    starts = np.flatnonzero(np.diff(pairs, prepend=-1))
    lengths = np.diff(starts, append=len(pairs))
    found, which = np.unique(pairs[starts], return_inverse=True)
    return found // base, found % base, np.bincount(which, lengths, len(found)).astype(np.int64)
