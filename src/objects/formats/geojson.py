"""Writes GeoJSON: a feature for each object, in map coordinates or in pixels."""

from collections.abc import Callable

import numpy as np

from src.objects.annotated import AnnotatedImage, plain_numbers
from src.objects.map_place import MapPlace
from src.objects.outlines import Polygon, Ring

DECIMALS = 6  # of a probability


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
