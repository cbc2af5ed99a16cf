"""Read masks of overlapping classes, one binary mask for each class, and make one label of each pixel."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from src.data.reading.channels import WHITE
from src.data.reading.codes import encode_values
from src.data.reading.masks import read_stored_image, read_stored_mask
from src.data.reading.object_numbers import numbers_of_objects
from src.data.reading.stored_values import Kind, Labels, StoredValues
from src.data.reading.unreadable import Unreadable
from src.data.source.dataset import IGNORE
from src.data.store.store import release, strips
from src.params import Masks

BINARY: tuple[Kind, ...] = ("bits", "grey", "grey as RGB", "foreground", "alpha")  # kinds that a class's mask may have
IGNORED_BIT = 128  # marks ignored pixels until the masks of all classes are merged; no class has this bit
AS_BINARY = "save it with 0 and 255, as PNG of one channel"
Bits = NDArray[np.uint8]


def read_class_mask(path: Path, masks: Masks, ignore: int | None, scratch: Path | None = None) -> Labels:
    """Read the mask of one class as it is stored, without applying its EXIF orientation.

    Args:
        path: The file.
        masks: The section data.masks.
        ignore: The stored value to ignore, if there is one.
        scratch: Folder for the pixels of a TIFF too large for memory.

    Raises:
        Unreadable: The file cannot be used, or is no binary mask.
    """
    labels = read_stored_mask(path, masks, False, ignore, scratch)
    check_binary(labels.values, ignore)
    return labels


def read_class_channels(
    path: Path, names: Sequence[str], masks: Masks, ignore: int | None, scratch: Path | None = None
) -> list[Labels]:
    """Read a mask with one channel for each class as it is stored, without applying its EXIF orientation.

    Args:
        path: The file.
        names: The names of the classes in the order of the channels.
        masks: The section data.masks.
        ignore: The stored value to ignore, if there is one.
        scratch: Folder for the pixels of a TIFF too large for memory.

    Returns:
        The mask of each class.

    Raises:
        Unreadable: The file cannot be used, or a channel is no binary mask.
    """
    image = read_stored_image(path, scratch)
    channels = image.pixels.shape[2] if image.pixels.ndim == 3 else 1
    if image.palette is not None:
        raise Unreadable("has a palette, not a channel for each class", "save it with a channel for each class")
    if channels != len(names):
        what = f"has {channels} channel(s), dataset.yaml names {len(names)} overlapping classes"
        raise Unreadable(what, "save a channel for each class, or correct the classes")
    read = []
    for channel, name in enumerate(names):
        array = np.ascontiguousarray(image.pixels[..., channel] if image.pixels.ndim == 3 else image.pixels)
        release(image.pixels)
        made = masks.threshold > 0 or masks.read == "instances"
        bits = array.dtype == np.bool_
        values = StoredValues(
            "foreground" if made else "bits" if bits else "grey",
            lossy=image.lossy and masks.threshold == 0,
            inverted=image.inverted,
            inverted_booleans=image.inverted_booleans,
        )
        codes = encode_values(array.view(np.uint8) if bits else array, values, masks, ignore)
        try:
            check_binary(values, ignore)
        except Unreadable as error:
            raise Unreadable(f"channel {channel} ({name}) {error}", error.setting) from None
        read.append(Labels(codes, values, image.orientation, numbers_of_objects(array, masks, ignore, scratch)))
    return read


def check_binary(values: StoredValues, ignore: int | None) -> None:
    """Check that a mask says for each pixel whether it is of the class, in a way that cannot be misunderstood.

    Args:
        values: The stored values of the mask.
        ignore: The stored value to ignore, if there is one.

    Raises:
        Unreadable: The mask is lossy, coloured or indexed, or holds other values than 0 and 1, or 0 and 255.
    """
    if values.lossy:
        what = "is in a lossy format, which changes values"
        raise Unreadable(what, "data.masks.threshold: 128, or save it from its source as PNG")
    if values.kind == "grey" and not _black_and_white(values.palette or {}, ignore):
        setting = f"{AS_BINARY}; or data.masks.read: indices, if index 0 is outside the class"
        raise Unreadable("has a palette of other colours than black for 0, and white", setting)
    if values.inverted_booleans:
        what = "stores white as 0, as tifffile does with boolean arrays: it may be inverted"
        raise Unreadable(what, f"{AS_BINARY}, 255 inside the class")
    if values.kind not in BINARY:
        raise Unreadable(f"is {values.kind}, not the mask of one class", AS_BINARY)
    found = values.pixels.keys() - {ignore}
    if not (found <= {0, 1} or found <= {0, 255}):
        shown = ", ".join(map(str, sorted(found)[:8])) + " …" * (len(found) > 8)
        what = f"holds {shown}; the mask of one class holds 0 and 1, or 0 and 255"
        setting = "data.masks.read: instances, if all numbers but 0 are objects of the class; data.masks.threshold: "
        raise Unreadable(what, f"{setting}{_middle(found)}, if it has soft edges; or correct it")


def _black_and_white(palette: Mapping[int, int], ignore: int | None) -> bool:
    """Return whether index 0 is black, and every other one white. `palette`: index → colour."""
    return all(colour == (WHITE if index else 0) for index, colour in palette.items() if index != ignore)


def _middle(values: set[int]) -> int:
    return max(1, (min(values) + max(values) + 1) // 2)


def merge_planes(planes: Mapping[int, Labels], ignore: int | None) -> Labels:
    """Merge the masks of the classes of one image.

    Args:
        planes: Class index → its mask, of one size and turned like the image; at least one. Classes without a mask are
            nowhere.
        ignore: The stored value to ignore, if there is one.

    Returns:
        Labels of overlapping classes, see `LabelFormat`. Their stored values are the labels themselves.

    Raises:
        Unreadable: The masks ignore different pixels.
    """
    height, width = next(iter(planes.values())).codes.shape
    merged, pixels = np.zeros((height, width), np.uint8), np.zeros(256, np.int64)
    tables = [(plane.codes, _table(plane.values, label, ignore)) for label, plane in planes.items()]
    for rows in strips(height, width):
        parts = [_looked_up(codes[rows], table) for codes, table in tables]
        strip = np.bitwise_or.reduce(parts)
        ignored = strip >= IGNORED_BIT
        if any((part[ignored] < IGNORED_BIT).any() for part in parts):
            what = "the masks of the classes ignore different pixels, and a pixel counts for all classes or for none"
            raise Unreadable(what, "give the ignored pixels of one mask the same value in the others")
        merged[rows] = np.where(ignored, np.uint8(IGNORE), strip)
        pixels += np.bincount(merged[rows].ravel(), minlength=256)
        for codes, _ in tables:
            release(codes)
    present = np.flatnonzero(pixels).tolist()
    return Labels(
        merged,
        StoredValues(
            "overlap",
            codes={value: value for value in present},
            pixels={value: int(pixels[value]) for value in present},
            inverted=any(plane.values.inverted for plane in planes.values()),
            maybe_unlabelled={value for plane in planes.values() for value in plane.values.maybe_unlabelled},
        ),
        numbers={label: objects for label, plane in planes.items() for objects in plane.numbers.values()},
    )


def _table(values: StoredValues, label: int, ignore: int | None) -> Bits:
    """Table from the codes of a class's mask to bits: uint8 [256]."""
    table = np.zeros(256, np.uint8)
    for stored, code in values.codes.items():
        table[code] = IGNORED_BIT if stored == ignore else 1 << label if stored else 0
    return table


def _looked_up(codes: Bits, table: Bits) -> Bits:
    return np.asarray(cv2.LUT(np.ascontiguousarray(codes), table), np.uint8)
