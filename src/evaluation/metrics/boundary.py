"""Distances between the boundaries of truth and prediction, for each class of an image at its own resolution.

The definition is that of DeepMind's package surface-distance (https://github.com/deepmind/surface-distance; Nikolov et
al. 2021, https://doi.org/10.2196/26151) in two dimensions. A contour consists of elements. There is one at each corner
where four pixels meet and some, but not all, are inside: a point with a length. Pixels beyond the image's border are
outside, so an object that touches the border has a contour along it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from src.data.classes.label_format import LabelFormat
from src.data.store.store import strips
from src.evaluation.metrics.confusion import Counts, Scores
from src.evaluation.metrics.regions import Mask, class_masks

PERCENTILE = 0.95
NONE, CORNER, ACROSS, DOWN, DIAGONAL = range(5)  # kinds of element, by which of the four pixels are inside
KINDS = np.array([0, 1, 1, 2, 1, 3, 4, 1, 1, 4, 3, 1, 2, 1, 1, 0], np.uint8)  # of left + 2 right + 4 (those below)

# OpenCV's distance transform computes in float32. Its squared distances are whole numbers, and rounding makes them
# exact up to REACH: of the parabolas that it compares, height² + column² < 2^24 is exact; the place where two of them
# meet is off by 2^-23 WINDOW at most, which times twice their distance, 2 REACH, is less than 1. (Measured: exact up to
# 2,048 pixels.)
REACH, WINDOW = 512, 4060  # pixels
TREE = 8  # pixels that SciPy's transform processes in the time that a k-d tree needs for one element
ALMOST = 1 + 1e-9  # factor on a limit, so that rounding errors do not decide what lies within it


class BoundaryScores(NamedTuple):
    """Boundary scores of one class.

    Attributes:
        surface_dice: Fraction of the length of both contours that lies within the tolerance of the other contour.
        hd95: The larger of the two 95th percentiles of the distances from one contour to the other, weighted by length.
        assd: Average symmetric surface distance: the mean distance of both contours together, weighted by length.
    """

    surface_dice: float
    hd95: float
    assd: float


MEASURES = BoundaryScores._fields


@dataclass(frozen=True)
class Distances:
    """Distances from the elements of one contour to the nearest element of another.

    Attributes:
        values: The distances in rising order, float64 [n], in the data's units.
        lengths: The length of the contour at each distance, float64 [n], in the data's units.
    """

    values: Scores
    lengths: Scores

    def percentile(self, share: float) -> float:
        """Return the smallest distance that a fraction `share` (0 to 1) of the length does not exceed."""
        within = np.cumsum(self.lengths)
        return float(self.values[np.searchsorted(within * ALMOST, share * within[-1])])

    def within(self, tolerance: float) -> float:
        """Return the length of the contour at distances of at most `tolerance`."""
        return float(self.lengths[self.values <= tolerance * ALMOST].sum())


def boundary_scores(
    truth: Mask, prediction: Mask, labels: LabelFormat, spacing: tuple[float, float], tolerance: float
) -> dict[str, Scores]:
    """Compute the boundary scores of every class of an image.

    Args:
        truth: Labels, uint8 [height, width]. Ignored pixels lie outside of the image in both masks, so that the
            contours of regions that touch them coincide there.
        prediction: Labels, uint8 [height, width].
        labels: The meaning of labels.
        spacing: Height of a row and width of a column, in the data's units.
        tolerance: Distance within which boundaries agree, in the data's units.

    Returns:
        Name of the measure (`MEASURES`) → float64 [classes]; NaN as in `class_boundary_scores`.

    Raises:
        ValueError: The shapes differ.
    """
    scores = [class_boundary_scores(*masks, spacing, tolerance) for masks in class_masks(truth, prediction, labels)]
    return dict(zip(MEASURES, np.array(scores, np.float64).reshape(-1, len(MEASURES)).T, strict=True))


def class_boundary_scores(
    truth: Mask | NDArray[np.bool_],
    prediction: Mask | NDArray[np.bool_],
    spacing: tuple[float, float],
    tolerance: float,
) -> BoundaryScores:
    """Compute surface Dice, the 95th percentile of the Hausdorff distance, and the average distance of two masks.

    Args:
        truth: [height, width], bool, or uint8 of 0 and 1.
        prediction: The same shape and types.
        spacing: Height of a row and width of a column, in the data's units.
        tolerance: Distance within which boundaries agree, in the data's units.

    Returns:
        The scores, distances in the data's units. If both masks are empty, all are NaN. If one mask is empty, the
        surface Dice is 0 and the distances are NaN.
    """
    contours = [contour(mask) for mask in (truth, prediction)]
    present = [bool(kinds.any()) for kinds in contours]
    if not all(present):
        return BoundaryScores(0.0 if any(present) else np.nan, np.nan, np.nan)
    both = [contour_distances(one, other, spacing) for one, other in (contours, contours[::-1])]
    length = sum(found.lengths.sum() for found in both)
    share = sum(found.within(tolerance) for found in both) / length
    mean = sum(found.values @ found.lengths for found in both) / length
    return BoundaryScores(share, max(found.percentile(PERCENTILE) for found in both), mean)


def contour(mask: Mask | NDArray[np.bool_]) -> Mask:
    """Return the kind of contour element at every corner of a pixel: [height, width] → uint8 [height + 1, width + 1].

    The kind is `NONE` (0) where there is no element.
    """
    inside = np.pad(mask.view(np.uint8), 1)
    pairs = inside[:, :-1] + 2 * inside[:, 1:]
    return KINDS[pairs[:-1] + 4 * pairs[1:]]


def kind_lengths(spacing: tuple[float, float]) -> Scores:
    """Return the length of an element of each kind, float64 [5]: of a contour that cuts corners (marching squares)."""
    height, width = spacing
    diagonal = np.hypot(height, width)
    return np.array([0, diagonal / 2, width, height, diagonal])


def contour_distances(one: Mask, other: Mask, spacing: tuple[float, float]) -> Distances:
    """Compute the distance from each element of one contour to the nearest element of the other.

    Args:
        one: Kinds of elements from `contour`, uint8 [rows, columns], not all `NONE`.
        other: The same for the other contour.
        spacing: Height of a row and width of a column, in the data's units.
    """
    lengths = kind_lengths(spacing)
    if spacing[0] != spacing[1] or _tree_is_faster(int(np.count_nonzero(one)), other):
        places = np.flatnonzero(one)
        return _ordered(nearest(places, other, spacing), lengths[one.ravel()[places]])
    counts, far = count_distances(one, other)
    squares = np.flatnonzero(counts.any(axis=1))
    values = np.concatenate([np.sqrt(squares), nearest(far, other, (1, 1))]) * spacing[0]
    return _ordered(values, np.concatenate([counts[squares] @ lengths, lengths[one.ravel()[far]]]))


def _ordered(values: Scores, lengths: Scores) -> Distances:
    order = np.argsort(values)
    return Distances(values[order], lengths[order])


def count_distances(one: Mask, other: Mask) -> tuple[Counts, NDArray[np.int64]]:
    """Count the elements of each kind at each squared distance, which is at most REACH².

    Counts are used since there may be tens of millions of elements, but at few different distances.

    Args:
        one: Kinds of elements from `contour`, uint8 [rows, columns], not all `NONE`.
        other: The same for the contour that distances are measured to.

    Returns:
        The counts, int64 [squared distances in pixels, kinds]; and the flat indices of the elements that are further
        away than REACH, int64 [n].
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
    """Bands of columns, side by side: the first column, and the distances there in pixels, which are exact to REACH."""
    width = other.shape[1]
    step = width if width <= WINDOW else WINDOW - 2 * REACH
    for left in range(0, width, step):
        start = max(left - REACH, 0)
        empty = np.equal(other[:, start : left + step + REACH], NONE).view(np.uint8)
        apart = np.asarray(cv2.distanceTransform(empty, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)
        yield left, apart[:, left - start :][:, :step]


def nearest(places: NDArray[np.int64], other: Mask, spacing: tuple[float, float]) -> Scores:
    """Compute the distances from places to the nearest element of a contour.

    Args:
        places: Flat indices into `other`, int64 [n].
        other: Kinds of elements from `contour`, uint8 [rows, columns], not all `NONE`.
        spacing: Height of a row and width of a column, in the data's units.

    Returns:
        float64 [n], in the data's units.
    """
    if not len(places):
        return np.zeros(0)
    at = np.unravel_index(places, other.shape)
    if _tree_is_faster(len(places), other):
        tree = cKDTree(np.argwhere(other) * spacing)
        return np.asarray(tree.query(np.stack(at, axis=1) * spacing)[0])
    found = distance_transform_edt(other == NONE, spacing, return_distances=False, return_indices=True)
    rows, columns = ((index[at] - here) * step for index, here, step in zip(found, at, spacing, strict=True))
    return np.asarray(np.hypot(rows, columns))


def _tree_is_faster(places: int, other: Mask) -> bool:
    """True if a k-d tree finds the nearest elements faster than a distance transform of the whole mask."""
    return TREE * (places + int(np.count_nonzero(other))) < other.size
