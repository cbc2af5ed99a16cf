"""Turns map coordinates into pixels of a GeoTIFF."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.convert.problems import Refused
from src.convert.regions import Points
from src.data.predictions.prediction_files import read_georeference
from src.data.reading.unreadable import Unreadable
from src.errors import quoted

SCALE, TIE_POINT, MATRIX, KEYS = 33550, 33922, 34264, 34735  # tags of GeoTIFF 1.1
PROJECTED, GEOGRAPHIC, RASTER_TYPE = 3072, 2048, 1025  # keys of GeoTIFF 1.1
POINT = 2  # value of `RASTER_TYPE`: coordinates are those of the pixels' centres
USER_DEFINED = 32767
WGS84 = 4326  # EPSG number of longitude and latitude; GeoJSON without a crs is in them (RFC 7946)
LONGITUDE_FIRST = re.compile(r"(urn:ogc:def:crs:OGC:[\d.]*:|OGC:)CRS84")
EPSG = re.compile(r"(urn:ogc:def:crs:|https?://www\.opengis\.net/def/crs/)?EPSG[:/]+([\d.]*[:/])?(?P<number>\d+)")


@dataclass(frozen=True)
class MapPlace:
    """Where the pixels of an image lie on a map.

    Attributes:
        matrix: Column and row of a pixel's corner, and 1 → map coordinates x and y, float64 [2, 3].
        epsg: Number of the reference system in the EPSG registry; None if the file does not give it.
    """

    matrix: NDArray[np.float64]
    epsg: int | None

    def pixels(self, points: Points) -> Points:
        """Turn map coordinates into pixels from the top left corner of the image.

        Args:
            points: float64 [points, 2]: x and y.
        """
        return np.asarray(np.linalg.solve(self.matrix[:, :2], (points - self.matrix[:, 2]).T).T, np.float64)


def read_place(path: Path) -> MapPlace | None:
    """Read where an image lies on a map.

    Args:
        path: The image file.

    Returns:
        The place; None if the file has no georeference, or one that cannot be used.

    Raises:
        Refused: The file cannot be read.
    """
    try:
        tags = {code: value for code, _, _, value, _ in read_georeference(path).tags}
    except Unreadable as error:
        raise Refused(str(error), error.setting) from None
    keys = _keys(tags.get(KEYS))
    matrix = _matrix(tags)
    if matrix is None or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:, :2])) == 0:
        return None
    if keys.get(RASTER_TYPE) == POINT:
        matrix[:, 2] -= matrix[:, :2] @ [0.5, 0.5]
    epsg = keys.get(PROJECTED) or keys.get(GEOGRAPHIC)
    return MapPlace(matrix, None if epsg == USER_DEFINED else epsg)


def _matrix(tags: Mapping[int, object]) -> NDArray[np.float64] | None:
    matrix, scale, tie = (np.array(tags.get(code) or [], float) for code in (MATRIX, SCALE, TIE_POINT))
    if matrix.size == 16:
        return matrix.reshape(4, 4)[:2, [0, 1, 3]].copy()
    if scale.size < 2 or tie.size != 6:  # several tie points without a scale need a warp, which is not read
        return None
    (column, row, _, x, y, _), (wide, high) = tie, scale[:2]
    return np.array([[wide, 0, x - column * wide], [0, -high, y + row * high]])


def _keys(directory: object) -> dict[int, int]:
    """Key → value, of the keys with a short value: after a header of four numbers, key, place, count and value."""
    if not isinstance(directory, tuple | list) or len(directory) % 4:
        return {}
    entries = [directory[at : at + 4] for at in range(4, len(directory), 4)]
    return {int(key): int(value) for key, place, _, value in entries if place == 0}


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
