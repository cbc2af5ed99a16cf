"""Reads images whose masks are arrays: numbers of classes, or numbers of objects."""

import functools
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from src.convert.annotations import Annotations, Item, Options, Shape
from src.convert.classes import IGNORE_NAME, classes_by_value, is_background, number_classes, warn_of_unclear_names
from src.convert.draw import MOST_OBJECTS
from src.convert.formats.arrays.array_files import ARRAY_SUFFIXES, read_labels
from src.convert.frame import read_header, resolve_frame
from src.convert.names import list_files, locate
from src.convert.owners import find_owners, short_name
from src.convert.problems import Findings, Refused, located
from src.convert.regions import Region
from src.data.reading.images import SUFFIXES
from src.errors import UserError, quoted, some
from src.progress import progress

FOREGROUND, OBJECT = "foreground", "object"  # name of the only class, if --names gives no other
HINT = "check that the arrays hold other values than 0"
Labels = NDArray[np.int64]  # [height, width]


@dataclass(frozen=True)
class Meaning:
    """What the numbers in the arrays mean.

    Attributes:
        objects: They number the objects of one class; else each is a class.
        names: The classes of the values 1, 2 …; None: the arrays hold one value besides 0.
        key: The name of the variable in .npz and .mat files; None: the only array of two dimensions.
        ignore: The value of pixels that nobody annotated; None: there is none.
    """

    objects: bool = False
    names: Sequence[str] | None = None
    key: str | None = None
    ignore: int | None = None


@dataclass(frozen=True)
class _Pair:
    """An image with its array, and the values there but 0, sorted; `height` and `width` are those of the array."""

    image: PurePosixPath
    file: Path
    values: list[int]
    height: int
    width: int


def read_arrays(folder: Path, images: Path | None, meaning: Meaning, options: Options) -> Annotations:
    """Read images with an array for each as its mask.

    Args:
        folder: Holds the arrays, named after their images, and the images if `images` is None.
        images: The folder of the images.
        meaning: What the numbers mean.
        options: The user's decisions.

    Raises:
        UserError: There are no images or arrays, it is unclear which belong together, an array cannot be read, or the
            classes of the values are not clear.
    """
    findings, root = Findings(), images or folder
    files, pictures = list_files(folder, ARRAY_SUFFIXES, findings), list_files(root, SUFFIXES, findings)
    if not files or not pictures:
        found = f"{len(files)} array(s) are in {folder}, {len(pictures)} image(s) in {root}"
        raise UserError(f"{found} → name the folder of images with --images; images are {', '.join(sorted(SUFFIXES))}")
    pairs = _pairs(folder, files, pictures, meaning, findings)
    findings.stop_on_errors()  # else unread arrays might lack values
    names = _class_names({value for pair in pairs for value in pair.values}, meaning, folder)
    values = number_classes(list(dict.fromkeys(names.values())), folder)
    warn_of_unclear_names(values.keys() - {"background", IGNORE_NAME}, str(folder), findings)
    value_of = {stored: values[name] for stored, name in names.items()}
    items = []
    for pair in progress(pairs, len(pairs), "read"):
        with findings.collect(str(pair.image)):
            items.append(_item(pair, locate(root, pair.image), value_of, meaning, options))
    if without := sorted(set(pictures) - {pair.image for pair in pairs}):
        what = f"{len(without)} image(s) there have no array, and are left out; the first is {quoted(str(without[0]))}"
        findings.warn(str(root), what, "add an array of zeros if they show nothing of the classes")
    annotations = Annotations(classes_by_value(values), items, False, [folder, root], findings, hint=HINT)
    annotations.numbered = meaning.objects
    return annotations


def _pairs(
    folder: Path,
    files: Sequence[PurePosixPath],
    pictures: Sequence[PurePosixPath],
    meaning: Meaning,
    findings: Findings,
) -> list[_Pair]:
    """The images with their arrays; an error for each array that cannot be read, or has no image of its own."""
    owners, used = find_owners(pictures, files), dict[PurePosixPath, PurePosixPath]()
    pairs = []
    for file in progress(files, len(files), "read"):
        with findings.collect(str(file)):
            if file not in owners:
                raise Refused("has no image of its name", "name the folder of images with --images, or rename it")
            image = owners[file].image
            if used.setdefault(image, file) != file:
                what = f"belongs to {quoted(str(image))}, as {quoted(str(used[image]))} does"
                raise Refused(what, "keep one array for each image")
            labels = read_labels(locate(folder, file), meaning.key)
            values = [value for value in np.unique(labels).tolist() if value != 0]
            pairs.append(_Pair(image, locate(folder, file), values, *labels.shape))
    return pairs


def _class_names(present: Set[int], meaning: Meaning, folder: Path) -> dict[int, str]:
    """Stored value → name of its class, which is `IGNORE_NAME` for the value to ignore."""
    found = sorted(present - {meaning.ignore})
    ignored = {} if meaning.ignore is None else {meaning.ignore: IGNORE_NAME}
    names = list(meaning.names or [])
    if meaning.ignore is not None and (meaning.objects or meaning.ignore == 0):
        raise UserError(f"--ignore {meaning.ignore}: 0 is the background, and with --objects every number is an object")
    if any(map(is_background, names)):
        raise UserError(
            f"--names {','.join(names)}: these are the classes of the values 1, 2 …; leave out the background"
        )
    if found and found[0] < 0:
        raise UserError(f"{folder}: the arrays hold {found[0]} → use --ignore {found[0]} if it means not annotated")
    if meaning.objects:
        if len(names) > 1:
            raise UserError(f"--names {','.join(names)}: with --objects there is one class: give one name")
        return dict.fromkeys(found or [1], (names or [OBJECT])[0])
    if len(found) <= 1 and len(names) <= 1:
        return dict.fromkeys(found or [1], (names or [FOREGROUND])[0]) | ignored
    unnamed = [value for value in found if value > len(names)]
    if unnamed:
        shown = some(unnamed, show=str)
        what = f"{folder}: the arrays hold values without a name: {shown}; --names gives {len(names)}"
        remedy = "name the classes 1, 2 … in their order with --names; or use --objects if the numbers are objects"
        more = f", or --ignore {unnamed[-1]} if it means not annotated"
        raise UserError(f"{what} → {remedy}{more if len(unnamed) == 1 else ''}")
    return dict(enumerate(names, 1)) | ignored


def _item(pair: _Pair, path: Path, value_of: Mapping[int, int], meaning: Meaning, options: Options) -> Item:
    """An image with a shape for each class, or for each object, of its array."""
    with located(f"its array {pair.file.name}"):
        frame = resolve_frame(read_header(path), (pair.width, pair.height), options.coordinates, bool(pair.values))
        if meaning.objects and len(pair.values) > MOST_OBJECTS:
            raise Refused(
                f"holds {len(pair.values)} objects, more than {MOST_OBJECTS}", "cut image and array into tiles"
            )
    if meaning.objects:
        boxes = ndimage.find_objects(_numbered(pair.file, meaning.key))
        shapes = [
            Shape(1, functools.partial(_object, pair.file, meaning.key, number, box))
            for number, box in enumerate(boxes, 1)
            if box is not None
        ]
    else:
        shapes = [
            Shape(value_of[value], functools.partial(_class, pair.file, meaning.key, value)) for value in pair.values
        ]
    return Item(short_name(pair.image), path, frame, shapes)


@functools.lru_cache(maxsize=1)  # the shapes of an image are drawn one after the other
def _labels(file: Path, key: str | None) -> Labels:
    return read_labels(file, key)


@functools.lru_cache(maxsize=1)
def _numbered(file: Path, key: str | None) -> Labels:
    """The array with its values but 0 numbered 1, 2 … in their order."""
    labels = read_labels(file, key)
    values, inverse = np.unique(labels, return_inverse=True)
    ranks = np.cumsum(values != 0) * (values != 0)
    return np.asarray(ranks[inverse].reshape(labels.shape), np.int64)


def _class(file: Path, key: str | None, value: int) -> Region:
    return Region(0, 0, _labels(file, key) == value)


def _object(file: Path, key: str | None, number: int, box: tuple[slice, slice]) -> Region:
    return Region(box[0].start, box[1].start, _numbered(file, key)[box] == number)
