"""Find the images and masks of a folder, pair them, and read a pair's pixels."""

import functools
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from src.data.checks.image_as_mask import holds_image, looks_swapped, may_hold_image
from src.data.reading.channels import Pixels
from src.data.reading.images import SUFFIXES, Picture, apply_orientation, read_image, read_picture
from src.data.reading.masks import Labels, read_stored_mask
from src.data.reading.orientation import orient_mask
from src.data.reading.unreadable import LARGE_IMAGE_PIXELS, Finding, Unreadable
from src.data.source.layouts import layout_findings
from src.data.source.links import check_links, files_below
from src.data.source.matching import NamedFiles, NamingRule, find_rule, pair_by_rule
from src.data.source.unpaired import explain_unpaired
from src.errors import UserError, printable
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
class View:
    """The part of a data set that is read.

    Attributes:
        masks: The folder beside images/ that holds the masks.
        only: Ids of the images that are wanted, None for all.
    """

    masks: str = "masks"
    only: frozenset[str] | None = None

    def wants(self, image: str) -> bool:
        return self.only is None or image in self.only


WHOLE_SET = View()


@dataclass(frozen=True)
class FolderPairs:
    """The pairs of a folder.

    Attributes:
        pairs: All pairs, in the order of their ids, also those that a view does not want.
        findings: Files that cannot be used or have no partner. For a view, only those whose image is wanted.
        rule: How masks are named after images.
    """

    pairs: list[Pair]
    findings: list[Finding]
    rule: NamingRule


@dataclass(frozen=True)
class ImageFiles:
    """The image or mask files of a folder.

    Attributes:
        files: Id → file. An id is the path below the folder without extension, in composed Unicode (NFC).
        findings: Files that are left out or cannot be used.
        ambiguous: Ids of several files. None of them may be used, since nobody can tell which one is meant.
    """

    files: dict[str, Path]
    findings: list[Finding]
    ambiguous: set[str]


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
    check_folder(folder, view.masks)
    images, masks = find_images(folder / "images", folder), find_images(folder / view.masks, folder)
    ids, rule = name_images(images.files, masks.files)
    files = NamedFiles({name: images.files[image] for name, image in ids.items()}, masks.files, rule, view.masks)
    only = None if view.only is None else {name for name, image in ids.items() if image in view.only}
    together, alone = pair_by_rule(files)
    alone = layout_findings(files, alone, only)
    alone = explain_unpaired(folder, files, alone)
    if only is not None:
        alone = [found for found in alone if found.whole or found.file.removeprefix("images/") in only]
    pairs = [
        Pair(ids[name], _PairFiles(folder, files.images[name], files.masks[mask], data, colours, ignore).read)
        for name, mask in sorted(together.items())
        if ids[name] not in images.ambiguous and mask not in masks.ambiguous
    ]
    return FolderPairs(pairs, images.findings + masks.findings + alone, rule)


def name_images(images: Mapping[str, Path], masks: Mapping[str, Path]) -> tuple[dict[str, str], NamingRule]:
    """Find the names that masks are named after: the ids of the images, or the ids with their extension.

    Args:
        images: Id → file.
        masks: Id → file.

    Returns:
        Name → id of the image, and the rule that pairs names with masks.
    """
    rule = find_rule(images, masks)
    with_extension = {image + path.suffix: image for image, path in images.items()}
    if any(suffix in mask.lower() for mask in masks for suffix in SUFFIXES):
        other = replace(find_rule(with_extension, masks), extension=True)
        if other.count_pairs(with_extension, masks) > rule.count_pairs(images, masks):
            return with_extension, other
    return {image: image for image in images}, rule


def check_folder(folder: Path, masks: str = View.masks) -> None:
    """Check that a data set has its folders, and that none of them is a link.

    Args:
        folder: The data set.
        masks: The folder beside images/ that holds the masks.

    Raises:
        UserError: A folder is missing or is a link.
    """
    for part in (folder, folder / "images", folder / masks):
        if not part.is_dir():
            present = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
            hint = f"; folders there: {', '.join(present)}" if present else ""
            raise UserError(f"{part}: no such folder; data.source needs a folder with images/ and {masks}/{hint}")
    check_links(folder, "images", masks)


def find_images(folder: Path, root: Path, *, skip: bool = True) -> ImageFiles:
    """Find the files below a folder that are images by their extension.

    Args:
        folder: Folder of images or masks.
        root: The data set, out of which links may not lead.
        skip: Whether messages may recommend data.on_error: skip.
    """
    found: dict[str, Path] = {}
    folded: dict[str, str] = {}  # id without case → file name
    findings: list[Finding] = []
    ambiguous: set[str] = set()
    for path, problem in files_below(folder, root.resolve()):
        relative = path.relative_to(folder)
        name = printable(f"{folder.name}/{relative.as_posix()}")
        stem = unicodedata.normalize("NFC", relative.with_suffix("").as_posix())
        twin = found.get(stem)
        if problem:
            findings.append(Finding(name, "error", *problem))
        elif path.suffix.lower() not in SUFFIXES:
            setting = f"images are {', '.join(sorted(SUFFIXES))}"
            findings.append(Finding(name, "warning", "is left out: it has no extension of an image", setting))
        elif twin is not None:
            setting = "keep one of the two" + "; data.on_error: skip leaves out both, and their partner" * skip
            findings.append(Finding(name, "error", f"has the same name as {twin.name} but for the extension", setting))
            ambiguous.add(stem)
        elif stem.casefold() in folded:
            what = f"differs from {folded[stem.casefold()]} in capital letters only: some systems would mix them up"
            setting = "rename one of the two" + ", or data.on_error: skip" * skip
            findings.append(Finding(name, "error", what, setting))
        else:
            found[stem] = path
            folded[stem.casefold()] = path.name
    return ImageFiles(found, findings, ambiguous)


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
        if may_hold_image(stored.values, data.masks) and image.shape[0] * image.shape[1] <= LARGE_IMAGE_PIXELS:
            self._refuse_image_as_mask(image)
        codes, notes = orient_mask(stored, picture.orientation, image.shape[:2], data.masks.exif)
        check_same_size(image, codes)
        notes += alpha_notes(picture, image)
        return Content(image, Labels(codes, stored.values), notes, picture.inverted, picture.orientation)

    def _refuse_image_as_mask(self, image: Pixels) -> None:
        """Raise `Unreadable` if the mask file holds the image, or a picture while the image looks like a mask."""
        name = self.mask.relative_to(self.folder).as_posix()
        try:
            pixels = read_image(self.mask)
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
