"""How far the boundaries of truth and prediction lie apart, of each class of an image at its own resolution.

The definition is that of DeepMind's package surface-distance (https://github.com/deepmind/surface-distance; Nikolov et
al. 2021, https://doi.org/10.2196/26151) in two dimensions. Where four pixels meet of which some are inside and some are
not, there is an element of the contour: a point with a length. Nothing is inside beyond the picture, so that an object
at its border has a contour along it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from src.data.store.store import strips
from src.evaluation.metrics.confusion import Scores
from src.evaluation.metrics.regions import Mask, class_masks

MEASURES = ("surface_dice", "hd95", "assd")
PERCENTILE = 0.95
NONE, CORNER, ACROSS, DOWN, DIAGONAL = range(5)  # the kinds of element, by which of the four pixels are inside
KINDS = np.array([0, 1, 1, 2, 1, 3, 4, 1, 1, 4, 3, 1, 2, 1, 1, 0], np.uint8)  # of left + 2 right + 4 (those below)

# OpenCV's transform is in float32. Its squared distances are whole numbers, and within REACH right once rounded: of the
# parabolas that it compares, height² + column² < 2^24 is exact; where two of them meet is off by 2^-23 WINDOW at most,
# which times twice their distance, 2 REACH, is less than 1. (Measured: right up to 2,048 pixels.)
REACH, WINDOW = 512, 4060  # pixels
TREE = 8  # pixels for which SciPy's transform takes as long as a k-d tree for one element
ALMOST = 1 + 1e-9  # times what must be reached, or not exceeded: rounding is no reason to miss it


@dataclass(frozen=True)
class Distances:
    """From the elements of a contour to another: [n] distances in rising order, and the length at each, [n].

    Both float64, in the data's units.
    """

    values: Scores
    lengths: Scores

    def percentile(self, share: float) -> float:
        """The smallest distance that `share` of the length does not exceed."""
        within = np.cumsum(self.lengths)
        return float(self.values[np.searchsorted(within * ALMOST, share * within[-1])])

    def within(self, tolerance: float) -> float:
        """The length that is as far as `tolerance` or nearer."""
        return float(self.lengths[self.values <= tolerance * ALMOST].sum())


def boundary_scores(
    truth: Mask, prediction: Mask, classes: int, spacing: tuple[float, float], tolerance: float
) -> dict[str, Scores]:
    """Measure → float64 [classes], of one image; see `class_boundary_scores`.

    truth, prediction: uint8 [height, width] of class indices. Pixels whose truth is no class (IGNORE) lie outside of
    the picture in both, so that the contours of what touches them run along them alike.
    """
    scores = [class_boundary_scores(*masks, spacing, tolerance) for masks in class_masks(truth, prediction, classes)]
    return dict(zip(MEASURES, np.array(scores, np.float64).reshape(-1, len(MEASURES)).T, strict=True))


def class_boundary_scores(
    truth: Mask | NDArray[np.bool_],
    prediction: Mask | NDArray[np.bool_],
    spacing: tuple[float, float],
    tolerance: float,
) -> tuple[float, float, float]:
    """`MEASURES` of one class: share of the contours that lies within `tolerance` of the other, and two distances.

    truth, prediction: [height, width], bool or 0 and 1. spacing: a row's height and a column's width, in the data's
    units, as the tolerance and the distances. hd95: the larger of the two 95th percentiles of the distances from one
    contour to the other; assd: the mean distance of both contours together; both weighted by length. In neither mask:
    all NaN. In one alone: a share of 0 and no distance (NaN).
    """
    contours = [contour(mask) for mask in (truth, prediction)]
    there = [bool(kinds.any()) for kinds in contours]
    if not all(there):
        return (0.0 if any(there) else np.nan), np.nan, np.nan
    both = [distances(one, other, spacing) for one, other in (contours, contours[::-1])]
    length = sum(found.lengths.sum() for found in both)
    share = sum(found.within(tolerance) for found in both) / length
    mean = sum(found.values @ found.lengths for found in both) / length
    return share, max(found.percentile(PERCENTILE) for found in both), mean


def contour(mask: Mask | NDArray[np.bool_]) -> Mask:
    """The kinds of the contour's elements at the pixels' corners: [height, width] → uint8 [height + 1, width + 1]."""
    inside = np.pad(mask.view(np.uint8), 1)
    pairs = inside[:, :-1] + 2 * inside[:, 1:]
    return KINDS[pairs[:-1] + 4 * pairs[1:]]


def kind_lengths(spacing: tuple[float, float]) -> Scores:
    """The length of an element of each kind, [5]: a contour that cuts the pixels' corners (marching squares)."""
    height, width = spacing
    diagonal = np.hypot(height, width)
    return np.array([0, diagonal / 2, width, height, diagonal])


def distances(one: Mask, other: Mask, spacing: tuple[float, float]) -> Distances:
    """From each element of contour `one` to the nearest of contour `other`; kinds as of `contour`, neither empty."""
    lengths = kind_lengths(spacing)
    if spacing[0] != spacing[1] or _few(int(np.count_nonzero(one)), other):
        places = np.flatnonzero(one)
        return _ordered(nearest(places, other, spacing), lengths[one.ravel()[places]])
    counts, far = near(one, other)
    squares = np.flatnonzero(counts.any(axis=1))
    values = np.concatenate([np.sqrt(squares), nearest(far, other, (1, 1))]) * spacing[0]
    return _ordered(values, np.concatenate([counts[squares] @ lengths, lengths[one.ravel()[far]]]))


def _ordered(values: Scores, lengths: Scores) -> Distances:
    order = np.argsort(values)
    return Distances(values[order], lengths[order])


def near(one: Mask, other: Mask) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many elements of each kind are at each squared distance in pixels, int64 [squares, 5]; the others' places.

    Counted, as there may be tens of millions of elements, at few distances. The others are further away than REACH;
    their places are [n] flat indices.
    """
    beyond, kinds = min(REACH**2, sum(side**2 for side in one.shape)) + 1, DIAGONAL + 1
    counts = np.zeros((beyond + 1) * kinds, np.int64)
    far = [np.zeros(0, np.int64)]
    for left, apart in _windows(other):
        for rows in strips(*apart.shape):
            found = one[rows, left : left + apart.shape[1]]
            squares = np.minimum(np.rint(apart[rows] ** 2), beyond)
            counts += np.bincount((squares * kinds + found).astype(np.int64).ravel(), minlength=len(counts))
            row, column = np.nonzero((squares == beyond) & (found != NONE))
            far.append((row + rows.start) * one.shape[1] + column + left)
    table = counts.reshape(-1, kinds)[:beyond]
    table[:, NONE] = 0
    return table, np.concatenate(far)


def _windows(other: Mask) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Bands of columns side by side: the first column, and the distances in pixels there, right up to REACH."""
    width = other.shape[1]
    step = width if width <= WINDOW else WINDOW - 2 * REACH
    for left in range(0, width, step):
        start = max(left - REACH, 0)
        free = np.equal(other[:, start : left + step + REACH], NONE).view(np.uint8)
        apart = np.asarray(cv2.distanceTransform(free, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)
        yield left, apart[:, left - start :][:, :step]


def nearest(places: NDArray[np.int64], other: Mask, spacing: tuple[float, float]) -> Scores:
    """The distance from each of `places`, [n] flat indices, to the nearest element of `other`, which is not empty."""
    if not len(places):
        return np.zeros(0)
    at = np.unravel_index(places, other.shape)
    if _few(len(places), other):
        tree = cKDTree(np.argwhere(other) * spacing)
        return np.asarray(tree.query(np.stack(at, axis=1) * spacing)[0])
    found = distance_transform_edt(other == NONE, spacing, return_distances=False, return_indices=True)
    rows, columns = ((index[at] - here) * step for index, here, step in zip(found, at, spacing, strict=True))
    return np.asarray(np.hypot(rows, columns))


def _few(places: int, other: Mask) -> bool:
    """Whether a k-d tree is quicker than a distance transform."""
    return TREE * (places + int(np.count_nonzero(other))) < other.size
