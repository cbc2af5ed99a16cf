"""labelme: a JSON file for each image, with its shapes."""

import base64
import functools
import io
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, Field

from src.convert.annotations import (
    IN_PIXELS,
    Annotations,
    Item,
    Options,
    Shape,
    box,
    classes_of,
    is_background,
    known,
    number,
    polygon,
    reaches_out,
    warn_of_names,
)
from src.convert.formats.embedded import compare, read_embedded
from src.convert.frame import Frame, decide, read_header
from src.convert.names import locate, safe_name, walk
from src.convert.pairing import Pairing
from src.convert.problems import Degenerate, Findings, Refused, parse_json, placed
from src.convert.regions import Points, fill_disc, place_bitmap
from src.data.reading.images import SUFFIXES
from src.errors import UserError, quoted
from src.progress import progress

DRAWN = {"polygon", "rectangle", "oriented_rectangle", "rotation", "circle", "mask"}
HOLES = "draw each after the shape around it, with the label _background_"
REMEDY = "remove the shape, or draw it again"


class Drawn(BaseModel):
    """An entry of shapes; a missing shape_type is a polygon, as in labelme's first files. mask: a PNG in base64."""

    label: str
    points: list[tuple[float, float]]
    shape_type: str | None = None
    mask: str | None = None

    @property
    def kind(self) -> str:
        return self.shape_type or "polygon"


class Document(BaseModel):
    """A labelme JSON; imageData, a copy of the image, is read later."""

    image_path: str = Field(alias="imagePath")
    width: int | None = Field(None, alias="imageWidth")
    height: int | None = Field(None, alias="imageHeight")
    shapes: list[Drawn]


def read_labelme(
    folder: Path,
    options: Options,
    *,
    images: Path | None = None,
    names: Sequence[str] | None = None,
    keep_unlabelled: bool = False,
) -> Annotations:
    """Read every JSON below `folder`, with images beside them or, in folders of the same names, below `images`.

    Classes are the labels of the shapes that can be drawn, sorted, or `names` in their order. Later shapes lie on top.
    keep_unlabelled: an image without a JSON gets a mask of background; else it is left out.
    """
    root, findings = images or folder, Findings(options.skip_degenerate)
    documents, pictures = _documents(folder, options, findings)
    labels = _labels(documents)
    used = names or [label for label in sorted(labels) if not is_background(label)]
    values = number(used, folder)
    warn_of_names(names or sorted(labels), str(folder), findings, labels)
    items, files = [], walk(root, SUFFIXES, findings)
    pairing = Pairing(root, files, options.paired_by)
    for name, document in progress(documents.items(), len(documents), "read"):
        with findings.collect(str(name)):
            items.append(_item(name, document, pairing, options))
            _add_shapes(items[-1], name, document, values, options, findings)
            if document.shapes and name in pictures:  # read again: thousands of pictures do not fit into memory
                frame = items[-1].frame
                picture = read_embedded(parse_json(locate(folder, name), options.encoding)["imageData"], frame)
                compare(picture, items[-1].path, frame)
    labelled = {item.name for item in items}
    others = [name for name in files if name not in labelled]
    if keep_unlabelled:
        items += _unlabelled(others, root, findings)
    elif others:
        what = f"{len(others)} image(s) there have no JSON, and are left out; the first is {quoted(str(others[0]))}"
        findings.warn(str(root), what, "say --keep-unlabelled if they show nothing of the classes")
    return Annotations(classes_of(values), items, False, [folder, root], findings, HOLES, hint=IN_PIXELS)


def _labels(documents: dict[PurePosixPath, Document]) -> dict[str, str]:
    """Label of shapes that can be drawn → how many there are and where, in words."""
    counts: Counter[str] = Counter()
    first: dict[str, PurePosixPath] = {}
    for name, document in documents.items():
        for drawn in document.shapes:
            if drawn.kind in DRAWN and drawn.label.strip():
                counts[drawn.label] += 1
                first.setdefault(drawn.label, name)
    return {label: f"{count} shape(s), first in {quoted(str(first[label]))}" for label, count in counts.items()}


def _documents(
    folder: Path, options: Options, findings: Findings
) -> tuple[dict[PurePosixPath, Document], set[PurePosixPath]]:
    """Every JSON below `folder`, by its path there, and those with a picture; `UserError` if none can be used."""
    documents: dict[PurePosixPath, Document] = {}
    pictures: set[PurePosixPath] = set()
    for name in walk(folder, {".json"}, findings):
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
    with placed(f"its image {quoted(str(image))}"):
        path = locate(pairing.root, image)
        header = read_header(path)
    stated = None if document.width is None or document.height is None else (document.width, document.height)
    return Item(image, path, decide(header, stated, options.coordinates, bool(document.shapes)), [])


def _add_shapes(
    item: Item, name: PurePosixPath, document: Document, values: dict[str, int], options: Options, findings: Findings
) -> None:
    """Append what can be drawn to the item's shapes; the rest is a warning."""
    for position, drawn in enumerate(document.shapes):
        if drawn.kind in DRAWN:
            with findings.collect(f"shapes[{position}] in {name}"):
                item.shapes.append(_shape(drawn, known(values, drawn.label), item.frame, options))
    kinds = Counter(drawn.kind for drawn in document.shapes if drawn.kind not in DRAWN)
    if kinds:
        what = ", ".join(f"{count} {quoted(kind)}" for kind, count in sorted(kinds.items()))
        findings.warn(str(name), f"shapes without an area are left out: {what}", "draw them as polygons if they count")


def _unlabelled(names: list[PurePosixPath], root: Path, findings: Findings) -> list[Item]:
    items = []
    for name in names:
        with findings.collect(str(name)):
            path = locate(root, safe_name(str(name)))
            items.append(Item(name, path, decide(read_header(path), None, "shown"), []))
    return items


def _shape(drawn: Drawn, value: int, frame: Frame, options: Options) -> Shape:
    points = np.array(drawn.points, float).reshape(-1, 2)
    if drawn.kind not in ("rectangle", "circle", "mask") or (drawn.kind == "rectangle" and len(points) == 4):
        return polygon(value, [points], frame, options)  # some programs name all four corners of a rectangle
    if len(points) < 2 and drawn.kind != "mask":
        raise Degenerate(f"a {drawn.kind} of {len(points)} point(s) encloses nothing")
    if len(points) != 2:
        raise Refused(f"a {drawn.kind} of {len(points)} point(s), not 2", REMEDY)
    if drawn.kind == "rectangle":
        return box(value, points.ravel().tolist(), frame, options)
    cut = reaches_out(points, frame, options)
    if drawn.kind == "mask":
        pixels, left, top = _bitmap(drawn.mask, points)
        return Shape(value, functools.partial(place_bitmap, pixels, top, left, frame.height, frame.width), cut=cut)
    (x, y), rim = points.tolist()
    radius = math.dist((x, y), rim)
    return Shape(value, functools.partial(fill_disc, x, y, radius, frame.height, frame.width), cut=cut)


def _bitmap(text: str | None, points: Points) -> tuple[NDArray[np.bool_], int, int]:
    """The mask of a shape, bool [rows, columns], from a PNG in base64, and the column and row of its first pixel.

    points: float64 [2, 2], its first and its last pixel.
    """
    try:
        with Image.open(io.BytesIO(base64.b64decode(text or "", validate=True)), formats=["PNG"]) as image:
            size, extent = image.size, np.abs(points[1] - points[0]) + 1
            if np.abs(extent - size).max() > 1:  # before it is decoded: what fits into the picture is no bomb
                stated, held = (f"{width:.6g} × {height:.6g}" for width, height in (extent, size))
                raise Refused(f"its points span {stated} pixels, its mask is {held}", REMEDY)
            pixels = np.asarray(image)
    except (OSError, SyntaxError, ValueError):
        raise Refused("its mask is not a PNG in base64", REMEDY) from None
    if pixels.ndim != 2:
        raise Refused("its mask has more than one channel", REMEDY)
    left, top = np.round(points.min(axis=0)).astype(int).tolist()
    return pixels.astype(bool), left, top
