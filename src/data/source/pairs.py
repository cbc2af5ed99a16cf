"""Pair the images and masks of a folder, and read a pair's pixels."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from src.data.checks.image_as_mask import holds_image, looks_swapped, may_hold_image
from src.data.reading.channels import Pixels
from src.data.reading.images import Picture, apply_orientation, read_image, read_picture
from src.data.reading.masks import read_stored_mask
from src.data.reading.orientation import orient_mask
from src.data.reading.stored_values import Labels
from src.data.reading.unreadable import LARGE_IMAGE_PIXELS, Finding, Unreadable
from src.data.source.folder_files import WHOLE_SET, View, match_files
from src.params import Data

Result = TypeVar("Result")


@dataclass(frozen=True)
class Content:
    """The pixels of a pair, with the EXIF orientation applied to both.

    Attributes:
        image: [height, width, channels], uint8, uint16 or float32.
        labels: The mask, with codes of the same height and width.
        notes: Warnings, each with the setting or the step that helps.
        inverted: The image's file stores white as 0.
        orientation: EXIF orientation of the image's file, 1 to 8.
    """

    image: Pixels
    labels: Labels
    notes: Sequence[tuple[str, str]] = ()
    inverted: bool = False
    orientation: int = 1


@dataclass(frozen=True)
class Pair:
    """An image and its mask that have not been read yet.

    Attributes:
        id: Path of the image below images/ without its extension. It is never used in a path that the pipeline writes.
        read: Reads the pair. It takes a folder for pixels too large for memory, and raises `Unreadable`.
    """

    id: str
    read: Callable[[Path | None], Content]


@dataclass(frozen=True)
class FolderPairs:
    """The pairs of a folder.

    Attributes:
        pairs: All pairs, in the order of their ids, also those that a view does not want.
        findings: Files that cannot be used or have no partner. For a view, only those whose image is wanted.
        naming: How masks are named after images, in words; "" if the names are equal.
    """

    pairs: list[Pair]
    findings: list[Finding]
    naming: str = ""


def folder_pairs(folder: Path, data: Data, colours: bool, ignore: int | None, view: View = WHOLE_SET) -> FolderPairs:
    """Pair the files of `folder`/images with those of the folder of masks. No file is read yet.

    Args:
        folder: The data set.
        data: The section data.
        colours: Classes are named by colour, see `read_mask`.
        ignore: The stored value to ignore, if there is one.
        view: The part of the data set that is wanted.

    Raises:
        UserError: A folder is missing or is a link.
    """
    matched = match_files(folder, view)
    pairs = [
        Pair(image, _PairFiles(folder, *files, data, colours, ignore).read) for image, files in matched.files.items()
    ]
    return FolderPairs(pairs, matched.findings, matched.rule.describe())


@dataclass(frozen=True)
class _PairFiles:
    """The files of a pair, and what decides how they are read."""

    folder: Path
    image: Path
    mask: Path
    data: Data
    colours: bool
    ignore: int | None

    def read(self, scratch: Path | None) -> Content:
        data = self.data
        picture = read_named(self.folder, self.image, lambda: read_picture(self.image, data.channels, scratch))
        image = apply_orientation(picture.pixels, picture.orientation)
        read_labels = functools.partial(read_stored_mask, self.mask, data.masks, self.colours, self.ignore, scratch)
        stored = read_named(self.folder, self.mask, read_labels)
        if may_hold_image(stored.values, data.masks):
            refuse_image_as_mask(self.folder, self.mask, image)
        labels, notes = orient_mask(stored, picture.orientation, image.shape[:2], data.masks.exif)
        check_same_size(image, labels.codes)
        notes += alpha_notes(picture, image)
        return Content(image, labels, notes, picture.inverted, picture.orientation)


def refuse_image_as_mask(folder: Path, mask: Path, image: Pixels) -> None:
    """Refuse a mask file that holds the image, or a picture while the image looks like a mask.

    Args:
        folder: Folder from which messages name the file.
        mask: The mask file.
        image: [height, width, channels]; of more than `LARGE_IMAGE_PIXELS` pixels it is not compared.

    Raises:
        Unreadable: The file is no mask.
    """
    if image.shape[0] * image.shape[1] > LARGE_IMAGE_PIXELS:
        return
    name = mask.relative_to(folder).as_posix()
    try:
        pixels = read_image(mask)
    except Unreadable:  # an image does not hold such numbers
        return
    if looks_swapped(pixels, image):
        what = f"{name} looks like an image, and the image like a mask"
        raise Unreadable(what, "exchange them if they are in each other's folder; or data.on_error: skip")
    if holds_image(pixels, image):
        what = f"{name} holds the image itself, not classes"
        raise Unreadable(what, "put the mask there; export the labels, not the picture; or data.on_error: skip")


def alpha_notes(picture: Picture, image: Pixels) -> list[tuple[str, str]]:
    """Warn of an alpha channel that is left out.

    Args:
        picture: The image as read.
        image: Its pixels, [height, width, channels].

    Returns:
        A list with one warning and the setting that helps, or an empty list.
    """
    what = "the image's alpha channel is left out, and it is not the same everywhere"
    return [(what, f"data.channels: {image.shape[2] + 1} keeps it")] if picture.alpha_dropped else []


def check_same_size(image: Pixels, codes: NDArray[np.uint8], mask: str = "its mask") -> None:
    """Check that a mask has the size of its image.

    Args:
        image: [height, width, channels].
        codes: uint8 [height, width].
        mask: What the message calls the mask.

    Raises:
        Unreadable: It has another size.
    """
    if image.shape[:2] != codes.shape:
        sizes = [f"{shape[1]} × {shape[0]}" for shape in (image.shape, codes.shape)]
        turn = ", with width and height exchanged" * (image.shape[:2] == codes.shape[::-1])
        what = f"the image is {sizes[0]} pixels, {mask} {sizes[1]}{turn}"
        raise Unreadable(what, "make both of one size, or data.on_error: skip")


def read_named(folder: Path, path: Path, read: Callable[[], Result]) -> Result:
    """Read a file. If that fails, the error names the file.

    Args:
        folder: Folder from which messages name the file.
        path: The file.
        read: Reads it.

    Raises:
        Unreadable: The file cannot be used.
    """
    name = path.relative_to(folder).as_posix()
    try:
        return read()
    except Unreadable as error:
        raise Unreadable(f"{name} {error}", error.setting) from None
    except OSError as error:
        raise Unreadable(f"{name} cannot be read: {error.strerror}", "check the file") from None
    except MemoryError:
        raise Unreadable(f"{name} does not fit into memory", "cut it, or save it as TIFF in tiles") from None
