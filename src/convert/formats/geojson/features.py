"""Reads the features of one GeoJSON file: classes and outlines with holes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from pydantic import BaseModel

from src.convert.annotations import Options, Shape
from src.convert.frame import Frame
from src.convert.holes import NestedPolygons
from src.convert.problems import Refused
from src.convert.regions import Points, Region, fill_polygons
from src.convert.shapes import check_points, reaches_out
from src.errors import quoted, some
from src.files import Content

AREAS = {"Polygon", "MultiPolygon"}
WITHOUT_AREA = {"Point", "MultiPoint", "LineString", "MultiLineString"}
REMEDY = "draw it again, or remove it"


class Geometry(BaseModel):
    """The outline of a feature."""

    type: str
    coordinates: Content = None


class Feature(BaseModel):
    """An object. QuPath also gives the nuclei of cells an outline, which is left out."""

    geometry: Geometry
    properties: dict[str, object] | None = None
    nucleusGeometry: object = None

    def label(self, key: str | None, otherwise: str | None) -> str:
        """The class of the feature.

        Args:
            key: The property that names it; None: QuPath's classification.
            otherwise: The class of features without one; None: there is none.

        Raises:
            Refused: It has no class.
        """
        properties = self.properties or {}
        found = properties.get(key or "classification")
        if isinstance(found, dict):  # QuPath: name, or names for a class of a class
            names = found.get("names")
            found = found.get("name") or (": ".join(map(str, names)) if isinstance(names, list) else None)
        if isinstance(found, str | int) and not isinstance(found, bool) and str(found).strip():
            return str(found)
        if otherwise is not None:
            return otherwise
        what = f"has no {quoted(key)}" if key else "has no classification"
        shown = f"; properties there: {some(properties)}" if properties else ""
        remedy = "name the property of the class with --property, or the class of such features with --unclassified"
        raise Refused(what + shown, remedy)

    def rings(self) -> list[list[Points]]:
        """The polygons, each with its outline and then its holes, float64 [points, 2] in the file's coordinates."""
        polygons = self.geometry.coordinates if self.geometry.type == "MultiPolygon" else [self.geometry.coordinates]
        try:
            return [[_ring(ring) for ring in polygon] for polygon in polygons]
        except (TypeError, ValueError, OverflowError):
            raise Refused("its coordinates are not rings of x and y", REMEDY) from None


def _ring(positions: Content) -> Points:
    """A ring without heights, float64 [points, 2]."""
    return np.array([[x, y] for x, y, *_ in positions], float).reshape(-1, 2)


@dataclass(frozen=True)
class Place:
    """How the coordinates of a file become pixels.

    Attributes:
        frame: The picture that pixels refer to.
        options: The user's decisions.
        to_pixels: Turns coordinates into pixels, float64 [points, 2]; None: they are in pixels.
    """

    frame: Frame
    options: Options
    to_pixels: Callable[[Points], Points] | None = None

    def shape(self, feature: Feature, value: int) -> Shape:
        """Read the shape of a feature.

        Args:
            feature: A polygon or several.
            value: The value of its class in the mask.

        Raises:
            Refused: It cannot be drawn.
        """
        polygons = [[self.to_pixels(ring) if self.to_pixels else ring for ring in rings] for rings in feature.rings()]
        parts = [ring for rings in polygons for ring in rings]
        if not polygons or not all(polygons) or not all(map(len, parts)):
            raise Refused("has no points", REMEDY)
        check_points([ring[:-1] if (ring[0] == ring[-1]).all() else ring for ring in parts])
        cut = reaches_out(np.concatenate(parts), self.frame, self.options)
        return Shape(value, partial(fill_with_holes, polygons, self.frame.height, self.frame.width), cut=cut)


def fill_with_holes(polygons: Sequence[Sequence[Points]], height: int, width: int) -> Region:
    """Fill the union of polygons with holes.

    Args:
        polygons: Each is its outline and then its holes, float64 [points, 2] in pixels.
        height: Height of the image in pixels.
        width: Width of the image in pixels.
    """
    whole = fill_polygons([rings[0] for rings in polygons], height, width)
    whole.inside[:] = False
    for rings in polygons:
        region = NestedPolygons(rings, [0] + [1] * (len(rings) - 1), height, width).cut()
        region = _within(region, whole)
        rows, columns = region.inside.shape
        top, left = region.top - whole.top, region.left - whole.left
        whole.inside[top : top + rows, left : left + columns] |= region.inside
    return whole


def _within(region: Region, whole: Region) -> Region:
    """The part of a region in the window of another; a hole may reach out of its polygon."""
    top, left = max(region.top, whole.top), max(region.left, whole.left)
    bottom, right = (whole.top + whole.inside.shape[0], whole.left + whole.inside.shape[1])
    rows, columns = slice(top - region.top, max(bottom - region.top, 0)), slice(left - region.left, None)
    return Region(top, left, region.inside[rows, columns][:, : max(right - left, 0)])
