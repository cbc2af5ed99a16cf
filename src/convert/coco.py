"""COCO instances: one JSON with the lists images, annotations and categories."""

import functools
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel

from src.convert.annotations import Annotations, Item, Options, Shape, box, classes_of, number, polygon
from src.convert.frame import Frame, decide, read_header
from src.convert.names import locate, safe_name, walk
from src.convert.problems import Findings, Refused, parse_json, quoted
from src.convert.regions import Points, fill_runs
from src.convert.rle import read_rle
from src.data.dataset import IGNORE
from src.data.images import SUFFIXES
from src.errors import UserError
from src.progress import progress

Entry = TypeVar("Entry", bound=BaseModel)
LISTS = ("images", "annotations", "categories")


class Image(BaseModel):
    """An entry of images; the size may be missing."""

    id: int | str
    file_name: str
    width: int | None = None
    height: int | None = None


class Category(BaseModel):
    """An entry of categories."""

    id: int
    name: str


class Annotation(BaseModel):
    """An entry of annotations. The segmentation is a list of polygons (x, y, x, y …), or an RLE; bbox is x, y, w, h."""

    image_id: int | str
    category_id: int
    segmentation: Any = None
    bbox: Any = None
    iscrowd: bool | None = False


def read_coco(path: Path, images: Path, options: Options, *, ignore_crowds: bool = True) -> Annotations:
    """Read the JSON at `path`, whose file names are below the folder `images`.

    Classes are numbered by category id. Larger shapes lie beneath smaller ones, and crowds (unless `ignore_crowds` is
    False: then they are shapes like others) beneath all, as pixels to ignore.
    """
    content, findings = _content(path), Findings()
    files = walk(images, SUFFIXES, findings)
    categories = _once(_entries(Category, content, "categories", findings), "category", findings)
    entries = _once(_entries(Image, content, "images", findings), "image", findings)
    values = number([categories[identity].name for identity in sorted(categories)], path)
    value_of = {identity: values[category.name] for identity, category in categories.items()}
    annotations = _by_image(_entries(Annotation, content, "annotations", findings), entries, value_of, findings)
    items = []
    for identity, entry in progress(entries.items(), len(entries), "read"):
        with findings.collect(entry.file_name):
            item = _item(entry, images, bool(annotations[identity]), options)
            for place, annotation in annotations[identity]:
                with findings.collect(f"{place} on {entry.file_name}"):
                    value = value_of[annotation.category_id]
                    item.shapes.append(_shape(annotation, value, item.frame, options, ignore_crowds))
            items.append(item)
    _warn_of_others(files, items, images, findings)
    return Annotations(classes_of(values), items, True, [images], findings)


def _content(path: Path) -> dict[str, Any]:
    try:
        content = parse_json(path)
    except Refused as error:
        raise UserError(f"{path}: {error} → {error.remedy}") from None
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in LISTS):
        raise UserError(f"{path}: is not COCO instances, which hold the lists {', '.join(LISTS)}")
    return content


def _by_image(
    placed: Iterable[tuple[str, Annotation]], entries: dict[Any, Image], value_of: dict[int, int], findings: Findings
) -> dict[Any, list[tuple[str, Annotation]]]:
    """Image id → its annotations with their places; an unknown image or category is an error."""
    by_image: dict[Any, list[tuple[str, Annotation]]] = defaultdict(list)
    for place, annotation in placed:
        with findings.collect(place):
            if annotation.image_id not in entries:
                raise Refused(
                    f"image_id {quoted(annotation.image_id)} is none of images", "correct it, or remove the entry"
                )
            if annotation.category_id not in value_of:
                raise Refused(
                    f"category_id {quoted(annotation.category_id)} is none of categories", "correct it, or add it"
                )
            by_image[annotation.image_id].append((place, annotation))
    return by_image


def _entries(model: type[Entry], content: Any, key: str, findings: Findings) -> list[tuple[str, Entry]]:
    """Each valid entry of a list, with the place it stands at for messages."""
    entries = []
    for position, entry in enumerate(content[key]):
        with findings.collect(f"{key}[{position}]"):
            entries.append((f"{key}[{position}]", model.model_validate(entry)))
    return entries


def _once(entries: Iterable[tuple[str, Any]], what: str, findings: Findings) -> dict[Any, Any]:
    """id → entry; an id that occurs again is an error."""
    by_id: dict[Any, Any] = {}
    for place, entry in entries:
        with findings.collect(place):
            if entry.id in by_id:
                raise Refused(f"{what} id {quoted(entry.id)} occurs twice", "give every one an id of its own")
            by_id[entry.id] = entry
    return by_id


def _item(entry: Image, images: Path, annotated: bool, options: Options) -> Item:
    name = safe_name(entry.file_name)
    path = locate(images, name)
    header = read_header(path)
    said = None if entry.width is None or entry.height is None else (entry.width, entry.height)
    coordinates = options.coordinates if annotated else "shown"  # an empty mask has no way up
    return Item(name, path, decide(header, said, coordinates), [])


def _shape(annotation: Annotation, value: int, frame: Frame, options: Options, ignore_crowds: bool) -> Shape:
    content, beneath = annotation.segmentation, bool(annotation.iscrowd) and ignore_crowds
    value = IGNORE if beneath else value
    if isinstance(content, dict):
        counts = read_rle(content, frame.height, frame.width)
        return Shape(value, functools.partial(fill_runs, counts, frame.height, frame.width), beneath)
    if content:
        parts = content if isinstance(content, list) and isinstance(content[0], list) else [content]
        return polygon(value, [_points(part) for part in parts], frame, options, beneath=beneath)
    if not options.boxes:
        raise Refused("has no segmentation", "export polygons, or fill the boxes with --boxes")
    if not isinstance(annotation.bbox, list) or len(annotation.bbox) != 4:
        raise Refused("has neither a segmentation nor a bbox of four numbers", "remove it, or draw it again")
    (left, top), (width, height) = _points(annotation.bbox)
    return box(value, (left, top, left + width, top + height), frame, options, beneath=beneath)


def _points(values: Any) -> Points:
    """x, y, x, y … as float64 [points, 2]."""
    if not isinstance(values, list) or len(values) % 2 or not all(type(value) in (int, float) for value in values):
        raise Refused("a polygon is not a list of x, y, x, y …", "correct the entry")
    try:
        return np.array(values, float).reshape(-1, 2)
    except OverflowError:
        raise Refused("a coordinate is far too large", "correct the entry") from None


def _warn_of_others(names: list[PurePosixPath], items: list[Item], images: Path, findings: Findings) -> None:
    named = {item.name for item in items}
    others = [name for name in names if name not in named]
    if others:
        what = f"{len(others)} image(s) there are not in the JSON, and left out; the first is {quoted(str(others[0]))}"
        findings.warn(str(images), what, "add them to the JSON if they show nothing of the classes")
