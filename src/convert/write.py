"""Writes annotations as a data set: copies of the images, a mask drawn for each, and dataset.yaml."""

import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from src.convert.annotations import Annotations, Item, Shape
from src.convert.frame import apply_orientation
from src.convert.problems import Findings, Refused
from src.convert.regions import Region
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
    try:
        with atomic(out) as folder:
            for item in progress(annotations.items, len(annotations.items), "write"):
                _write_item(item, folder, annotations.by_size, summary)
            _complete(annotations, summary)
            write_dataset(folder, summary.dataset)
            for subset, names in annotations.subsets.items():
                write_text(folder / f"{subset}.txt", "".join(f"{name.with_suffix('')}\n" for name in names))
    except OSError as error:
        raise UserError(f"{error.filename or out}: {error.strerror}; nothing was written") from None
    return summary


def draw_mask(item: Item, by_size: bool) -> tuple[NDArray[np.uint8], Counter[str]]:
    """Draw the mask of an image. Later shapes cover earlier ones.

    Args:
        item: The image with its shapes. Those with `below_others` are drawn first.
        by_size: Draw larger shapes first; else shapes are drawn in their order.

    Returns:
        The mask of stored values, uint8 [height, width], as the image is shown; and the counts of `Summary` for this
        image: shapes, cut, invisible, redundant, hidden, overlaps.
    """
    mask, counts = np.zeros((item.frame.height, item.frame.width), np.uint8), Counter[str]()
    drawn = [(shape, shape.draw()) for shape in item.shapes]
    drawn.sort(key=lambda pair: (not pair[0].below_others, -pair[1].area if by_size else 0))  # a stable sort
    for shape, region in drawn:
        window = _window(mask, region)
        taken = region.inside & (window != 0) & (window != IGNORE) & (window != shape.value)
        visible, is_class = bool(region.inside.any()), shape.value not in (0, IGNORE)
        counts.update(shapes=1, cut=shape.cut, invisible=not visible, overlaps=int(np.count_nonzero(taken)))
        counts.update(redundant=visible and is_class and bool((window[region.inside] == shape.value).all()))
        window[region.inside] = shape.value
    counts["hidden"] = sum(_is_hidden(shape, region, mask) for shape, region in drawn if not shape.below_others)
    return apply_orientation(mask, item.frame.orientation), counts


def _window(mask: NDArray[np.uint8], region: Region) -> NDArray[np.uint8]:
    """A view of the mask at the place of a region."""
    rows, columns = region.inside.shape
    return mask[region.top : region.top + rows, region.left : region.left + columns]


def _is_hidden(shape: Shape, region: Region, mask: NDArray[np.uint8]) -> bool:
    """Return whether no pixel of a shape is left in the finished mask."""
    values = _window(mask, region)[region.inside]
    return values.size > 0 and bool((values != shape.value).all())


def _write_item(item: Item, folder: Path, by_size: bool, summary: Summary) -> None:
    image, target = folder / "images" / item.name, (folder / "masks" / item.name).with_suffix(".png")
    for path in (image, target):
        path.parent.mkdir(parents=True, exist_ok=True)
    mask, counts = draw_mask(item, by_size)
    shutil.copyfile(item.path, image)
    Image.fromarray(mask).save(target)
    summary.images += 1
    summary.unannotated += not item.shapes
    summary.pixels += np.bincount(mask.ravel(), minlength=256)
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
    dataset = Dataset(classes=used, background=used[0], ignore=IGNORE, exif="shown", colors=colours)
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
