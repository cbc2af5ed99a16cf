"""A polygon inside another polygon of one annotation: is it a hole?

COCO adds up the polygons of an annotation, so that an inner one changes nothing. Some exporters nevertheless write a
ring as its outer and its inner contour. The `area` of the annotation tells the two apart.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from src.convert.regions import Points, Region, fill_polygons, overlap, same

INSIDE = 0.98  # share of a polygon's pixels that lie in another one: the rest is rounding of coordinates
ROUNDED = 0.51  # pixels by which an area differs at most if it was rounded to a whole number
MOST_HELD = 2**28  # pixels (bytes) of filled polygons that are kept at a time: all of them may not fit into memory
TOLERANCE = 0.03  # of the filled area: how far `area` may be from a reading, since exporters simplify polygons


@dataclass(frozen=True)
class Reading:
    """What an area says about inner polygons.

    holes: whether they are holes; None if the area fits neither reading, or both. cut, filled: the area of the
    polygons in pixels, with and without holes.
    """

    holes: bool | None
    cut: float
    filled: float


@dataclass(frozen=True)
class Nested:
    """Polygons of which some lie in others: float64 [points, 2] each, in how many others it lies, and the picture."""

    parts: Sequence[Points]
    depths: Sequence[int]
    height: int
    width: int

    def cut(self) -> Region:
        """The region with holes: polygons are filled and cut out in turn from the outermost inwards.

        So an island in a hole stays.
        """
        whole = self.fill()
        inside = np.zeros_like(whole.inside)
        for depth, part in sorted(zip(self.depths, self.parts, strict=True), key=lambda pair: pair[0]):
            region = fill_polygons([part], self.height, self.width)
            top, left = region.top - whole.top, region.left - whole.left
            rows, columns = region.inside.shape
            inside[top : top + rows, left : left + columns][region.inside] = depth % 2 == 0
        return Region(whole.top, whole.left, inside)

    def fill(self) -> Region:
        """The region without holes."""
        return fill_polygons(self.parts, self.height, self.width)

    def reading(self, area: float) -> Reading:
        """Tell holes from filled polygons by the area that an annotation gives.

        Exporters compute the area from the coordinates, or count the pixels of the mask that they traced. Contours run
        along the outer edges of the border pixels or through their centres; the areas then differ by half the length
        of the contour. The reading is the one that the area fits clearly better, and within `TOLERANCE`.
        """
        areas, outlines = (np.array([measure(part) for part in self.parts]) for measure in (_area, _outline))
        levels = np.array(self.depths)
        holes = levels % 2 == 1
        outer, inner = outlines[~holes].sum(), outlines[holes].sum()
        filled, cut = areas[levels == 0].sum(), areas[~holes].sum() - areas[holes].sum()
        more = np.sum(~holes) - np.sum(holes)  # Pick's theorem adds 1 for each contour
        top = outlines[levels == 0].sum() / 2 + np.sum(levels == 0)
        as_filled = [filled, filled + top, areas.sum(), self.fill().area]
        as_cut = [cut, cut + (outer + inner) / 2 + more, cut + (outer - inner) / 2 + more, self.cut().area]
        far_filled, far_cut = (min(abs(area - value) for value in values) for values in (as_filled, as_cut))
        near, far = sorted([far_filled, far_cut])
        slack = TOLERANCE * filled + 1
        clear = near <= slack and far >= 2 * near + 1
        if far_filled <= far_cut and near > ROUNDED and min(as_cut) - slack <= area <= max(as_cut) + slack:
            clear = False  # a ring with a small hole, counted in pixels, can come close to the filled area by chance
        return Reading(bool(far_cut < far_filled) if clear else None, float(cut), float(filled))


def nested(parts: Sequence[Points], height: int, width: int) -> Nested | None:
    """The polygons and how they lie in each other; None if none lies in another. Of equal ones, one is kept.

    Only polygons whose bounding boxes overlap are compared as pixels.
    """
    low, high = (np.array([limit(part, axis=0) for part in parts]) for limit in (np.min, np.max))
    if not _any_surrounds(low, high):
        return None

    held: dict[int, Region] = {}

    @functools.lru_cache(maxsize=2)  # the pair that is compared
    def region(index: int) -> Region:
        if index in held:
            return held[index]
        filled = fill_polygons([parts[index]], height, width)
        if filled.inside.size + sum(other.inside.size for other in held.values()) <= MOST_HELD:
            held[index] = filled
        return filled

    def overlapping(index: int) -> list[int]:
        return [int(i) for i in np.flatnonzero(((low < high[index]) & (high > low[index])).all(axis=1)) if i != index]

    areas = [region(index).area for index in range(len(parts))]
    doubles: set[int] = set()
    for index in range(len(parts)):
        equal = [i for i in overlapping(index) if i < index and i not in doubles and areas[i] == areas[index]]
        if any(same(region(index), region(i)) for i in equal):
            doubles.add(index)
    depths = [0] * len(parts)
    for outer in sorted(set(range(len(parts))) - doubles):
        for inner in overlapping(outer):
            if inner not in doubles and 0 < areas[inner] < areas[outer]:
                depths[inner] += overlap(region(outer), region(inner)) >= INSIDE * areas[inner]
    kept = [index for index in range(len(parts)) if index not in doubles]
    levels = [depths[index] for index in kept]
    return Nested([parts[index] for index in kept], levels, height, width) if any(levels) else None


def _any_surrounds(low: Points, high: Points) -> bool:
    """Whether a bounding box holds another one, to a pixel: a quick test before pixels are filled.

    low, high: float64 [polygons, 2], the corners of the boxes.
    """
    return any(
        np.count_nonzero(((first <= low + 1) & (last >= high - 1)).all(axis=1)) > 1  # each box holds itself
        for first, last in zip(low, high, strict=True)
    )


def _area(points: Points) -> float:
    """The area that a polygon encloses (shoelace formula), in pixels."""
    (x, y), (next_x, next_y) = points.T, np.roll(points, -1, axis=0).T
    return abs(float((x * next_y - next_x * y).sum())) / 2


def _outline(points: Points) -> float:
    """How many pixels a closed polygon runs through: diagonal steps count once."""
    return float(np.abs(np.roll(points, -1, axis=0) - points).max(axis=1).sum())
