"""Simplify outlines: fewer points, none further from the outline than a stated distance."""

import cv2
import numpy as np
from numpy.typing import NDArray

from src.objects.outlines import Polygon, Ring

TRIES = 6  # OpenCV's result can deviate by more than was asked for; it is asked again with half the distance


def simplify_polygon(polygon: Polygon, deviation: float) -> Polygon:
    """Simplify the rings of a polygon, each by itself.

    Args:
        polygon: The polygon.
        deviation: No point of a ring is further than this from the simplified ring, in pixels; 0: nothing changes.

    Returns:
        The polygon with a part of its points. A ring of which fewer than three points would be left keeps all.
        Simplified rings may cross each other.
    """
    if not deviation:
        return polygon
    return Polygon(simplify_ring(polygon.outer, deviation), [simplify_ring(hole, deviation) for hole in polygon.holes])


def simplify_ring(ring: Ring, deviation: float) -> Ring:
    """Simplify a ring with the algorithm of Ramer, Douglas and Peucker (OpenCV).

    Args:
        ring: float64 [points, 2]; every point occurs once, and coordinates are below 2²⁴.
        deviation: See `simplify_polygon`.

    Returns:
        Some of the points, in their order.
    """
    for attempt in range(TRIES):
        kept = _positions(ring, _approximated(ring, deviation / 2**attempt))
        if len(kept) < 3:
            return ring
        if _largest_deviation(ring, kept) <= deviation:
            return ring[kept]
    return ring


def _approximated(ring: Ring, deviation: float) -> Ring:
    return cv2.approxPolyDP(ring.astype(np.float32), deviation, True)[:, 0].astype(np.float64)


def _positions(ring: Ring, points: Ring) -> NDArray[np.int64]:
    """The positions in the ring of some of its points, sorted, int64."""
    keys, wanted = (values[:, 0] + 1j * values[:, 1] for values in (ring, points))
    order = np.argsort(keys)
    return np.unique(order[np.searchsorted(keys, wanted, sorter=order)])


def _largest_deviation(ring: Ring, kept: NDArray[np.int64]) -> float:
    """The largest distance of a point of the ring from the edge that replaces its part, in pixels."""
    rolled = np.roll(ring, -kept[0], axis=0)
    at = kept - kept[0]
    edge = np.searchsorted(at, np.arange(len(ring)), side="right") - 1
    start = rolled[at][edge]
    direction = np.roll(rolled[at], -1, axis=0)[edge] - start
    share = np.clip(((rolled - start) * direction).sum(axis=1) / (direction**2).sum(axis=1), 0, 1)
    return float(np.hypot(*(rolled - start - share[:, None] * direction).T).max())
