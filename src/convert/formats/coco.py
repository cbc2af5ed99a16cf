"""COCO instances: one JSON with the lists images, annotations and categories."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, TypeVar

from pydantic import BaseModel

from src.convert.annotations import IN_PIXELS, Annotations, Item, Options, classes_of, number, warn_of_names
from src.convert.finder import Finder
from src.convert.formats.coco_shapes import Annotation, Reader
from src.convert.frame import decide, read_header
from src.convert.names import locate, walk
from src.convert.problems import Findings, Refused, parse_json
from src.data.reading.images import SUFFIXES
from src.errors import UserError, quoted, some
from src.progress import progress

Entry = TypeVar("Entry", bound=BaseModel)
HOLES = "put both polygons into one annotation and say --holes cut, or export RLE"
LISTS = ("images", "annotations", "categories")


class Image(BaseModel):
    """An entry of images; the size may be missing. path: where some programs keep the file, too."""

    id: int | str
    file_name: str
    width: int | None = None
    height: int | None = None
    path: Any = None

    @property
    def key(self) -> str:
        """The id as text: some programs write 7 here and "7" in the annotations."""
        return str(self.id)


class Category(BaseModel):
    """An entry of categories."""

    id: int
    name: str

    @property
    def key(self) -> int:
        return self.id


def read_coco(path: Path, images: Path, options: Options, *, ignore_crowds: bool = True) -> Annotations:
    """Read the JSON at `path`, whose file names are below the folder `images`.

    Classes are numbered by category id. Larger shapes lie beneath smaller ones, and crowds (unless `ignore_crowds` is
    False: then they are shapes like others) beneath all, as pixels to ignore.
    """
    content, findings = _content(path), Findings(options.skip_degenerate)
    files = walk(images, SUFFIXES, findings)
    categories = _once(_entries(Category, content, "categories", findings), "category", findings)
    entries = _once(_entries(Image, content, "images", findings), "image", findings)
    placed = _entries(Annotation, content, "annotations", findings)
    annotated = Counter(annotation.category_id for _, annotation in placed)
    categories = _without_unused_doubles(categories, annotated, path, findings)
    values = number([categories[identity].name for identity in sorted(categories)], path)
    warn_of_names([category.name for category in categories.values()], str(path), findings)
    value_of = {identity: values[category.name] for identity, category in categories.items()}
    annotations = _by_image(placed, entries, value_of, findings)
    reader, finder = Reader(options, findings, ignore_crowds), Finder(images, files)
    items, elsewhere = [], {}
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
    _warn_of_names(elsewhere, path, findings)
    _warn_of_others(files, items, images, findings)
    return Annotations(classes_of(values), items, True, [images], findings, HOLES, hint=IN_PIXELS)


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
            if entry.key in by_id:
                raise Refused(f"{what} id {quoted(entry.id)} occurs twice", "give every one an id of its own")
            by_id[entry.key] = entry
    return by_id


def _without_unused_doubles(
    categories: dict[int, Category], annotated: Counter[int], path: Path, findings: Findings
) -> dict[int, Category]:
    """The categories, less those that share their name with another one and have no annotation.

    Roboflow writes a category 0 of the project's name, which is often that of a class, too.
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


def _item(entry: Image, finder: Finder, annotated: bool, options: Options) -> Item:
    name = finder.find(entry.file_name)
    path = locate(finder.root, name)
    _compare_paths(entry, name, finder)
    header = read_header(path)
    stated = None if entry.width is None or entry.height is None else (entry.width, entry.height)
    return Item(name, path, decide(header, stated, options.coordinates, annotated), [])


def _compare_paths(entry: Image, name: PurePosixPath, finder: Finder) -> None:
    """Raise `Refused` if the field path, as some programs write, is another existing image than file_name."""
    if not isinstance(entry.path, str) or PureWindowsPath(entry.path).name in ("", name.name):
        return
    try:
        other = finder.find(entry.path)
    except Refused:  # a path of another computer, to nothing that is here
        return
    if other != name:
        what = f"file_name is {quoted(str(name))}, but path is another image, {quoted(str(other))}"
        raise Refused(what, "correct the one that is wrong, or remove path")


def _warn_of_names(elsewhere: dict[str, PurePosixPath], path: Path, findings: Findings) -> None:
    if elsewhere:
        shown = some((f"{quoted(given)} is {quoted(str(found))}" for given, found in elsewhere.items()), show=str)
        what = (
            f"{len(elsewhere)} file_name(s) are not paths below the folder of images; the files were found by "
            f"decoded name or base name: {shown}"
        )
        findings.warn(str(path), what, "check that these are the images that were annotated")


def _warn_of_others(names: list[PurePosixPath], items: list[Item], images: Path, findings: Findings) -> None:
    named = {item.name for item in items}
    others = [name for name in names if name not in named]
    if others:
        what = f"{len(others)} image(s) there are not in the JSON, and left out; the first is {quoted(str(others[0]))}"
        findings.warn(str(images), what, "add them to the JSON if they show nothing of the classes")
