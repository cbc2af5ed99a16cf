"""Reads one region of a Label Studio annotation: a polygon, a box or an ellipse in per cent, or a brush mask."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel

from src.convert.annotations import Options, Shape
from src.convert.formats.brush import read_brush
from src.convert.frame import Frame
from src.convert.problems import Refused
from src.convert.regions import Points, fill_runs
from src.convert.shapes import Ellipse, ellipse_shape, polygon_shape
from src.errors import quoted

# The keys that only a region of this kind has. A key point has a width, but no height.
KINDS = {"polygon": {"points"}, "brush": {"rle"}, "ellipse": {"radiusX", "radiusY"}, "box": {"width", "height"}}
BARE = {"polygon", "rectangle", "ellipse", "brush"}  # the type of a region whose label is in an entry of its own
WITH_AREA = {*BARE, *(f"{name}labels" for name in BARE), "labels"}
UNREAD = {
    "bitmask",
    "bitmasklabels",
    "vector",
    "vectorlabels",
    "magicwand",
    "videorectangle",
}  # with an area, or moving
REMEDY = "draw it again, or remove it"
PER_CENT = 100.0


class Region(BaseModel):
    """An entry of `result`: a region, or an answer about the image. Coordinates are in per cent of its size."""

    id: str | None = None
    type: str
    value: dict[str, object] = {}
    original_width: int | None = None
    original_height: int | None = None
    image_rotation: float = 0

    @property
    def has_area(self) -> bool:
        """Whether it covers pixels; key points, choices and texts do not."""
        return self.type in WITH_AREA and self.kind is not None

    @property
    def kind(self) -> str | None:
        """What it is, a key of `KINDS`; None for other things."""
        return next((kind for kind, keys in KINDS.items() if keys <= self.value.keys()), None)

    @property
    def labels(self) -> list[str]:
        """The names of its classes."""
        names = self.value.get(self.type)
        return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


@dataclass(frozen=True)
class RegionReader:
    """Reads regions in the picture that coordinates refer to.

    Attributes:
        frame: The picture.
        options: The user's decisions.
    """

    frame: Frame
    options: Options

    def shape(self, region: Region, value: int) -> Shape:
        """Read the shape of a region.

        Args:
            region: A region that has an area.
            value: The value of its class in the mask.

        Raises:
            Refused: It cannot be drawn, or boxes are not wanted.
        """
        if region.image_rotation:
            what = f"was drawn on the image turned by {region.image_rotation:g}°"
            raise Refused(what, "set the rotation of the image back to 0 there, and export again")
        if region.kind == "brush":
            counts = read_brush(region.value["rle"], self.frame.height, self.frame.width)
            return Shape(value, functools.partial(fill_runs, counts, self.frame.height, self.frame.width))
        if region.kind == "polygon":
            return polygon_shape(value, [self._points(region.value["points"])], self.frame, self.options)
        return self._box(region, value) if region.kind == "box" else self._ellipse(region, value)

    def _points(self, listed: object) -> Points:
        try:
            points = np.array(listed, float).reshape(-1, 2)
        except (TypeError, ValueError, OverflowError):
            raise Refused("its points are not pairs of x and y", REMEDY) from None
        return points * self._scale()

    def _scale(self) -> Points:
        """Pixels of one per cent of the width and of the height."""
        return np.array([self.frame.width, self.frame.height]) / PER_CENT

    def _box(self, region: Region, value: int) -> Shape:
        """A box; `rotation` turns it clockwise around its top left corner."""
        if not self.options.boxes:
            raise Refused("is a box, not an outline", "draw polygons or brush masks, or fill the boxes with --boxes")
        x, y, width, height, degrees = _numbers(region, ("x", "y", "width", "height"))
        corner, size = self._scale() * (x, y), self._scale() * (width, height)
        turn = math.radians(degrees)
        right, down = np.array([math.cos(turn), math.sin(turn)]), np.array([-math.sin(turn), math.cos(turn)])
        corners = [corner + a * size[0] * right + b * size[1] * down for a, b in ((0, 0), (1, 0), (1, 1), (0, 1))]
        return polygon_shape(value, [np.array(corners)], self.frame, self.options)

    def _ellipse(self, region: Region, value: int) -> Shape:
        """An ellipse; x and y are its centre (in the editor's code; the documentation calls it the corner)."""
        x, y, along, across, degrees = _numbers(region, ("x", "y", "radiusX", "radiusY"))
        (cx, cy), (first, second) = (self._scale() * (x, y)).tolist(), (self._scale() * (along, across)).tolist()
        ellipse = Ellipse((cx, cy), (first, second), math.radians(degrees))
        return ellipse_shape(value, ellipse, self.frame, self.options)


def _numbers(region: Region, keys: Sequence[str]) -> list[float]:
    """The values of the keys, and the rotation in degrees, which may be missing."""
    found = []
    for key in (*keys, "rotation"):
        number = region.value.get(key, 0 if key == "rotation" else None)
        if not isinstance(number, int | float) or isinstance(number, bool) or not abs(number) < 1e9:
            raise Refused(f"{key} is {quoted(number)}, not a number", REMEDY)
        found.append(float(number))
    return found
