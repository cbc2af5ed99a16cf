"""The common form that all polygon formats are written from: an image with its outlined objects."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from src.objects.outlines import Polygon, Ring
from src.objects.simplify import simplify_polygon


@dataclass(frozen=True)
class OutlinedObject:
    """An object of an image.

    Attributes:
        number: Its number in the image, from 1.
        label: The name of its class.
        polygons: Its outlines, exact to the pixel, see `trace_outlines`.
        area: The number of its pixels.
        score: The mean probability of its class, 0 to 1; None if it is not known.
    """

    number: int
    label: str
    polygons: Sequence[Polygon]
    area: int
    score: float | None = None

    @property
    def has_holes(self) -> bool:
        """Whether a polygon has a hole."""
        return any(polygon.holes for polygon in self.polygons)

    @property
    def box(self) -> list[float]:
        """Left, top, right and bottom of the object, in pixels."""
        points = np.concatenate([polygon.outer for polygon in self.polygons])
        return [*points.min(axis=0).tolist(), *points.max(axis=0).tolist()]

    def simplified(self, deviation: float) -> "OutlinedObject":
        """The object with outlines that deviate by at most this many pixels, see `simplify_polygon`."""
        return replace(self, polygons=[simplify_polygon(polygon, deviation) for polygon in self.polygons])


@dataclass(frozen=True)
class AnnotatedImage:
    """An image with its objects.

    Attributes:
        file: How the annotations name the image file.
        width: Width in pixels, as the image is shown.
        height: Height in pixels.
        objects: Its objects, in the order of their numbers.
        overlap: Objects of different classes may share pixels.
    """

    file: str
    width: int
    height: int
    objects: Sequence[OutlinedObject]
    overlap: bool = False


def join_holes(polygon: Polygon) -> Ring:
    """Make one ring of a polygon with holes, for formats that have no holes.

    The ring runs along a straight line from the outline to each hole, around it, and back along the same line. The line
    encloses nothing, so that the ring holds the same pixels by the even-odd rule.

    Args:
        polygon: The polygon.

    Returns:
        float64 [points, 2].
    """
    if not polygon.holes:
        return polygon.outer
    outline = cKDTree(polygon.outer)
    detours: dict[int, list[Ring]] = {}
    for hole in polygon.holes:
        distance, position = outline.query(hole)
        nearest = int(np.argmin(distance))
        around = np.roll(hole, -nearest, axis=0)
        detours.setdefault(int(position[nearest]), []).append(np.concatenate([around, around[:1]]))
    parts, done = list[Ring](), 0
    for position, holes in sorted(detours.items()):
        parts.append(polygon.outer[done : position + 1])
        for hole in holes:
            parts += [hole, polygon.outer[position : position + 1]]
        done = position + 1
    return np.concatenate([*parts, polygon.outer[done:]])


def plain_numbers(ring: Ring) -> list[list[float]]:
    """The points of a ring for JSON: whole coordinates as whole numbers."""
    whole = ring.astype(np.int64)
    numbers: list[list[float]] = (whole if (whole == ring).all() else ring).tolist()
    return numbers
