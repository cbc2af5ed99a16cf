"""Reads the shape of one COCO annotation: polygons with or without holes, run lengths, or a box."""

import contextlib
import functools
import math
from dataclasses import dataclass, replace
from typing import TypeGuard

import numpy as np
from pydantic import BaseModel

from src.convert.annotations import Options, Shape
from src.convert.formats.rle import read_rle
from src.convert.frame import Frame
from src.convert.holes import NestedPolygons, find_nested
from src.convert.problems import Degenerate, Findings, Refused
from src.convert.regions import Points, fill_runs
from src.convert.shapes import box_shape, check_points, polygon_shape
from src.data.source.dataset import IGNORE

NESTED = "a polygon lies inside another one of the same annotation"
DECIDE = "use --holes cut if such inner polygons are holes, --holes fill if not"
BOX_SLACK = 0.05  # share of the longer side: bbox may differ this much, and 2 pixels more, from the polygons


class AnnotationEntry(BaseModel):
    """An entry of annotations. The segmentation is a list of polygons (x, y, x, y …), or an RLE; bbox is x, y, w, h."""

    id: object = None
    image_id: int | str
    category_id: int
    segmentation: object = None
    bbox: object = None
    area: object = None
    iscrowd: bool | None = False


@dataclass(frozen=True)
class _Box:
    """A bbox, in pixels."""

    left: float
    top: float
    width: float
    height: float

    def corners(self) -> list[float]:
        """Left, top, right and bottom."""
        return [self.left, self.top, self.left + self.width, self.top + self.height]


@dataclass(frozen=True)
class ShapeReader:
    """Reads annotations.

    Attributes:
        options: The user's decisions.
        findings: Gets the problems.
        ignore_crowds: Crowds become pixels to ignore.
    """

    options: Options
    findings: Findings
    ignore_crowds: bool

    def shape(self, annotation: AnnotationEntry, value: int, frame: Frame, where: str) -> Shape | None:
        """Read the shape of an annotation.

        Args:
            annotation: An entry of annotations.
            value: The value of its class in the mask.
            frame: The picture that its coordinates refer to.
            where: The place of the annotation and its image, for findings.

        Returns:
            The shape; None if all its polygons were refused or skipped.

        Raises:
            Refused: It cannot be drawn, or it is not clear how.
        """
        content, below_others = annotation.segmentation, bool(annotation.iscrowd) and self.ignore_crowds
        value = IGNORE if below_others else value
        if isinstance(content, dict) and content:
            counts = read_rle(content, frame.height, frame.width)
            return Shape(value, functools.partial(fill_runs, counts, frame.height, frame.width), below_others)
        if not content:
            return box_shape(value, self._box(annotation), frame, self.options, below_others=below_others)
        listed = _listed(content)
        parts = self._parts(listed, where)
        if not parts:
            return None
        shape = polygon_shape(value, parts, frame, self.options, below_others=below_others)
        if len(parts) == len(listed):  # else the bbox is of more polygons than these
            self._compare_with_box(annotation, parts, frame, where)
        inner = find_nested(parts, frame.height, frame.width)
        return replace(shape, draw=inner.cut) if inner and self._has_holes(annotation, inner, where) else shape

    def _parts(self, listed: list[object], where: str) -> list[Points]:
        """The polygons of a segmentation; a polygon that is refused becomes a finding."""
        parts = []
        for position, part in enumerate(listed):
            with self.findings.collect(f"polygon {position} of {where}" if len(listed) > 1 else where):
                points = _points(part)
                check_points([points])
                parts.append(points)
        return parts

    def _has_holes(self, annotation: AnnotationEntry, inner: NestedPolygons, where: str) -> bool:
        """Tell whether inner polygons are holes: by the option, else by `area`. Raises `Refused` if neither fits."""
        area, choice = _area(annotation), self.options.holes
        if area is None:
            if choice is None:
                what = f"{NESTED}, and no area says whether it is a hole: added up, as COCO defines"
                self.findings.warn(where, what, DECIDE)
            return choice == "cut"
        check = inner.check_area(area)
        sizes = f"area is {area:g}; with a hole it would be about {check.cut:g}, without {check.filled:g}"
        if choice is not None:
            if check.holes not in (None, choice == "cut"):
                self.findings.warn(
                    where,
                    f"{NESTED}; {sizes}. --holes {choice} overrides this",
                    "check this annotation; without --holes, its area would decide",
                )
            return choice == "cut"
        if check.holes is None:
            raise Refused(f"{NESTED}, and its {sizes}", DECIDE)
        if check.holes:
            self.findings.warn(
                where, f"{NESTED}, and is drawn as a hole: {sizes}", "use --holes fill if it is not a hole"
            )
        return check.holes

    def _box(self, annotation: AnnotationEntry) -> list[float]:
        """The sides of bbox of an annotation without a segmentation; raises `Refused` unless boxes are wanted."""
        if annotation.segmentation is None and not self.options.boxes:
            raise Refused("has no segmentation", "export polygons, or fill the boxes with --boxes")
        if not self.options.boxes:
            what = "has no segmentation, only an empty list, as Label Studio writes for brush labels"
            remedy = (
                "export as JSON, use tools.convert label-studio, which reads brushes; or fill the boxes with --boxes"
            )
            raise Refused(what, remedy)
        box = _bbox(annotation.bbox)
        if box is None:
            raise Refused("has neither a segmentation nor a bbox of four numbers", "remove it, or draw it again")
        return box.corners()

    def _compare_with_box(self, annotation: AnnotationEntry, parts: list[Points], frame: Frame, where: str) -> None:
        """Add a warning if bbox and the polygons are at different places."""
        box = _bbox(annotation.bbox)
        if box is None:
            return
        points, limits = np.concatenate(parts), [frame.width, frame.height] * 2
        drawn, stated = (
            np.clip(each, 0, limits) for each in ([*points.min(axis=0), *points.max(axis=0)], box.corners())
        )
        if np.abs(drawn - stated).max() > 2 + BOX_SLACK * max(drawn[2:] - drawn[:2]):
            sides = [", ".join(f"{value:.6g}" for value in each) for each in (stated, drawn)]
            what = f"bbox and segmentation differ: left, top, right and bottom are {sides[0]} and {sides[1]}"
            self.findings.warn(where, what, "compare both with the image; the segmentation is drawn")


def _listed(content: object) -> list[object]:
    """The polygons of a segmentation that is not empty: COCO's list of lists, or a single list of numbers."""
    if not isinstance(content, list) or not isinstance(content[0], list):
        return [content]
    if len(content) > 2 and all(map(_is_pair, content)):
        what = f"holds {len(content)} polygons of one point each, which look like the points of a single polygon"
        raise Refused(what, "write them as one list x, y, x, y … in a list")
    return content


def _points(values: object) -> Points:
    """Read x, y, x, y …, or pairs of x and y, as float64 [points, 2]."""
    if isinstance(values, list) and values and all(map(_is_pair, values)):
        values = [value for pair in values for value in pair]
    if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
        raise Refused("a polygon is not a list of x, y, x, y …", "correct the entry")
    if len(values) % 2:
        raise Degenerate(f"a polygon of {len(values)} numbers is not a list of x, y, x, y …: one is missing")
    try:
        return np.array(values, float).reshape(-1, 2)
    except OverflowError:
        raise Refused("a coordinate is far too large", "correct the entry") from None


def _bbox(bbox: object) -> _Box | None:
    """Read left, top, width and height; None if they are not four numbers."""
    if not isinstance(bbox, list) or len(bbox) != 4 or not all(map(_is_number, bbox)):
        return None
    return _Box(*map(float, bbox))


def _area(annotation: AnnotationEntry) -> float | None:
    """The area of an annotation in pixels; None if it is missing, or is that of bbox, as some programs write it."""
    area = annotation.area
    if isinstance(area, str):
        with contextlib.suppress(ValueError):
            area = float(area)
    if not _is_number(area) or area <= 0:
        return None
    box = _bbox(annotation.bbox)
    same = box is not None and math.isclose(area, box.width * box.height, rel_tol=1e-3)
    return None if same else float(area)


def _is_pair(value: object) -> TypeGuard[list[float]]:
    return isinstance(value, list) and len(value) == 2 and all(type(part) in (int, float) for part in value)


def _is_number(value: object) -> TypeGuard[float]:
    """Return whether a value from JSON is a finite number of a usable size (not a bool)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15
