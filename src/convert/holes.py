"""Decides whether a polygon inside another polygon of the same annotation is a hole.

COCO adds up the polygons of an annotation, so that an inner polygon changes nothing. Some exporters nevertheless write
a ring as its outer and its inner contour. The `area` of the annotation tells the two cases apart.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from src.convert.regions import Points, Region, fill_polygons, overlap, same

INSIDE = 0.98  # share of a polygon's pixels that lie in the other one; the rest is rounding of coordinates
ROUNDED = 0.51  # pixels: the largest difference that rounding an area to a whole number makes
MOST_CACHED = 2**28  # pixels (bytes) of filled polygons that are kept in memory; all of them may not fit
TOLERANCE = 0.03  # share of the filled area: how much `area` may differ, since exporters simplify polygons


@dataclass(frozen=True)
class AreaCheck:
    """How the area of an annotation counts its inner polygons.

    Attributes:
        holes: Whether they are holes; None if the area fits neither case, or both.
        cut: Area in pixels if they are holes.
        filled: Area in pixels if they are not.
    """

    holes: bool | None
    cut: float
    filled: float


@dataclass(frozen=True)
class NestedPolygons:
    """Polygons of one annotation, at least one of which lies in another.

    Attributes:
        parts: The polygons, float64 [points, 2] each.
        depths: For each polygon, the number of other polygons that it lies in.
        height: Height of the image in pixels.
        width: Width of the image in pixels.
    """

    parts: Sequence[Points]
    depths: Sequence[int]
    height: int
    width: int

    def cut(self) -> Region:
        """The region with holes. Polygons are filled and cut out in turn from the outside, so islands in holes stay."""
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

    def check_area(self, area: float) -> AreaCheck:
        """Tell holes from filled polygons by the area that an annotation states, in pixels.

        Exporters compute the area from the coordinates, or count the pixels of the mask that they traced. Contours run
        along the outer edges of the border pixels or through their centres. The two areas then differ by half the
        length of the contour (Pick's theorem). The decision is for the case that the area fits clearly better, and
        within `TOLERANCE`.
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
        return AreaCheck(bool(far_cut < far_filled) if clear else None, float(cut), float(filled))


def find_nested(parts: Sequence[Points], height: int, width: int) -> NestedPolygons | None:
    """Find polygons that lie in others. Of equal polygons, one is kept.

    Only polygons whose bounding boxes overlap are compared as pixels.

    Args:
        parts: The polygons of one annotation, float64 [points, 2] each.
        height: Height of the image in pixels.
        width: Width of the image in pixels.

    Returns:
        The polygons and how they lie in each other; None if none lies in another.
    """
    low, high = (np.array([limit(part, axis=0) for part in parts]) for limit in (np.min, np.max))
    if not _any_surrounds(low, high):
        return None
    region = _cached_regions(parts, height, width)

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
    return NestedPolygons([parts[index] for index in kept], levels, height, width) if any(levels) else None


def _cached_regions(parts: Sequence[Points], height: int, width: int) -> Callable[[int], Region]:
    """A function that fills the polygon of an index, and keeps `MOST_CACHED` pixels of them in memory."""
    cache: dict[int, Region] = {}

    @functools.lru_cache(maxsize=2)  # the pair that is compared
    def region(index: int) -> Region:
        if index in cache:
            return cache[index]
        filled = fill_polygons([parts[index]], height, width)
        if filled.inside.size + sum(other.inside.size for other in cache.values()) <= MOST_CACHED:
            cache[index] = filled
        return filled

    return region


def _any_surrounds(low: Points, high: Points) -> bool:
    """Return whether a bounding box contains another one, to a pixel: a quick test before pixels are filled.

    low, high: Corners of the boxes, float64 [polygons, 2].
    """
    return any(
        np.count_nonzero(((first <= low + 1) & (last >= high - 1)).all(axis=1)) > 1  # each box contains itself
        for first, last in zip(low, high, strict=True)
    )


def _area(points: Points) -> float:
    """The area that a polygon encloses, in pixels (shoelace formula)."""
    (x, y), (next_x, next_y) = points.T, np.roll(points, -1, axis=0).T
    return abs(float((x * next_y - next_x * y).sum())) / 2


def _outline(points: Points) -> float:
    """The number of pixels that a closed polygon runs through; a diagonal step counts once."""
    return float(np.abs(np.roll(points, -1, axis=0) - points).max(axis=1).sum())
