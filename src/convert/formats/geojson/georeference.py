"""The place of an image on a map, and the reference system of a GeoJSON."""

import re
from pathlib import Path

from src.convert.problems import Refused
from src.data.predictions.prediction_files import read_georeference
from src.data.reading.unreadable import Unreadable
from src.errors import quoted
from src.objects.map_place import WGS84, MapPlace, map_place

LONGITUDE_FIRST = re.compile(r"(urn:ogc:def:crs:OGC:[\d.]*:|OGC:)CRS84")
EPSG = re.compile(r"(urn:ogc:def:crs:|https?://www\.opengis\.net/def/crs/)?EPSG[:/]+([\d.]*[:/])?(?P<number>\d+)")


def read_place(path: Path) -> MapPlace | None:
    """Read where an image lies on a map.

    Args:
        path: The image file.

    Returns:
        The place; None without a georeference, or without one that can be used (see `map_place`).

    Raises:
        Refused: The file cannot be read.
    """
    try:
        return map_place(read_georeference(path))
    except Unreadable as error:
        raise Refused(str(error), error.setting) from None


def epsg_of(crs: object) -> int:
    """The number of the reference system in the EPSG registry.

    Args:
        crs: The member crs of a GeoJSON; None: longitude and latitude, as RFC 7946 says.

    Raises:
        Refused: It is written in a way that is not known.
    """
    if crs is None:
        return WGS84
    properties = crs.get("properties") if isinstance(crs, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    if isinstance(name, str) and LONGITUDE_FIRST.fullmatch(name):
        return WGS84
    if not isinstance(name, str) or (found := EPSG.fullmatch(name)) is None:
        remedy = "export with an EPSG code, as ogr2ogr -t_srs EPSG:32632 does"
        raise Refused(f"its crs {quoted(name)} has no EPSG number", remedy)
    return int(found["number"])
