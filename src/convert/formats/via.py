"""Reads VGG Image Annotator (VIA) 2: a JSON with the files and their regions, as a project or as exported."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
from pydantic import BaseModel, Field

from src.convert.annotations import IN_PIXELS, Annotations, Item, Options, Shape
from src.convert.classes import classes_by_value, is_background, number_classes, value_of_label, warn_of_unclear_names
from src.convert.finder import Finder, warn_of_found_names, warn_of_unlisted
from src.convert.frame import Frame, read_header, resolve_frame
from src.convert.names import list_files, locate
from src.convert.problems import Findings, Refused, parse_json
from src.convert.shapes import Ellipse, box_shape, ellipse_shape, polygon_shape
from src.data.reading.images import SUFFIXES
from src.errors import UserError, quoted, some
from src.files import Content
from src.progress import progress

PROJECT = "_via_img_metadata"  # holds the files in a project; an export holds nothing else
WITHOUT_AREA = {"point", "polyline"}
HOLES = "draw each after the shape around it, with the class background"
REMEDY = "draw it again, or remove it"


class RegionEntry(BaseModel):
    """A region: its shape in pixels, and what was said about it."""

    shape_attributes: dict[str, object]
    region_attributes: dict[str, object] = {}

    @property
    def kind(self) -> str:
        return str(self.shape_attributes.get("name"))


class FileEntry(BaseModel):
    """A file with its regions; VIA 1 numbers them in a mapping."""

    filename: str
    regions: list[RegionEntry] | dict[str, RegionEntry] = Field(default_factory=list)

    @property
    def listed(self) -> list[RegionEntry]:
        return self.regions if isinstance(self.regions, list) else list(self.regions.values())


@dataclass(frozen=True)
class Labelling:
    """How regions get a class.

    Attributes:
        names: The classes in their order; None: the classes of all regions, sorted.
        key: The attribute that names the class; None: the only one that regions have.
        unclassified: The class of regions without one; None: they are refused.
        keep_unlabelled: A file without a region gets a mask of background; else it is left out.
    """

    names: Sequence[str] | None = None
    key: str | None = None
    unclassified: str | None = None
    keep_unlabelled: bool = False

    def label(self, region: RegionEntry) -> str:
        """The class of a region; raises `Refused` if it has none, or several."""
        found = region.region_attributes.get(self.key or "")
        if isinstance(found, dict):  # check boxes
            ticked = [str(name) for name, chosen in found.items() if chosen]
            if len(ticked) > 1:
                raise Refused(f"is of {len(ticked)} classes: {some(ticked)}", "choose one of them")
            found = ticked[0] if ticked else None
        if isinstance(found, str | int) and not isinstance(found, bool) and str(found).strip():
            return str(found).strip()
        if self.unclassified is not None:
            return self.unclassified
        raise Refused(f"has no {quoted(self.key)}", "choose it, or name the class of such regions with --unclassified")


def read_via(path: Path, images: Path, labelling: Labelling, options: Options) -> Annotations:
    """Read a project or an export of VIA 2. Later regions are drawn over earlier ones.

    Args:
        path: The JSON.
        images: The folder of the images.
        labelling: How regions get a class.
        options: The user's decisions.

    Raises:
        UserError: The file cannot be read or is no such JSON, or its classes cannot be used.
    """
    findings = Findings(options.skip_degenerate)
    entries = _entries(path, findings)
    drawn = [(place, entry) for place, entry in entries if entry.listed or labelling.keep_unlabelled]
    labelling = _with_key(labelling, [region for _, entry in entries for region in entry.listed], path, findings)
    labels = _labels(drawn, labelling, findings)
    values = number_classes(labelling.names or [name for name in sorted(labels) if not is_background(name)], path)
    warn_of_unclear_names(labelling.names or sorted(labels), str(path), findings)
    files = list_files(images, SUFFIXES, findings)
    items, finder, elsewhere = list[Item](), Finder(images, files), dict[str, PurePosixPath]()
    for place, entry in progress(drawn, len(drawn), "read"):
        with findings.collect(place):
            name = finder.find(entry.filename)
            header = read_header(locate(images, name))
            frame = resolve_frame(header, None, options.coordinates, bool(entry.listed))
            items.append(Item(name, locate(images, name), frame, []))
            if str(name) != entry.filename:
                elsewhere[entry.filename] = name
            for position, region in enumerate(entry.listed):
                with findings.collect(f"region {position} of {place}"):
                    if region.kind not in WITHOUT_AREA:
                        value = value_of_label(values, labelling.label(region))
                        items[-1].shapes.append(_shape(region.shape_attributes, value, frame, options))
    _warn(entries, drawn, path, findings)
    warn_of_found_names(elsewhere, path, findings)
    if len(items) == len(entries):
        warn_of_unlisted(files, {item.name for item in items}, images, findings)
    return Annotations(classes_by_value(values), items, False, [images], findings, HOLES, hint=IN_PIXELS)


def _entries(path: Path, findings: Findings) -> list[tuple[str, FileEntry]]:
    """The valid files, each with its place for messages."""
    try:
        content = parse_json(path)
    except Refused as error:
        raise UserError(f"{path}: {error} → {error.remedy}") from None
    files = content.get(PROJECT, content) if isinstance(content, dict) else None
    if isinstance(content, dict) and {"metadata", "view"} <= content.keys():
        raise UserError(f"{path}: is a project of VIA 3, which is not read → annotate with VIA 2, or export as COCO")
    if not isinstance(files, dict) or not any(isinstance(one, dict) and "regions" in one for one in files.values()):
        raise UserError(f"{path}: is not the JSON of VIA 2 → save the project, or export the annotations as JSON")
    entries = []
    for key, entry in files.items():
        with findings.collect(key):
            entries.append((key, FileEntry.model_validate(entry)))
    return entries


def _with_key(labelling: Labelling, regions: Iterable[RegionEntry], path: Path, findings: Findings) -> Labelling:
    """The labelling with the attribute that names the class. `UserError` if it is not clear which one."""
    counts = Counter(name for region in regions for name in region.region_attributes)
    if labelling.key is not None and labelling.key not in counts:
        shown = some(counts) if counts else "none"
        raise UserError(f"{path}: no region has the attribute {quoted(labelling.key)}; attributes there: {shown}")
    if labelling.key is None and len(counts) > 1:
        what = f"{path}: regions have several attributes: {some(counts)}"
        raise UserError(f"{what} → name the one that is the class: --property {next(iter(counts))}")
    if labelling.key is None and not counts and labelling.unclassified is None:
        findings.stop_on_errors()
        raise UserError(
            f"{path}: no region has an attribute that names its class → --unclassified cell, if all are cells"
        )
    return replace(labelling, key=labelling.key or next(iter(counts), None))


def _labels(drawn: Iterable[tuple[str, FileEntry]], labelling: Labelling, findings: Findings) -> Counter[str]:
    """Class → number of regions. If no region has one, the problems of all regions are raised as `UserError`."""
    labels: Counter[str] = Counter()
    missing = Findings()
    for place, entry in drawn:
        for position, region in enumerate(entry.listed):
            if region.kind not in WITHOUT_AREA:
                with missing.collect(f"region {position} of {place}"):
                    labels[labelling.label(region)] += 1
    if not labels and not labelling.names:
        findings.extend(missing)
        findings.stop_on_errors()
    return labels


def _shape(attributes: Mapping[str, object], value: int, frame: Frame, options: Options) -> Shape:
    kind = attributes.get("name")
    if kind == "polygon":
        columns, rows = (_numbers(attributes.get(f"all_points_{axis}"), axis) for axis in "xy")
        if len(columns) != len(rows):
            raise Refused(f"has {len(columns)} x and {len(rows)} y", REMEDY)
        return polygon_shape(value, [np.array([columns, rows], float).T.reshape(-1, 2)], frame, options)
    if kind == "rect":
        if not options.boxes:
            raise Refused("is a box, not an outline", "draw polygons, or fill the boxes with --boxes")
        x, y, width, height = _values(attributes, ("x", "y", "width", "height"))
        return box_shape(value, (x, y, x + width, y + height), frame, options)
    if kind == "circle":
        x, y, radius = _values(attributes, ("cx", "cy", "r"))
        return ellipse_shape(value, Ellipse((x, y), (radius, radius)), frame, options)
    if kind == "ellipse":
        x, y, first, second, turn = _values({"theta": 0} | dict(attributes), ("cx", "cy", "rx", "ry", "theta"))
        return ellipse_shape(value, Ellipse((x, y), (first, second), turn), frame, options)
    raise Refused(f"is a {quoted(attributes.get('name'))}", "draw polygons, circles or ellipses")


def _values(attributes: Mapping[str, object], keys: Sequence[str]) -> list[float]:
    return _numbers([attributes.get(key) for key in keys], ", ".join(keys))


def _numbers(listed: Content, what: str) -> list[float]:
    if not isinstance(listed, list) or not all(type(one) in (int, float) and abs(one) < 1e15 for one in listed):
        raise Refused(f"{what}: {quoted(listed)} is not a list of numbers", REMEDY)
    return list(map(float, listed))


def _warn(
    entries: Sequence[tuple[str, FileEntry]], drawn: Sequence[tuple[str, FileEntry]], path: Path, findings: Findings
) -> None:
    """Warn of files and regions that are left out."""
    kinds = Counter(region.kind for _, entry in entries for region in entry.listed if region.kind in WITHOUT_AREA)
    if kinds:
        what = ", ".join(f"{count} {quoted(kind)}" for kind, count in sorted(kinds.items()))
        findings.warn(str(path), f"regions without an area are left out: {what}", "draw them as polygons if they count")
    if empty := [entry.filename for _, entry in entries if not entry.listed] if len(drawn) < len(entries) else []:
        what = f"{len(empty)} file(s) have no region, and are left out: {some(empty)}"
        findings.warn(str(path), what, "use --keep-unlabelled if they show nothing of the classes")
