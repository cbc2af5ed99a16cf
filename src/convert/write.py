"""Writes annotations as a data set: copies of the images, a mask drawn for each, and dataset.yaml."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from src.convert.annotations import Annotations, Item
from src.convert.draw import draw_mask, draw_numbers
from src.convert.problems import Findings, Refused
from src.data.reading.unreadable import Finding
from src.data.source.dataset import IGNORE, Dataset, StoredValue, write_dataset
from src.errors import UserError, quoted
from src.files import atomic, write_text
from src.progress import progress


@dataclass
class Summary:
    """Counts of a finished conversion.

    Attributes:
        dataset: The content of dataset.yaml.
        warnings: The warnings of reading.
        skipped: Polygons that were left out.
        holes: How to draw a hole in this format, in words.
        images: Number of images.
        unannotated: Number of images without a shape.
        shapes: Number of shapes.
        invisible: Number of shapes that cover no pixel's centre.
        cut: Number of shapes that reach out of the image.
        redundant: Number of shapes whose pixels all belonged to their class already.
        with_redundant: Images with such shapes.
        hidden: Number of shapes of which no pixel is left, since later shapes of other classes cover them.
        with_hidden: Images with such shapes.
        overlaps: Number of pixels that a shape took from another class's shape.
        pixels: Number of pixels of each stored value, int64 [256].
        unused: Classes without a pixel.
        subsets: Subset → number of its images, where the source has an official division.
        numbered: Masks hold the numbers of objects, not classes.
    """

    dataset: Dataset
    warnings: list[Finding]
    skipped: list[Finding] = field(default_factory=list)
    holes: str = ""
    images: int = 0
    unannotated: int = 0
    shapes: int = 0
    invisible: int = 0
    cut: int = 0
    redundant: int = 0
    with_redundant: list[str] = field(default_factory=list)
    hidden: int = 0
    with_hidden: list[str] = field(default_factory=list)
    overlaps: int = 0
    pixels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))
    unused: list[str] = field(default_factory=list)
    subsets: dict[str, int] = field(default_factory=dict)
    numbered: bool = False


def write_data_set(annotations: Annotations, out: Path) -> Summary:
    """Write a data set to a new or empty folder, as a whole or not at all.

    Classes without a pixel keep their value but are not named in dataset.yaml, since the split refuses a class that no
    training image contains.

    Args:
        annotations: Everything that was read from the source.
        out: The folder.

    Raises:
        UserError: There are errors among the findings (the message lists all of them), there is nothing to write, the
            folder cannot be used, or a file cannot be written.
    """
    _refuse_folder(out, annotations.sources)
    _refuse_doubles(annotations.items, annotations.findings)
    annotations.findings.stop_on_errors()
    if not annotations.items:
        raise UserError("no image was found; nothing was written")
    summary = Summary(Dataset(), annotations.findings.warnings, annotations.findings.skipped, annotations.holes)
    summary.numbered = annotations.numbered
    try:
        with atomic(out) as folder:
            for item in progress(annotations.items, len(annotations.items), "write"):
                _write_item(item, folder, annotations, summary)
            _complete(annotations, summary)
            write_dataset(folder, summary.dataset)
            for subset, names in annotations.subsets.items():
                write_text(folder / f"{subset}.txt", "".join(f"{name.with_suffix('')}\n" for name in names))
    except OSError as error:
        raise UserError(f"{error.filename or out}: {error.strerror}; nothing was written") from None
    return summary


def _write_item(item: Item, folder: Path, annotations: Annotations, summary: Summary) -> None:
    image, target = folder / "images" / item.name, (folder / "masks" / item.name).with_suffix(".png")
    for path in (image, target):
        path.parent.mkdir(parents=True, exist_ok=True)
    mask, counts = draw_numbers(item) if annotations.numbered else draw_mask(item, annotations.by_size)
    shutil.copyfile(item.path, image)
    Image.fromarray(mask).save(target)
    summary.images += 1
    summary.unannotated += not item.shapes
    classes = mask > 0 if annotations.numbered else mask
    summary.pixels += np.bincount(classes.ravel(), minlength=256)
    summary.with_redundant += [str(item.name)] * bool(counts["redundant"])
    summary.with_hidden += [str(item.name)] * bool(counts["hidden"])
    summary.shapes += counts["shapes"]
    summary.invisible += counts["invisible"]
    summary.cut += counts["cut"]
    summary.redundant += counts["redundant"]
    summary.hidden += counts["hidden"]
    summary.overlaps += counts["overlaps"]


def _complete(annotations: Annotations, summary: Summary) -> None:
    """Fill in the parts of the summary that are known only after the last mask."""
    used: dict[StoredValue, str] = {
        value: name for value, name in annotations.classes.items() if value == 0 or summary.pixels[value]
    }
    summary.unused = [name for value, name in annotations.classes.items() if value not in used]
    if len(used) == 1:
        what = "no pixel belongs to a class, so there is nothing to learn; nothing was written"
        raise UserError(f"{what} → {annotations.hint}")
    lists = {subset: f"{subset}.txt" for subset in annotations.subsets}
    colours = {used[value]: colour for value, colour in annotations.colours.items() if value in used}
    ignore = None if annotations.numbered else IGNORE  # 255 may be the number of an object
    dataset = Dataset(classes=used, background=used[0], ignore=ignore, exif="shown", colors=colours)
    summary.dataset = dataset.model_copy(update=lists)
    summary.subsets = {subset: len(names) for subset, names in annotations.subsets.items()}


def _refuse_folder(out: Path, sources: list[Path]) -> None:
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise UserError(f"{out}: is not a folder; name a new one")
    if out.is_dir() and any(out.iterdir()):
        raise UserError(f"{out}: is not empty; nothing is overwritten, so name a new folder or remove this one")
    for source in sources:
        if out.resolve().is_relative_to(source.resolve()):
            raise UserError(f"{out}: lies in {source}, which is only read; name a folder outside it")


def _refuse_doubles(items: list[Item], findings: Findings) -> None:
    """Add an error for two images whose masks would have the same name, also on a disk that ignores case."""
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
