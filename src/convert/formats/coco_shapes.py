"""One COCO annotation to a shape: polygons, with or without holes, run lengths, and boxes."""

import contextlib
import functools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import BaseModel

from src.convert.annotations import Options, Shape, box, check_points, polygon
from src.convert.formats.rle import read_rle
from src.convert.frame import Frame
from src.convert.holes import Nested, nested
from src.convert.problems import Degenerate, Findings, Refused
from src.convert.regions import Points, fill_runs
from src.data.source.dataset import IGNORE

NESTED = "a polygon lies inside another one of the same annotation"
DECIDE = "use --holes cut if such inner polygons are holes, --holes fill if not"
BOX_SLACK = 0.05  # of the longer side, beside 2 pixels: how far the sides of bbox may be from the polygons


class Annotation(BaseModel):
    """An entry of annotations. The segmentation is a list of polygons (x, y, x, y …), or an RLE; bbox is x, y, w, h."""

    id: Any = None
    image_id: int | str
    category_id: int
    segmentation: Any = None
    bbox: Any = None
    area: Any = None
    iscrowd: bool | None = False


@dataclass(frozen=True)
class Reader:
    """How annotations are read: the options, where findings go, and whether crowds are pixels to ignore."""

    options: Options
    findings: Findings
    ignore_crowds: bool

    def shape(self, annotation: Annotation, value: int, frame: Frame, where: str) -> Shape | None:
        """The shape of an annotation; None if nothing of it is left.

        Args:
            annotation: An entry of annotations.
            value: The value of its class in the mask.
            frame: The picture that its coordinates refer to.
            where: The place of the annotation and its image, for findings.
        """
        content, below_others = annotation.segmentation, bool(annotation.iscrowd) and self.ignore_crowds
        value = IGNORE if below_others else value
        if isinstance(content, dict) and content:
            counts = read_rle(content, frame.height, frame.width)
            return Shape(value, functools.partial(fill_runs, counts, frame.height, frame.width), below_others)
        if not content:
            return box(value, self._box(annotation), frame, self.options, below_others=below_others)
        listed = _listed(content)
        parts = self._parts(listed, where)
        if not parts:
            return None
        shape = polygon(value, parts, frame, self.options, below_others=below_others)
        if len(parts) == len(listed):  # bbox is that of all polygons
            self._compare_with_box(annotation, parts, frame, where)
        inner = nested(parts, frame.height, frame.width)
        return replace(shape, draw=inner.cut) if inner and self._has_holes(annotation, inner, where) else shape

    def _parts(self, listed: list[Any], where: str) -> list[Points]:
        """The polygons of a segmentation; one that is refused is a finding."""
        parts = []
        for position, part in enumerate(listed):
            with self.findings.collect(f"polygon {position} of {where}" if len(listed) > 1 else where):
                points = _points(part)
                check_points([points])
                parts.append(points)
        return parts

    def _has_holes(self, annotation: Annotation, inner: Nested, where: str) -> bool:
        """Whether inner polygons are holes, as `area` or the user says; raises `Refused` if `area` fits neither."""
        area, choice = _area(annotation), self.options.holes
        if area is None:
            if choice is None:
                what = f"{NESTED}, and no area says whether it is a hole: added up, as COCO defines"
                self.findings.warn(where, what, DECIDE)
            return choice == "cut"
        reading = inner.reading(area)
        sizes = f"area is {area:g}; with a hole it would be about {reading.cut:g}, without {reading.filled:g}"
        if choice is not None:
            if reading.holes not in (None, choice == "cut"):
                self.findings.warn(
                    where,
                    f"{NESTED}; {sizes}. --holes {choice} overrides this",
                    "check this annotation; without --holes, its area would decide",
                )
            return choice == "cut"
        if reading.holes is None:
            raise Refused(f"{NESTED}, and its {sizes}", DECIDE)
        if reading.holes:
            self.findings.warn(
                where, f"{NESTED}, and is drawn as a hole: {sizes}", "use --holes fill if it is not a hole"
            )
        return reading.holes

    def _box(self, annotation: Annotation) -> tuple[float, float, float, float]:
        """The corners of bbox, for an annotation without a segmentation; raises `Refused` unless that is wanted."""
        if annotation.segmentation is None and not self.options.boxes:
            raise Refused("has no segmentation", "export polygons, or fill the boxes with --boxes")
        if not self.options.boxes:
            what = "has no segmentation, only an empty list, as Label Studio writes for brush labels"
            remedy = "export brush labels as PNG masks, which need no conversion; or fill the boxes with --boxes"
            raise Refused(what, remedy)
        corners = _corners(annotation.bbox)
        if corners is None:
            raise Refused("has neither a segmentation nor a bbox of four numbers", "remove it, or draw it again")
        return corners

    def _compare_with_box(self, annotation: Annotation, parts: list[Points], frame: Frame, where: str) -> None:
        """Add a warning if bbox is not where the polygons are."""
        corners = _corners(annotation.bbox)
        if corners is None:
            return
        points, limits = np.concatenate(parts), [frame.width, frame.height] * 2
        drawn, stated = (np.clip(each, 0, limits) for each in ([*points.min(axis=0), *points.max(axis=0)], corners))
        if np.abs(drawn - stated).max() > 2 + BOX_SLACK * max(drawn[2:] - drawn[:2]):
            sides = [", ".join(f"{value:.6g}" for value in each) for each in (stated, drawn)]
            what = f"bbox and segmentation differ: left, top, right and bottom are {sides[0]} and {sides[1]}"
            self.findings.warn(where, what, "compare both with the image; the segmentation is drawn")


def _listed(content: Any) -> list[Any]:
    """The polygons of a segmentation: the list of lists that COCO defines, or a single list of numbers."""
    if not isinstance(content, list) or not isinstance(content[0], list):
        return [content]
    if len(content) > 2 and all(map(_is_pair, content)):
        what = f"holds {len(content)} polygons of one point each, which look like the points of a single polygon"
        raise Refused(what, "write them as one list x, y, x, y … in a list")
    return content


def _points(values: Any) -> Points:
    """x, y, x, y …, or pairs of x and y, as float64 [points, 2]."""
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


def _corners(bbox: Any) -> tuple[float, float, float, float] | None:
    """Left, top, right and bottom of a bbox; None if it is not four numbers."""
    if not isinstance(bbox, list) or len(bbox) != 4 or not all(map(_is_number, bbox)):
        return None
    left, top, width, height = map(float, bbox)
    return left, top, left + width, top + height


def _area(annotation: Annotation) -> float | None:
    """The area of an annotation; None if it is missing, or that of bbox, as some programs write."""
    area, bbox = annotation.area, annotation.bbox
    if isinstance(area, str):
        with contextlib.suppress(ValueError):
            area = float(area)
    if not _is_number(area) or area <= 0:
        return None
    corners = _corners(bbox)
    same = corners is not None and math.isclose(area, bbox[2] * bbox[3], rel_tol=1e-3)
    return None if same else float(area)


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(part) in (int, float) for part in value)


def _is_number(value: Any) -> bool:
    """Whether a value from JSON is a finite number of a usable size."""
    return type(value) in (int, float) and abs(value) < 1e15
