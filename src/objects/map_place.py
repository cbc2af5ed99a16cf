"""Where an image lies on a map: from the tags of GeoTIFF, and from pixels to map coordinates and back."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from src.data.predictions.prediction_files import Georeference

SCALE, TIE_POINTS, MATRIX, KEYS = 33550, 33922, 34264, 34735  # tags of GeoTIFF 1.1, as the next constants
MODEL_TYPE, RASTER_TYPE, GEOGRAPHIC, PROJECTED = 1024, 1025, 2048, 3072
PROJECTED_MODEL, GEOGRAPHIC_MODEL, PIXEL_IS_POINT = 1, 2, 2
REGISTERED = range(1024, 32767)  # codes of the EPSG registry; 32767 means defined by the user
WGS84 = 4326  # EPSG code of longitude and latitude
Points = NDArray[np.float64]  # [points, 2]: x and y


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

    def points(self, ring: Points) -> Points:
        """The map coordinates of the points of a ring."""
        return np.array(self.origin) + ring @ np.array([self.right, self.down])

    def pixels(self, points: Points) -> Points:
        """The columns and rows of points on the map, from the top left corner of the image; float64 [points, 2]."""
        offsets = (points - np.array(self.origin)).T
        return np.asarray(np.linalg.solve(np.array([self.right, self.down]).T, offsets).T, np.float64)


def map_place(georeference: Georeference) -> MapPlace | None:
    """Read where an image lies on a map.

    Args:
        georeference: The GeoTIFF tags of the image.

    Returns:
        The place; None without an affine transform, or without a reference system of the EPSG registry.
    """
    keys, transform = geo_keys(georeference), _transform({tag[0]: tag[3] for tag in georeference.tags})
    code = {PROJECTED_MODEL: PROJECTED, GEOGRAPHIC_MODEL: GEOGRAPHIC}.get(keys.get(MODEL_TYPE, 0))
    epsg = keys.get(code or 0, 0)
    if transform is None or epsg not in REGISTERED:
        return None
    origin, right, down = transform
    if keys.get(RASTER_TYPE) == PIXEL_IS_POINT:
        origin = origin - (right + down) / 2
    return MapPlace((origin[0], origin[1]), (right[0], right[1]), (down[0], down[1]), epsg)


def geo_keys(georeference: Georeference) -> dict[int, int]:
    """Read the GeoTIFF keys that are single numbers.

    Args:
        georeference: The GeoTIFF tags of an image.

    Returns:
        Key → value.
    """
    directory = next((tag[3] for tag in georeference.tags if tag[0] == KEYS), None)
    if not isinstance(directory, tuple) or not all(isinstance(value, int) for value in directory):
        return {}
    entries = (directory[at : at + 4] for at in range(4, len(directory) - 3, 4))
    return {key: value for key, location, count, value in entries if location == 0 and count == 1}


def _transform(tags: Mapping[int, object]) -> NDArray[np.float64] | None:
    """Origin, step to the right and step down in map coordinates, float64 [3, 2]; None if it is not an affine one."""
    scale, points, matrix = (_numbers(tags.get(code)) for code in (SCALE, TIE_POINTS, MATRIX))
    if len(scale) >= 2 and len(points) == 6:
        column, row, _, x, y, _ = points
        found = np.array([[x - column * scale[0], y + row * scale[1]], [scale[0], 0], [0, -scale[1]]])
    elif len(matrix) == 16:
        found = np.array([[matrix[3], matrix[7]], [matrix[0], matrix[4]], [matrix[1], matrix[5]]])
    else:
        return None
    return found if np.isfinite(found).all() and np.linalg.det(found[1:]) != 0 else None


def _numbers(value: object) -> list[float]:
    if not isinstance(value, tuple) or not all(isinstance(one, int | float) for one in value):
        return []
    return [float(one) for one in value]
