"""Geometry to pixels, by one rule: a pixel belongs to a shape if the pixel's centre lies inside it.

Coordinates are in pixels from the picture's top left corner: the pixel in row r and column c spans c … c + 1 and
r … r + 1, and its centre is (c + 0.5, r + 0.5). A centre exactly on an edge belongs to the shape right of it or below
it: of two shapes that share an edge, every pixel gets exactly one. No outline is drawn, unlike OpenCV's fillPoly and
Pillow's polygon, which make every shape half a pixel larger all round.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]  # [points, 2]: x, y


@dataclass(frozen=True)
class Region:
    """A window of the picture at row `top` and column `left`, and which of its pixels belong: bool [rows, columns]."""

    top: int
    left: int
    inside: NDArray[np.bool_]

    @property
    def area(self) -> int:
        return int(np.count_nonzero(self.inside))


def same(one: Region, other: Region) -> bool:
    """Whether two regions hold the same pixels."""
    return one.area == other.area == overlap(one, other)


def overlap(one: Region, other: Region) -> int:
    """How many pixels two regions share."""
    top, left = max(one.top, other.top), max(one.left, other.left)
    bottom = min(region.top + region.inside.shape[0] for region in (one, other))
    right = min(region.left + region.inside.shape[1] for region in (one, other))
    if bottom <= top or right <= left:
        return 0
    first, second = (
        region.inside[top - region.top : bottom - region.top, left - region.left : right - region.left]
        for region in (one, other)
    )
    return int(np.count_nonzero(first & second))


def fill_polygons(parts: Sequence[Points], height: int, width: int) -> Region:
    """The union of closed polygons, cut off at the picture. Inside one polygon, the even-odd rule holds.

    So a polygon that runs into its hole and back leaves the hole free, and one that crosses itself is free where it
    overlaps; a part that lies in another adds nothing.
    """
    top, left, bottom, right = _window(np.concatenate(parts), height, width)
    inside = np.zeros((bottom - top, right - left), bool)
    for part in parts:
        first, start, last, end = _window(part, height, width)  # its own: a thousand small parts may lie far apart
        inside[first - top : last - top, start - left : end - left] |= _fill(part, first, start, last, end)
    return Region(top, left, inside)


def _window(points: Points, height: int, width: int) -> tuple[int, int, int, int]:
    """Top, left, bottom and right of the pixels around a polygon, inside the picture."""
    left, top = (int(value) for value in np.clip(np.floor(points.min(axis=0)), 0, (width, height)))
    right, bottom = (int(value) for value in np.clip(np.ceil(points.max(axis=0)), (left, top), (width, height)))
    return top, left, bottom, right


def _fill(points: Points, top: int, left: int, bottom: int, right: int) -> NDArray[np.bool_]:
    """bool [rows, columns] of the window: where a ray from the left has crossed an odd number of edges."""
    ends = np.stack([points, np.roll(points, -1, axis=0)])
    ends = np.where(ends[0, :, 1] <= ends[1, :, 1], ends.transpose(2, 0, 1), ends[::-1].transpose(2, 0, 1))
    (x0, x1), (y0, y1) = ends  # every edge runs downwards, so that its crossings are the same for both neighbours
    first, last = (np.clip(np.ceil(y - 0.5), top, bottom).astype(int) for y in (y0, y1))  # rows crossed: first … last-1
    count = last - first
    edge = np.repeat(np.arange(len(points)), count)
    row = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count - first, count)
    x = x0[edge] + (row + 0.5 - y0[edge]) * ((x1 - x0)[edge] / (y1 - y0)[edge])
    column = np.clip(np.ceil(x - 0.5), left, right).astype(int)  # the first whose centre is not left of the crossing
    crossings = np.zeros((bottom - top, right - left + 1), np.uint8)
    np.bitwise_xor.at(crossings, (row - top, column - left), 1)
    return np.bitwise_xor.accumulate(crossings, axis=1)[:, :-1].astype(bool)


def fill_disc(x: float, y: float, radius: float, height: int, width: int) -> Region:
    """A disc around (x, y), its rim included, cut off at the picture."""
    left, right = (int(value) for value in np.clip([np.floor(x - radius), np.ceil(x + radius)], 0, width))
    top, bottom = (int(value) for value in np.clip([np.floor(y - radius), np.ceil(y + radius)], 0, height))
    rows, columns = np.mgrid[top:bottom, left:right]
    return Region(top, left, np.hypot(rows + 0.5 - y, columns + 0.5 - x) <= radius)


def fill_runs(counts: NDArray[np.int64], height: int, width: int) -> Region:
    """COCO's run lengths: pixels outside and inside in turn, down the columns, from the left; they add up to all."""
    ends = np.cumsum(counts)
    if len(ends) < 2:
        return Region(0, 0, np.zeros((0, 0), bool))
    last = len(ends) - 1 if len(ends) % 2 == 0 else len(ends) - 2  # the last run inside
    left, right = int(ends[0]) // height, -(-int(ends[last]) // height)
    changes = np.zeros((right - left) * height + 1, np.uint8)
    np.bitwise_xor.at(changes, ends[: last + 1] - left * height, 1)
    inside = np.bitwise_xor.accumulate(changes)[:-1].astype(bool)
    return Region(0, left, inside.reshape(right - left, height).T)


def place_bitmap(pixels: NDArray[np.bool_], top: int, left: int, height: int, width: int) -> Region:
    """A mask of its own, bool [rows, columns], whose first pixel lies at (`top`, `left`), cut off at the picture."""
    rows, columns = slice(max(-top, 0), max(height - top, 0)), slice(max(-left, 0), max(width - left, 0))
    return Region(max(top, 0), max(left, 0), pixels[rows, columns])
