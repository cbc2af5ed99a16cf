"""Reads COCO instances: one JSON with the lists images, annotations and categories."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TypeVar

from pydantic import BaseModel

from src.convert.annotations import IN_PIXELS, Annotations, Item, Options
from src.convert.classes import classes_by_value, number_classes, warn_of_unclear_names
from src.convert.finder import Finder, warn_of_found_names, warn_of_unlisted
from src.convert.formats.coco_shapes import AnnotationEntry, ShapeReader
from src.convert.frame import read_header, resolve_frame
from src.convert.names import list_files, locate
from src.convert.problems import Findings, Refused, parse_json
from src.data.reading.images import SUFFIXES
from src.errors import UserError, quoted
from src.progress import progress

Entry = TypeVar("Entry", bound=BaseModel)
Key = TypeVar("Key", int, str)
Placed = tuple[str, AnnotationEntry]  # the place of an annotation, for messages, and the annotation
HOLES = "put both polygons into one annotation and use --holes cut, or export RLE"
LISTS = ("images", "annotations", "categories")


class ImageEntry(BaseModel):
    """An entry of images. The size may be missing; some programs also write the file into `path`."""

    id: int | str
    file_name: str
    width: int | None = None
    height: int | None = None
    path: object = None


class CategoryEntry(BaseModel):
    """An entry of categories."""

    id: int
    name: str


Listed = TypeVar("Listed", ImageEntry, CategoryEntry)


def read_coco(path: Path, images: Path, options: Options, *, ignore_crowds: bool = True) -> Annotations:
    """Read COCO instances.

    Classes are numbered by category id. Larger shapes are drawn below smaller ones.

    Args:
        path: The JSON.
        images: The folder that file names start at.
        options: The user's decisions.
        ignore_crowds: Crowds become pixels to ignore, drawn below all shapes; else they are shapes like others.

    Raises:
        UserError: The file cannot be read or is not COCO instances, or its categories cannot be classes.
    """
    content, findings = _content(path), Findings(options.skip_degenerate)
    files = list_files(images, SUFFIXES, findings)
    numbered = _entries(CategoryEntry, content["categories"], "categories", findings)
    categories = _by_key(numbered, lambda entry: entry.id, "category", findings)
    pictures = _entries(ImageEntry, content["images"], "images", findings)
    # As text, since some programs write 7 here and "7" in the annotations.
    entries = _by_key(pictures, lambda entry: str(entry.id), "image", findings)
    placed = _entries(AnnotationEntry, content["annotations"], "annotations", findings)
    annotated = Counter(annotation.category_id for _, annotation in placed)
    categories = _without_unused_doubles(categories, annotated, path, findings)
    values = number_classes([categories[identity].name for identity in sorted(categories)], path)
    warn_of_unclear_names([category.name for category in categories.values()], str(path), findings)
    value_of = {identity: values[category.name] for identity, category in categories.items()}
    annotations = _by_image(placed, entries, value_of, findings)
    reader, finder = ShapeReader(options, findings, ignore_crowds), Finder(images, files)
    items: list[Item] = []
    elsewhere: dict[str, PurePosixPath] = {}
    for identity, entry in progress(entries.items(), len(entries), "read"):
        with findings.collect(entry.file_name):
            item = _item(entry, finder, bool(annotations[identity]), options)
            for place, annotation in annotations[identity]:
                where = f"{place} on {entry.file_name}"
                with findings.collect(where):
                    shape = reader.shape(annotation, value_of[annotation.category_id], item.frame, where)
                    item.shapes.extend([] if shape is None else [shape])
            items.append(item)
            if item.name != PurePosixPath(PureWindowsPath(entry.file_name).as_posix()):
                elsewhere[entry.file_name] = item.name
    warn_of_found_names(elsewhere, path, findings)
    warn_of_unlisted(files, {item.name for item in items}, images, findings)
    return Annotations(classes_by_value(values), items, True, [images], findings, HOLES, hint=IN_PIXELS)


def _content(path: Path) -> dict[str, list[object]]:
    try:
        content = parse_json(path)
    except Refused as error:
        raise UserError(f"{path}: {error} → {error.remedy}") from None
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in LISTS):
        raise UserError(f"{path}: is not COCO instances, which hold the lists {', '.join(LISTS)}")
    return content


def _by_image(
    placed: Iterable[Placed], entries: Mapping[str, ImageEntry], value_of: Mapping[int, int], findings: Findings
) -> dict[str, list[Placed]]:
    """Group annotations by image id; an unknown image or category is an error."""
    by_image: dict[str, list[Placed]] = defaultdict(list)
    for place, annotation in placed:
        with findings.collect(place):
            if str(annotation.image_id) not in entries:
                raise Refused(
                    f"image_id {quoted(annotation.image_id)} is not among the images", "correct it, or remove the entry"
                )
            if annotation.category_id not in value_of:
                what = f"category_id {quoted(annotation.category_id)} is not among the categories"
                raise Refused(what, "correct it, or add it to the categories")
            identity = "" if annotation.id is None else f" (id {quoted(annotation.id)})"
            by_image[str(annotation.image_id)].append((f"{place}{identity}", annotation))
    return by_image


def _entries(model: type[Entry], content: list[object], key: str, findings: Findings) -> list[tuple[str, Entry]]:
    """The valid entries of the list `key`, each with its place for messages."""
    entries = []
    for position, entry in enumerate(content):
        with findings.collect(f"{key}[{position}]"):
            entries.append((f"{key}[{position}]", model.model_validate(entry)))
    return entries


def _by_key(
    entries: Iterable[tuple[str, Listed]], key: Callable[[Listed], Key], what: str, findings: Findings
) -> dict[Key, Listed]:
    """The entries by their id; an id that occurs again is an error."""
    by_key: dict[Key, Listed] = {}
    for place, entry in entries:
        with findings.collect(place):
            if key(entry) in by_key:
                raise Refused(f"{what} id {quoted(entry.id)} occurs twice", "give every one an id of its own")
            by_key[key(entry)] = entry
    return by_key


def _without_unused_doubles(
    categories: dict[int, CategoryEntry], annotated: Counter[int], path: Path, findings: Findings
) -> dict[int, CategoryEntry]:
    """Leave out categories that share their name with another one and have no annotation.

    Roboflow writes a category 0 with the name of the project, which often is also the name of a class.
    """
    by_name: dict[str, list[int]] = defaultdict(list)
    for identity in sorted(categories):
        by_name[categories[identity].name].append(identity)
    left_out = set()
    for name, identities in by_name.items():
        used = [identity for identity in identities if annotated[identity]] or identities[:1]
        unused = [identity for identity in identities if identity not in used]
        if len(used) > 1:
            raise UserError(
                f"{path}: named twice: {quoted(name)}; categories {', '.join(map(str, used))} have this name, and "
                f"annotations: rename one, or give all their annotations one category_id"
            )
        if unused:
            left_out.update(unused)
            ids = ", ".join(map(str, unused))
            what = (
                f"left out: category {ids}, without annotations; category {used[0]} has the same name, {quoted(name)}"
            )
            findings.warn(str(path), what, "expected in exports of Roboflow; elsewhere, check the categories")
    return {identity: category for identity, category in categories.items() if identity not in left_out}


def _item(entry: ImageEntry, finder: Finder, annotated: bool, options: Options) -> Item:
    name = finder.find(entry.file_name)
    path = locate(finder.root, name)
    _compare_paths(entry, name, finder)
    header = read_header(path)
    stated = None if entry.width is None or entry.height is None else (entry.width, entry.height)
    return Item(name, path, resolve_frame(header, stated, options.coordinates, annotated), [])


def _compare_paths(entry: ImageEntry, name: PurePosixPath, finder: Finder) -> None:
    """Raise `Refused` if the field path, which some programs write, names another existing image than file_name."""
    if not isinstance(entry.path, str) or PureWindowsPath(entry.path).name in ("", name.name):
        return
    try:
        other = finder.find(entry.path)
    except Refused:  # a path of another computer, which matches no file here
        return
    if other != name:
        what = f"file_name is {quoted(str(name))}, but path is another image, {quoted(str(other))}"
        raise Refused(what, "correct the one that is wrong, or remove path")
