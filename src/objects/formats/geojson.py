"""Writes GeoJSON: a feature for each object, in map coordinates or in pixels."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from src.objects.annotated import AnnotatedImage, plain_numbers
from src.objects.outlines import Polygon, Ring

WGS84 = 4326
DECIMALS = 6  # of a probability


@dataclass(frozen=True)
class MapPlace:
    """Where the pixels of an image lie on a map.

    Attributes:
        origin: Map coordinates x and y of the top left corner of the image.
        right: Change of x and y from one column to the next.
        down: Change of x and y from one row to the next.
        epsg: Number of the coordinate reference system in the EPSG registry.
    """

    origin: tuple[float, float]
    right: tuple[float, float]
    down: tuple[float, float]
    epsg: int

    @property
    def crs(self) -> str:
        """The name of the reference system; for longitude and latitude, the one with x first, as in GDAL's files."""
        return "urn:ogc:def:crs:OGC:1.3:CRS84" if self.epsg == WGS84 else f"urn:ogc:def:crs:EPSG::{self.epsg}"

    @property
    def turns(self) -> bool:
        """Whether the order of points must be reversed, since rows go down and the map's y goes up."""
        return self.right[0] * self.down[1] - self.right[1] * self.down[0] < 0

    def points(self, ring: Ring) -> Ring:
        """The map coordinates of the points of a ring."""
        return np.array(self.origin) + ring @ np.array([self.right, self.down])


def geojson_document(image: AnnotatedImage, place: MapPlace | None = None, deviation: float = 0.0) -> dict[str, object]:
    """Make the GeoJSON of an image.

    Rings are closed. Outlines are counter-clockwise and holes clockwise, if y is thought to go up (RFC 7946, 3.1.6).
    `crs` is the member of GeoJSON 2008, which GDAL and QGIS read; RFC 7946 knows longitude and latitude only.

    Args:
        image: The image with its objects.
        place: Where it lies on a map; None: coordinates are in pixels, with y down.
        deviation: See `simplify_polygon`, in pixels.

    Returns:
        The content of the file.
    """
    features = []
    for one in image.objects:
        polygons = [_coordinates(polygon, place) for polygon in one.simplified(deviation).polygons]
        single = len(polygons) == 1
        geometry = {"type": "Polygon" if single else "MultiPolygon", "coordinates": polygons[0] if single else polygons}
        score = None if one.score is None else round(one.score, DECIMALS)
        properties = {"image": image.file, "class": one.label, "number": one.number, "area": one.area}
        properties |= {"mean_probability": score, "classification": {"name": one.label}}  # the latter for QuPath
        features.append({"type": "Feature", "id": one.number, "geometry": geometry, "properties": properties})
    crs = {"crs": {"type": "name", "properties": {"name": place.crs}}} if place else {"coordinates": "pixels"}
    return {"type": "FeatureCollection", **crs, "features": features}


def _coordinates(polygon: Polygon, place: MapPlace | None) -> list[list[list[float]]]:
    turned: Callable[[Ring], Ring] = place.points if place else lambda ring: ring
    step = -1 if place and place.turns else 1
    rings = (np.concatenate([ring, ring[:1]])[::step] for ring in polygon.rings)
    return [plain_numbers(turned(ring)) for ring in rings]
