"""Annotations to a data set: images copied as they are, a mask drawn for each, and dataset.yaml."""

import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from src.convert.annotations import Annotations, Item, Shape
from src.convert.frame import turn
from src.convert.problems import Findings, Refused
from src.convert.regions import Region
from src.data.reading.unreadable import Finding
from src.data.source.dataset import IGNORE, Dataset, StoredValue, write_dataset
from src.errors import UserError, quoted
from src.files import atomic, write_text
from src.progress import progress


@dataclass
class Summary:
    """What was written: counts of images, shapes and pixels.

    unannotated: images without a shape. pixels: of each stored value. invisible: shapes that cover no pixel's centre.
    cut: shapes that reach out of the picture. overlaps: pixels that a shape took from another class's. inside: shapes
    whose pixels all belonged to their class already. nested: images with such shapes. hidden: shapes of which later
    ones of other classes leave no pixel. buried: images with such shapes. skipped: polygons left out. holes: how to
    draw a hole, in words.
    """

    dataset: Dataset
    warnings: list[Finding]
    skipped: list[Finding] = field(default_factory=list)
    holes: str = ""
    nested: list[str] = field(default_factory=list)
    buried: list[str] = field(default_factory=list)
    images: int = 0
    unannotated: int = 0
    shapes: int = 0
    invisible: int = 0
    cut: int = 0
    inside: int = 0
    hidden: int = 0
    overlaps: int = 0
    pixels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))
    unused: list[str] = field(default_factory=list)
    subsets: dict[str, int] = field(default_factory=dict)


def write(annotations: Annotations, out: Path) -> Summary:
    """Write the data set to the new or empty folder `out`, whole or not at all.

    Classes without a pixel keep their value but are not named in dataset.yaml, since the split refuses a class that no
    training image holds. `UserError` lists every problem that was found while reading.
    """
    _refuse_folder(out, annotations.sources)
    _refuse_doubles(annotations.items, annotations.findings)
    annotations.findings.stop_on_errors()
    if not annotations.items:
        raise UserError("no image was found; nothing was written")
    summary = Summary(Dataset(), annotations.findings.warnings, annotations.findings.skipped, annotations.holes)
    try:
        with atomic(out) as folder:
            for item in progress(annotations.items, len(annotations.items), "write"):
                _write_item(item, folder, annotations.by_size, summary)
            _describe(annotations, summary)
            write_dataset(folder, summary.dataset)
            for subset, names in annotations.subsets.items():
                write_text(folder / f"{subset}.txt", "".join(f"{name.with_suffix('')}\n" for name in names))
    except OSError as error:
        raise UserError(f"{error.filename or out}: {error.strerror}; nothing was written") from None
    return summary


def draw(item: Item, by_size: bool) -> tuple[NDArray[np.uint8], Counter[str]]:
    """The mask of stored values, uint8 [height, width] as the image is shown, and counts of what `Summary` names.

    Shapes are painted over each other: those `below_others` first, then by falling area if `by_size`, then in their
    order.
    """
    mask, counts = np.zeros((item.frame.height, item.frame.width), np.uint8), Counter[str]()
    drawn = [(shape, shape.draw()) for shape in item.shapes]
    drawn.sort(key=lambda pair: (not pair[0].below_others, -pair[1].area if by_size else 0))  # a stable sort
    for shape, region in drawn:
        rows, columns = region.inside.shape
        window = mask[region.top : region.top + rows, region.left : region.left + columns]
        taken = region.inside & (window != 0) & (window != IGNORE) & (window != shape.value)
        visible = bool(region.inside.any())
        counts.update(shapes=1, cut=shape.cut, invisible=not visible, overlaps=int(np.count_nonzero(taken)))
        counts.update(
            inside=visible and shape.value not in (0, IGNORE) and bool((window[region.inside] == shape.value).all())
        )
        window[region.inside] = shape.value
    counts["hidden"] = sum(_hidden(shape, region, mask) for shape, region in drawn if not shape.below_others)
    return turn(mask, item.frame.orientation), counts


def _hidden(shape: Shape, region: Region, mask: NDArray[np.uint8]) -> bool:
    """Whether no pixel of a shape is left in the finished mask."""
    rows, columns = region.inside.shape
    left = mask[region.top : region.top + rows, region.left : region.left + columns][region.inside]
    return left.size > 0 and bool((left != shape.value).all())


def _write_item(item: Item, folder: Path, by_size: bool, summary: Summary) -> None:
    image, target = folder / "images" / item.name, (folder / "masks" / item.name).with_suffix(".png")
    for path in (image, target):
        path.parent.mkdir(parents=True, exist_ok=True)
    mask, counts = draw(item, by_size)
    shutil.copyfile(item.path, image)
    Image.fromarray(mask).save(target)
    summary.images += 1
    summary.unannotated += not item.shapes
    summary.pixels += np.bincount(mask.ravel(), minlength=256)
    summary.nested += [str(item.name)] * bool(counts["inside"])
    summary.buried += [str(item.name)] * bool(counts["hidden"])
    for name, count in counts.items():
        setattr(summary, name, getattr(summary, name) + count)


def _describe(annotations: Annotations, summary: Summary) -> None:
    """Fill in what is known only after the last mask."""
    used: dict[StoredValue, str] = {
        value: name for value, name in annotations.classes.items() if value == 0 or summary.pixels[value]
    }
    summary.unused = [name for value, name in annotations.classes.items() if value not in used]
    if len(used) == 1:
        what = "no pixel belongs to a class, so there is nothing to learn; nothing was written"
        raise UserError(f"{what} → {annotations.hint}")
    lists = {subset: f"{subset}.txt" for subset in annotations.subsets}
    colours = {used[value]: colour for value, colour in annotations.colours.items() if value in used}
    dataset = Dataset(classes=used, background=used[0], ignore=IGNORE, exif="shown", colors=colours)
    summary.dataset = dataset.model_copy(update=lists)
    summary.subsets = {subset: len(names) for subset, names in annotations.subsets.items()}


def _refuse_folder(out: Path, sources: list[Path]) -> None:
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise UserError(f"{out}: is no folder; name a new one")
    if out.is_dir() and any(out.iterdir()):
        raise UserError(f"{out}: is not empty; nothing is overwritten, so name a new folder or remove this one")
    for source in sources:
        if out.resolve().is_relative_to(source.resolve()):
            raise UserError(f"{out}: lies in {source}, which is only read; name a folder outside it")


def _refuse_doubles(items: list[Item], findings: Findings) -> None:
    """Two images whose masks would have one name, on a disk that does not tell a from A too."""
    seen: dict[str, Item] = {}
    for item in items:
        with findings.collect(str(item.name)):
            other = seen.setdefault(str(item.name.with_suffix("")).casefold(), item)
            if other is not item:
                if item.path == other.path:
                    what = "is annotated in two entries or files; the second would have the mask of"
                    raise Refused(f"{what} {quoted(str(other.name))}", "put all its shapes into one of them")
                what = f"would have the mask of {quoted(str(other.name))}"
                raise Refused(what, "rename one of the two, or remove its entry")
