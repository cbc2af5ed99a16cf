"""Masks of numbered or coloured objects (data.masks.read: instances): foreground, and the number of each object."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from src.data.reading.channels import Pixels, pack_channels
from src.data.reading.runs import runs
from src.data.reading.unreadable import LARGE_IMAGE_PIXELS, Unreadable
from src.data.store.numbers import Numbers, number_type
from src.data.store.store import release, strips
from src.errors import UserError
from src.params import Masks

FOREGROUND = 1  # the stored value that `foreground_of_objects` gives to every object


@dataclass(frozen=True)
class ObjectNumbers:
    """The objects of one class in one mask.

    Attributes:
        pixels: The number of the object of each pixel, from 1, [height, width] of `number_type(count)`; 0 for no object
            and for ignored pixels. An object may consist of separate parts, and objects may touch.
        count: The number of objects.
    """

    pixels: Numbers
    count: int


def numbers_of_objects(
    stored: Pixels, masks: Masks, ignore: int | None, scratch: Path | None = None
) -> dict[int, ObjectNumbers]:
    """Return the objects of a mask as `Labels` holds them.

    Args:
        stored: [height, width] of stored values, or [height, width, 3] of colours.
        masks: The section data.masks.
        ignore: The stored value of ignored pixels, if there is one.
        scratch: Folder for the numbers of a large mask.

    Returns:
        The stored value of the foreground → its objects; empty unless data.masks.read is instances.
    """
    return {FOREGROUND: number_objects(stored, ignore, scratch)} if masks.read == "instances" else {}


def number_objects(stored: Pixels, ignore: int | None, scratch: Path | None = None) -> ObjectNumbers:
    """Number the objects of a mask from 1 without gaps, in the order of their stored values.

    Args:
        stored: [height, width] of whole numbers, or [height, width, 3] of colours. 0 is no object.
        ignore: The stored value of ignored pixels, if there is one.
        scratch: Folder for the numbers of an image of more than `LARGE_IMAGE_PIXELS`.

    Raises:
        Unreadable: Colours have more than 16 bits per channel.
        UserError: The folder `scratch` has no room.
    """
    found = _values_of_objects(stored, ignore)
    height, width = stored.shape[:2]
    if height * width > LARGE_IMAGE_PIXELS:
        return ObjectNumbers(_numbers_on_disk(stored, found, scratch), len(found))
    numbers = np.zeros((height, width), number_type(len(found)))
    for rows in strips(height, width):
        numbers[rows] = _ranks(stored[rows], found)
    return ObjectNumbers(numbers, len(found))


def foreground_of_objects(pixels: Pixels, ignore: int | None) -> Pixels:
    """Make a mask of foreground and background of a mask of objects.

    Args:
        pixels: [height, width] of whole numbers, or [height, width, 3] of colours.
        ignore: The stored value of ignored pixels, if there is one.

    Returns:
        [height, width]: 1 for every pixel of an object, whatever its number or colour, else 0; pixels of value `ignore`
        keep it.
    """
    foreground = pixels != 0 if pixels.ndim == 2 else (pixels != 0).any(axis=-1)
    if ignore is None or (pixels.ndim == 3 and pixels.dtype != np.uint8):
        return foreground.astype(np.uint8)
    return np.where(_one_value(pixels) == ignore, np.int64(ignore), foreground)


def unlabelled_numbers(values: Pixels) -> set[int]:
    """Object numbers that may mean unlabelled: the lowest negative one, and the type's maximum above a gap."""
    top = np.iinfo(values.dtype).max if values.dtype.kind in "iu" else np.inf
    lowest = highest = below = 0
    for rows in strips(*values.shape):
        lowest, highest = min(lowest, values[rows].min()), max(highest, values[rows].max())
        below = max(below, values[rows].max(where=values[rows] < top, initial=0))
        release(values)
    found = {lowest} if np.isfinite(lowest) and lowest < 0 else set()
    found |= {highest} if np.isfinite(top) and highest == top and 0 < below < top - 1 else set()
    return {int(value) for value in found}


def _values_of_objects(stored: Pixels, ignore: int | None) -> Pixels:
    """The stored values of all objects in ascending order."""
    parts = []
    for rows in strips(*stored.shape[:2]):
        parts.append(np.unique(runs(_one_value(stored[rows]).ravel())[0]))
        release(stored)
    found = np.unique(np.concatenate(parts))
    kept = found != 0
    if ignore is not None and (stored.ndim == 2 or stored.dtype == np.uint8):  # as in `foreground_of_objects`
        kept &= found != ignore
    return np.asarray(found[kept])


def _one_value(pixels: Pixels) -> Pixels:
    """One number for each pixel: [height, width]; equal colours have equal numbers, and black has 0."""
    if pixels.ndim == 2:
        return pixels
    if pixels.dtype.itemsize == 1:
        return pack_channels(pixels)
    if pixels.dtype.kind not in "iu" or pixels.dtype.itemsize > 2:
        raise Unreadable(f"is in colours of type {pixels.dtype}", "save it with 8 bits a channel")
    red, green, blue = np.moveaxis(pixels.view(np.uint16).astype(np.uint64), -1, 0)
    return red << np.uint64(32) | green << np.uint64(16) | blue


def _ranks(stored: Pixels, found: Pixels) -> Numbers:
    """The place of each pixel's value among those of all objects, from 1; 0 for any other value."""
    values, lengths = runs(_one_value(stored).ravel())
    places = np.searchsorted(found, values)
    known = np.append(found, found[-1:])[places] == values if len(found) else np.zeros(len(values), bool)
    ranks = np.where(known, places + 1, 0).astype(number_type(len(found)))
    return np.repeat(ranks, lengths).reshape(stored.shape[:2])


def _numbers_on_disk(stored: Pixels, found: Pixels, scratch: Path | None) -> Numbers:
    """The numbers of a large mask as a memory map of a nameless file."""
    with tempfile.TemporaryFile(dir=scratch) as file:
        for rows in strips(*stored.shape[:2]):
            try:
                file.write(_ranks(stored[rows], found).data)
                file.flush()
            except OSError as error:  # from the disk, not from the mask
                raise UserError(f"{scratch}: {error.strerror}; a large mask of objects needs room there") from None
            release(stored)
        return np.memmap(file, number_type(len(found)), "r", shape=stored.shape[:2])
