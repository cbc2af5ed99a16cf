"""A polygon inside another polygon of one annotation: is it a hole?

COCO adds up the polygons of an annotation, so that an inner one changes nothing. Some exporters nevertheless write a
ring as its outer and its inner contour. The `area` of the annotation tells the two apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from src.convert.regions import Points, Region, fill_polygons, overlap, same

INSIDE = 0.98  # share of a polygon's pixels that lie in another one: the rest is rounding of coordinates
ROUNDED = 0.51  # pixels by which an area differs at most if it was rounded to a whole number
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
    """The polygons and how they lie in each other; None if none lies in another. Of equal ones, one is kept."""
    if not any(_surrounds(*pair) or _surrounds(*pair[::-1]) for pair in combinations(parts, 2)):
        return None
    regions = [fill_polygons([part], height, width) for part in parts]
    kept = [index for index, region in enumerate(regions) if not any(same(region, other) for other in regions[:index])]
    parts, regions = [parts[index] for index in kept], [regions[index] for index in kept]
    depths = [0] * len(parts)
    for pair in combinations(range(len(regions)), 2):
        inner, outer = sorted(pair, key=lambda index: regions[index].area)
        area = regions[inner].area
        if 0 < area < regions[outer].area and overlap(regions[inner], regions[outer]) >= INSIDE * area:
            depths[inner] += 1
    return Nested(parts, depths, height, width) if any(depths) else None


def _surrounds(outer: Points, inner: Points) -> bool:
    """Whether a polygon's bounding box holds that of another one, to a pixel: a quick test before pixels are filled."""
    return bool(
        (outer.min(axis=0) <= inner.min(axis=0) + 1).all() and (outer.max(axis=0) >= inner.max(axis=0) - 1).all()
    )


def _area(points: Points) -> float:
    """The area that a polygon encloses (shoelace formula), in pixels."""
    (x, y), (next_x, next_y) = points.T, np.roll(points, -1, axis=0).T
    return abs(float((x * next_y - next_x * y).sum())) / 2


def _outline(points: Points) -> float:
    """How many pixels a closed polygon runs through: diagonal steps count once."""
    return float(np.abs(np.roll(points, -1, axis=0) - points).max(axis=1).sum())
