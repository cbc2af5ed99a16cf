"""The outlines of numbered objects: polygons with holes that run along the edges of the pixels.

Coordinates are in pixels from the top left corner of the image, as in src/convert/regions.py: the pixel in row r and
column c covers c … c + 1 and r … r + 1. A polygon contains exactly the pixels of its object, whose centres lie inside.

The rings of all objects are found together. The corners of an outline are joined by their order: along each row of
corners, the first is the start of a horizontal edge and the second its end, and so on; the same holds for columns. The
cost is that of sorting the corners.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from src.data.store.store import release, strips
from src.objects.pieces import Index, Numbers, number_pieces, piece_owners

Ring = NDArray[np.float64]  # [points, 2]: x, y; the last point is joined to the first


@dataclass(frozen=True)
class Polygon:
    """A part of an object whose pixels are connected by their sides.

    Attributes:
        outer: The outline, clockwise on the screen (x to the right, y down).
        holes: The outlines of holes, counter-clockwise. Rings never cross; they may touch at corners.
    """

    outer: Ring
    holes: Sequence[Ring] = ()

    @property
    def rings(self) -> list[Ring]:
        """The outline, then those of the holes."""
        return [self.outer, *self.holes]


@dataclass(frozen=True)
class _Corners:
    """Corners of outlines.

    Attributes:
        piece: The piece that each belongs to, int64 [corners], as the next two.
        x: Column of the corner, 0 … width.
        y: Row of the corner, 0 … height.
        left: Whether its horizontal edge leads to the left, bool [corners], as the next two.
        up: Whether its vertical edge leads upwards.
        below: Whether the piece lies below the horizontal edge.
    """

    piece: Index
    x: Index
    y: Index
    left: NDArray[np.bool_]
    up: NDArray[np.bool_]
    below: NDArray[np.bool_]


def trace_outlines(numbers: Numbers, scratch: Path | None = None) -> dict[int, list[Polygon]]:
    """Find the outlines of numbered objects.

    Args:
        numbers: The number of the object of each pixel, [height, width]; 0 where there is none. The pixels of an object
            need not be connected.
        scratch: Folder for temporary files, which large images need; None: the folder of the system.

    Returns:
        Number → its polygons, in the order of their first pixels. Pixels that touch only by a corner are in different
        polygons. Empty if there are no objects.
    """
    pieces = number_pieces(numbers, scratch)
    corners = _corners(pieces)
    if not len(corners.piece):
        return {}
    rings = _rings(corners)
    parts = np.split(rings.points.astype(np.float64), rings.starts[1:])
    order = np.lexsort((rings.areas < 0, rings.pieces))  # of each piece, the outline before the holes
    owners, found = piece_owners(numbers, pieces), dict[int, list[Polygon]]()
    ends = np.flatnonzero(np.diff(rings.pieces[order], append=-1)) + 1
    for first, last in pairwise([0, *ends.tolist()]):
        outer, *holes = (parts[index] for index in order[first:last])
        found.setdefault(int(owners[rings.pieces[order[first]]]), []).append(Polygon(outer, holes))
    return dict(sorted(found.items()))


def _corners(pieces: Numbers) -> _Corners:
    """Find the corners of all pieces, strip by strip."""
    height, width = pieces.shape
    found: list[list[Index]] = [[] for _ in range(6)]
    for rows in strips(height + 1, width):
        first, last = max(rows.start - 1, 0), min(rows.stop, height)
        padding = ((int(rows.start == 0), int(rows.stop == height + 1)), (1, 1))
        for column, values in zip(
            found, _corners_of_strip(np.pad(pieces[first:last], padding), rows.start), strict=True
        ):
            column.append(values)
        release(pieces)
    piece, x, y, left, up, below = (np.concatenate(column) for column in found)
    return _Corners(piece, x, y, left.astype(bool), up.astype(bool), below.astype(bool))


def _corners_of_strip(padded: Numbers, top: int) -> list[Index]:
    """The corners between the rows of a strip: piece, x, y, left, up, below, each int64 [corners].

    Around each corner point lie four pixels. A piece has a corner at the quarter of pixel q if it holds q and neither
    the other three (convex), or if it holds both pixels beside q and not q (concave). Of two pixels of a piece that
    touch by a corner only, both empty quarters are concave corners, so that no ring meets itself.
    """
    window = {
        (down, right): padded[down:, right:][: len(padded) - 1, : padded.shape[1] - 1]
        for down in (0, 1)
        for right in (0, 1)
    }
    found: list[list[Index]] = [[] for _ in range(6)]
    for (down, right), pixel in window.items():
        vertical, horizontal, opposite = window[1 - down, right], window[down, 1 - right], window[1 - down, 1 - right]
        convex = (pixel != 0) & (vertical != pixel) & (horizontal != pixel) & (opposite != pixel)
        concave = (vertical != 0) & (vertical == horizontal) & (vertical != pixel)
        for where, owner, inside in ((convex, pixel, True), (concave, vertical, False)):
            y, x = np.nonzero(where)
            below = (down == 1) == inside  # the piece lies below its horizontal edge
            flags = (np.full(len(x), flag, np.int64) for flag in (right == 0, down == 0, below))
            for column, values in zip(found, (owner[y, x].astype(np.int64), x, y + top, *flags), strict=True):
                column.append(values)
    return [np.concatenate(column) for column in found]


@dataclass(frozen=True)
class _Rings:
    """The rings of all pieces, one after the other.

    Attributes:
        points: x and y, int64 [points, 2].
        starts: Position of the first point of each ring, int64 [rings].
        pieces: The piece of each ring, int64 [rings].
    """

    points: Index
    starts: Index
    pieces: Index

    @property
    def areas(self) -> Index:
        """Twice the signed area of each ring (shoelace formula), int64 [rings]; negative for a hole."""
        x, y = self.points.T
        following = np.arange(1, len(x) + 1)
        following[np.append(self.starts[1:], len(x)) - 1] = self.starts
        return np.add.reduceat(x * y[following] - x[following] * y, self.starts)


def _rings(corners: _Corners) -> _Rings:
    """Join the corners of each piece to rings, with the piece on the right of every edge."""
    across = np.lexsort((~corners.left, corners.x, corners.y, corners.piece)).reshape(-1, 2)
    down = np.lexsort((~corners.up, corners.y, corners.x, corners.piece)).reshape(-1, 2)
    edges = np.where(corners.below[across[:, :1]], across, across[:, ::-1])  # first and last corner of horizontal edges
    partner, edge_of = np.empty(len(corners.x), np.int64), np.empty(len(corners.x), np.int64)
    partner[down], edge_of[edges[:, 0]] = down[:, ::-1], np.arange(len(edges))
    order, starts = _cycles(edge_of[partner[edges[:, 1]]])
    ordered = edges[order].ravel()
    points = np.stack([corners.x[ordered], corners.y[ordered]], axis=1)
    return _Rings(points, 2 * starts, corners.piece[ordered[2 * starts]])


def _cycles(following: Index) -> tuple[Index, Index]:
    """Divide a permutation into its cycles.

    following: The element after each element, int64 [elements].

    Returns the elements in the order of their cycles, and the position of the first element of each cycle. The distance
    to the end of the cycle is found for all elements together: each step doubles how far it looks.
    """
    count = len(following)
    links = coo_array((np.ones(count, bool), (np.arange(count), following)), (count, count))
    cycle = connected_components(links)[1]
    roots = np.unique(cycle, return_index=True)[1]
    last = following == roots[cycle]
    target = np.where(last, np.arange(count), following)
    distance = (~last).astype(np.int64)
    while not last[target].all():
        distance += distance[target]
        target = target[target]
    order = np.lexsort((-distance, roots[cycle]))
    return order, np.flatnonzero(distance[order] == distance[roots[cycle[order]]])
