"""Reads labelme: a JSON file per image, with its shapes."""

import base64
import functools
import io
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image
from pydantic import BaseModel, Field

from src.convert.annotations import IN_PIXELS, Annotations, Item, Options, Shape
from src.convert.classes import classes_by_value, is_background, number_classes, value_of_label, warn_of_unclear_names
from src.convert.formats.embedded import check_embedded, read_embedded
from src.convert.frame import Frame, read_header, resolve_frame
from src.convert.names import list_files, locate, safe_name
from src.convert.pairing import Pairing
from src.convert.problems import Degenerate, Findings, Refused, located, parse_json
from src.convert.regions import Points, Region, fill_disc, place_bitmap
from src.convert.shapes import box_shape, polygon_shape, reaches_out
from src.data.reading.images import SUFFIXES
from src.errors import UserError, quoted
from src.progress import progress

DRAWN = {"polygon", "rectangle", "oriented_rectangle", "rotation", "circle", "mask"}
HOLES = "draw each after the shape around it, with the label _background_"
REMEDY = "remove the shape, or draw it again"


class ShapeEntry(BaseModel):
    """An entry of shapes. A missing shape_type means polygon, as in labelme's first files. mask: a PNG in base64."""

    label: str
    points: list[tuple[float, float]]
    shape_type: str | None = None
    mask: str | None = None

    @property
    def kind(self) -> str:
        return self.shape_type or "polygon"


class Document(BaseModel):
    """A labelme JSON, without imageData, the copy of the image, which is read later."""

    image_path: str = Field(alias="imagePath")
    width: int | None = Field(None, alias="imageWidth")
    height: int | None = Field(None, alias="imageHeight")
    shapes: list[ShapeEntry]


def read_labelme(
    folder: Path,
    options: Options,
    *,
    images: Path | None = None,
    names: Sequence[str] | None = None,
    keep_unlabelled: bool = False,
) -> Annotations:
    """Read all JSON files below a folder. Later shapes are drawn over earlier ones.

    Args:
        folder: The folder of the JSON files.
        options: The user's decisions.
        images: The folder of the images, with the same folders in it; None: the images are next to the JSON files.
        names: The classes in their order; None: the labels of all shapes that can be drawn, sorted.
        keep_unlabelled: An image without a JSON gets a mask of background; else it is left out.

    Raises:
        UserError: There is no JSON, or the labels cannot be classes.
    """
    root, findings = images or folder, Findings(options.skip_degenerate)
    documents, pictures = _documents(folder, options, findings)
    labels = _labels(documents)
    used = names or [label for label in sorted(labels) if not is_background(label)]
    values = number_classes(used, folder)
    warn_of_unclear_names(names or sorted(labels), str(folder), findings, labels)
    items, files = list[Item](), list_files(root, SUFFIXES, findings)
    pairing = Pairing(root, files, options.paired_by)
    for name, document in progress(documents.items(), len(documents), "read"):
        with findings.collect(str(name)):
            items.append(_item(name, document, pairing, options))
            frame = items[-1].frame
            for position, entry in enumerate(document.shapes):
                if entry.kind in DRAWN:
                    with findings.collect(f"shapes[{position}] in {name}"):
                        items[-1].shapes.append(_shape(entry, value_of_label(values, entry.label), frame, options))
            _warn_of_other_kinds(name, document, findings)
            if document.shapes and name in pictures:  # read again: thousands of pictures do not fit into memory
                picture = read_embedded(parse_json(locate(folder, name), options.encoding)["imageData"], frame)
                check_embedded(picture, items[-1].path, frame)
    labelled = {item.name for item in items}
    unlabelled = [name for name in files if name not in labelled]
    if keep_unlabelled:
        items += _unlabelled(unlabelled, root, findings)
    elif unlabelled:
        what = f"{len(unlabelled)} image(s) there have no JSON, and are left out; the first is "
        remedy = "use --keep-unlabelled if they show nothing of the classes"
        findings.warn(str(root), what + quoted(str(unlabelled[0])), remedy)
    return Annotations(classes_by_value(values), items, False, [folder, root], findings, HOLES, hint=IN_PIXELS)


def _labels(documents: dict[PurePosixPath, Document]) -> dict[str, str]:
    """Label → the number of its shapes and the first file with one, in words; only shapes that can be drawn."""
    counts: Counter[str] = Counter()
    first: dict[str, PurePosixPath] = {}
    for name, document in documents.items():
        for entry in document.shapes:
            if entry.kind in DRAWN and entry.label.strip():
                counts[entry.label] += 1
                first.setdefault(entry.label, name)
    return {label: f"{count} shape(s), first in {quoted(str(first[label]))}" for label, count in counts.items()}


def _documents(
    folder: Path, options: Options, findings: Findings
) -> tuple[dict[PurePosixPath, Document], set[PurePosixPath]]:
    """The JSON files by their path below `folder`, and the paths of those with a picture to compare."""
    documents: dict[PurePosixPath, Document] = {}
    pictures: set[PurePosixPath] = set()
    for name in list_files(folder, {".json"}, findings):
        with findings.collect(str(name)):
            content = parse_json(locate(folder, name), options.encoding)
            documents[name] = Document.model_validate(content)
            if options.compare_embedded and content.get("imageData"):
                pictures.add(name)
    if not documents:
        findings.stop_on_errors()
        raise UserError(f"{folder}: no JSON file is there or in a folder below")
    return documents, pictures


def _item(name: PurePosixPath, document: Document, pairing: Pairing, options: Options) -> Item:
    image = pairing.image_of(name, document.image_path)
    with located(f"its image {quoted(str(image))}"):
        path = locate(pairing.root, image)
        header = read_header(path)
    stated = None if document.width is None or document.height is None else (document.width, document.height)
    return Item(image, path, resolve_frame(header, stated, options.coordinates, bool(document.shapes)), [])


def _warn_of_other_kinds(name: PurePosixPath, document: Document, findings: Findings) -> None:
    """Add a warning for shapes that have no area, such as points and lines."""
    kinds = Counter(entry.kind for entry in document.shapes if entry.kind not in DRAWN)
    if kinds:
        what = ", ".join(f"{count} {quoted(kind)}" for kind, count in sorted(kinds.items()))
        findings.warn(str(name), f"shapes without an area are left out: {what}", "draw them as polygons if they count")


def _unlabelled(names: list[PurePosixPath], root: Path, findings: Findings) -> list[Item]:
    items = []
    for name in names:
        with findings.collect(str(name)):
            path = locate(root, safe_name(str(name)))
            items.append(Item(name, path, resolve_frame(read_header(path), None, "shown"), []))
    return items


def _shape(entry: ShapeEntry, value: int, frame: Frame, options: Options) -> Shape:
    points = np.array(entry.points, float).reshape(-1, 2)
    if entry.kind not in ("rectangle", "circle", "mask") or (entry.kind == "rectangle" and len(points) == 4):
        return polygon_shape(value, [points], frame, options)  # some programs write all four corners of a rectangle
    if len(points) < 2 and entry.kind != "mask":
        raise Degenerate(f"a {entry.kind} of {len(points)} point(s) encloses nothing")
    if len(points) != 2:
        raise Refused(f"a {entry.kind} of {len(points)} point(s), not 2", REMEDY)
    if entry.kind == "rectangle":
        return box_shape(value, points.ravel().tolist(), frame, options)
    cut = reaches_out(points, frame, options)
    if entry.kind == "mask":
        bitmap = _bitmap(entry.mask, points)
        return Shape(value, functools.partial(place_bitmap, bitmap, frame.height, frame.width), cut=cut)
    (x, y), rim = points.tolist()
    radius = math.dist((x, y), rim)
    return Shape(value, functools.partial(fill_disc, (x, y), radius, frame.height, frame.width), cut=cut)


def _bitmap(text: str | None, points: Points) -> Region:
    """Decode the mask of a shape, a PNG in base64. It may lie partly outside the image.

    points: Its first and its last pixel, float64 [2, 2].
    """
    try:
        with Image.open(io.BytesIO(base64.b64decode(text or "", validate=True)), formats=["PNG"]) as image:
            size, extent = image.size, np.abs(points[1] - points[0]) + 1
            if np.abs(extent - size).max() > 1:  # before decoding: a small file must not fill the memory
                stated, held = (f"{width:.6g} × {height:.6g}" for width, height in (extent, size))
                raise Refused(f"its points span {stated} pixels, its mask is {held}", REMEDY)
            pixels = np.asarray(image)
    except (OSError, SyntaxError, ValueError):
        raise Refused("its mask is not a PNG in base64", REMEDY) from None
    if pixels.ndim != 2:
        raise Refused("its mask has more than one channel", REMEDY)
    left, top = np.round(points.min(axis=0)).astype(int).tolist()
    return Region(top, left, pixels.astype(bool))
