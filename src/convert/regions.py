"""Rasterises shapes by one rule: a pixel belongs to a shape if the centre of the pixel lies inside it.

Coordinates are in pixels from the top left corner of the image. The pixel in row r and column c covers c … c + 1 and
r … r + 1, and its centre is (c + 0.5, r + 0.5). A centre exactly on an edge belongs to the shape right of the edge or
below it, so that each pixel goes to exactly one of two shapes that share an edge. No outline is drawn, unlike in
OpenCV's fillPoly and Pillow's polygon, which enlarge every shape by half a pixel on all sides.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]  # [points, 2]: x, y


@dataclass(frozen=True)
class Region:
    """The pixels of a shape, in a window of the image.

    Attributes:
        top: Row of the window's first pixel in the image.
        left: Column of the window's first pixel in the image.
        inside: Which pixels of the window belong to the shape, bool [rows, columns].
    """

    top: int
    left: int
    inside: NDArray[np.bool_]

    @property
    def area(self) -> int:
        """The number of pixels."""
        return int(np.count_nonzero(self.inside))


@dataclass(frozen=True)
class _Window:
    """Rows top … bottom - 1 and columns left … right - 1 of the image."""

    top: int
    left: int
    bottom: int
    right: int


def same(one: Region, other: Region) -> bool:
    """Return whether two regions contain the same pixels.

    Args:
        one: A region of an image.
        other: A region of the same image.
    """
    return one.area == other.area == overlap(one, other)


def overlap(one: Region, other: Region) -> int:
    """Count the pixels that two regions share.

    Args:
        one: A region of an image.
        other: A region of the same image.
    """
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
    """Fill the union of closed polygons; what lies outside the image is cut off.

    Within one polygon, the even-odd rule holds: a polygon that runs into a hole and back leaves the hole free, and one
    that crosses itself is free where it overlaps itself. A polygon that lies inside another one adds nothing.

    Args:
        parts: One or more polygons, each float64 [points, 2] with at least one point.
        height: Height of the image in pixels.
        width: Width of the image in pixels.
    """
    window = _bounds(np.concatenate(parts), height, width)
    inside = np.zeros((window.bottom - window.top, window.right - window.left), bool)
    for part in parts:
        own = _bounds(part, height, width)  # a small window each, since a thousand small parts may lie far apart
        rows = slice(own.top - window.top, own.bottom - window.top)
        inside[rows, own.left - window.left : own.right - window.left] |= _fill(part, own)
    return Region(window.top, window.left, inside)


def _bounds(points: Points, height: int, width: int) -> _Window:
    """The pixels around a polygon that lie in the image."""
    left, top = (int(value) for value in np.clip(np.floor(points.min(axis=0)), 0, (width, height)))
    right, bottom = (int(value) for value in np.clip(np.ceil(points.max(axis=0)), (left, top), (width, height)))
    return _Window(top, left, bottom, right)


def _fill(points: Points, window: _Window) -> NDArray[np.bool_]:
    """Fill by the even-odd rule: pixels that a ray from the left reaches after an odd number of edges."""
    top, left, bottom, right = window.top, window.left, window.bottom, window.right
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


def fill_disc(center: tuple[float, float], radius: float, height: int, width: int) -> Region:
    """Fill a disc, its rim included; what lies outside the image is cut off.

    Args:
        center: x and y of the centre in pixels.
        radius: Radius in pixels.
        height: Height of the image in pixels.
        width: Width of the image in pixels.
    """
    x, y = center
    left, right = (int(value) for value in np.clip([np.floor(x - radius), np.ceil(x + radius)], 0, width))
    top, bottom = (int(value) for value in np.clip([np.floor(y - radius), np.ceil(y + radius)], 0, height))
    rows, columns = np.mgrid[top:bottom, left:right]
    return Region(top, left, np.hypot(rows + 0.5 - y, columns + 0.5 - x) <= radius)


def fill_ellipse(center: tuple[float, float], radii: tuple[float, float], turn: float, size: tuple[int, int]) -> Region:
    """Fill an ellipse, its rim included; what lies outside the image is cut off.

    Args:
        center: x and y of the centre in pixels.
        radii: The two radii in pixels; the first one lies along x before the turn.
        turn: Angle in radians by which it is turned clockwise, as the image is seen.
        size: Height and width of the image in pixels.
    """
    (x, y), (along, across), (height, width) = center, radii, size
    sine, cosine = np.sin(turn), np.cos(turn)
    reach = np.hypot([along * cosine, along * sine], [across * sine, across * cosine])  # half the bounding box
    (left, top), (right, bottom) = (
        np.clip(edge, 0, (width, height)).astype(int).tolist()
        for edge in (np.floor(np.subtract(center, reach)), np.ceil(np.add(center, reach)))
    )
    rows, columns = np.mgrid[top:bottom, left:right]
    right_of, below = columns + 0.5 - x, rows + 0.5 - y
    first, second = right_of * cosine + below * sine, below * cosine - right_of * sine
    return Region(top, left, np.hypot(first / along, second / across) <= 1)


def fill_runs(counts: NDArray[np.int64], height: int, width: int) -> Region:
    """Decode COCO's run lengths.

    Args:
        counts: Lengths of the runs outside and inside the shape in turn, int64 [runs]. They go down the columns from
            the left, and their sum is `height` × `width`.
        height: Height of the image in pixels.
        width: Width of the image in pixels.

    Returns:
        The region; it is empty (0 × 0) if there is no run inside.
    """
    ends = np.cumsum(counts)
    if len(ends) < 2:
        return Region(0, 0, np.zeros((0, 0), bool))
    last = len(ends) - 1 if len(ends) % 2 == 0 else len(ends) - 2  # the last run inside
    left, right = int(ends[0]) // height, -(-int(ends[last]) // height)
    changes = np.zeros((right - left) * height + 1, np.uint8)
    np.bitwise_xor.at(changes, ends[: last + 1] - left * height, 1)
    inside = np.bitwise_xor.accumulate(changes)[:-1].astype(bool)
    return Region(0, left, inside.reshape(right - left, height).T)


def place_bitmap(bitmap: Region, height: int, width: int) -> Region:
    """Cut off what lies outside the image of a region whose `top` and `left` may be negative.

    Args:
        bitmap: The region.
        height: Height of the image in pixels.
        width: Width of the image in pixels.
    """
    top, left = bitmap.top, bitmap.left
    rows, columns = slice(max(-top, 0), max(height - top, 0)), slice(max(-left, 0), max(width - left, 0))
    return Region(max(top, 0), max(left, 0), bitmap.inside[rows, columns])
