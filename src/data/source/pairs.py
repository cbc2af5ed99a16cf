"""The files of a data set: which are images and masks, which belong together, and what stands in the way."""

import functools
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from src.data.checks.image_as_mask import changed_places, holds_image, suspicious
from src.data.reading.images import SUFFIXES, apply_orientation, read_image, read_picture
from src.data.reading.masks import Labels, read_stored_mask
from src.data.reading.orientation import orient_mask
from src.data.reading.unreadable import LARGE_IMAGE_PIXELS, Finding, Unreadable
from src.data.source.layouts import layout_findings
from src.data.source.links import check_links, files_below
from src.data.source.matching import NamingRule, find_rule, pair_by_rule
from src.data.source.unpaired import explain_unpaired
from src.errors import UserError, printable
from src.params import Data


class Content(NamedTuple):
    """A pair's pixels, both turned as the image is looked at.

    Attributes:
        image: [height, width, channels], uint8, uint16 or float32.
        labels: of the mask, with codes of the same height and width.
        notes: what to warn of, each with the setting or the step that helps.
        inverted: whether the image's file stores white as 0.
        orientation: EXIF, 1 … 8, that the image's file names.
    """

    image: NDArray[Any]
    labels: Labels
    notes: Sequence[tuple[str, str]] = ()
    inverted: bool = False
    orientation: int = 1


@dataclass(frozen=True)
class Pair:
    """An image and its mask, not read yet.

    id: the image's path below images/ without its extension. Never used in a path of the pipeline's own.
    read: returns the content; takes a folder for what is too large for memory; raises `Unreadable`.
    """

    id: str
    read: Callable[[Path | None], Content]


@dataclass(frozen=True)
class View:
    """What of a data set is read.

    masks: the folder beside images/ that holds the masks. only: the ids of the images that are wanted, None for all.
    """

    masks: str = "masks"
    only: frozenset[str] | None = None

    def wants(self, image: str) -> bool:
        return self.only is None or image in self.only


WHOLE_SET = View()


def folder_pairs(
    folder: Path, data: Data, colours: bool, ignore: int | None, view: View = WHOLE_SET
) -> tuple[list[Pair], list[Finding], NamingRule]:
    """Pair the files of `folder`/images with those of `folder`/masks, in the order of their ids.

    colours, ignore: see `read_mask`. Whatever has no partner, or more than one, is a finding; of a view, if its image
    is wanted. The pairs are all that there are.
    """
    check_folder(folder, view.masks)
    images, findings, several = find_images(folder / "images", folder)
    masks, more, of_masks = find_images(folder / view.masks, folder)
    names, rule = _named(images, masks)
    files = {name: images[image] for name, image in names.items()}
    only = None if view.only is None else {name for name, image in names.items() if image in view.only}
    together, alone = pair_by_rule(files, masks, rule, view.masks)
    alone = layout_findings(files, masks, rule, alone, view.masks, only)
    alone = explain_unpaired(folder, files, masks, rule, alone, view.masks)
    if only is not None:
        alone = [found for found in alone if found.whole or found.file.removeprefix("images/") in only]
    pairs = [
        Pair(names[name], functools.partial(_read, folder, files[name], masks[mask], data, colours, ignore))
        for name, mask in sorted(together.items())
        if names[name] not in several and mask not in of_masks
    ]
    return pairs, findings + more + alone, rule


def _named(images: Mapping[str, Path], masks: Mapping[str, Path]) -> tuple[dict[str, str], NamingRule]:
    """What masks are named after → id of the image, and the rule: the id, or the file, as a.jpg of a mask a.jpg.png."""
    rule = find_rule(images, masks)
    whole = {image + path.suffix: image for image, path in images.items()}
    if any(suffix in mask.lower() for mask in masks for suffix in SUFFIXES):
        other = replace(find_rule(whole, masks), extension=True)
        if other.count_pairs(whole, masks) > rule.count_pairs(images, masks):
            return whole, other
    return {image: image for image in images}, rule


def check_folder(folder: Path, masks: str = View.masks) -> None:
    """`UserError` if it is not one with images/ and masks/, or if one of these is a link."""
    for part in (folder, folder / "images", folder / masks):
        if not part.is_dir():
            there = (
                ", ".join(sorted(path.name for path in folder.iterdir() if path.is_dir())) if folder.is_dir() else ""
            )
            hint = f"; folders there: {there}" if there else ""
            raise UserError(f"{part}: no such folder; data.source needs a folder with images/ and {masks}/{hint}")
    check_links(folder, "images", masks)


def find_images(folder: Path, root: Path, *, skip: bool = True) -> tuple[dict[str, Path], list[Finding], set[str]]:
    """Path below `folder` without extension, in composed unicode → file; findings; the stems of several files.

    Which of several is meant nobody can tell: none of them may be used. skip: whether data.on_error: skip helps.
    """
    found: dict[str, Path] = {}
    folded: dict[str, str] = {}
    findings = []
    several = set()
    for path, problem in files_below(folder, root.resolve()):
        relative = path.relative_to(folder)
        name = printable(f"{folder.name}/{relative.as_posix()}")
        stem = unicodedata.normalize("NFC", relative.with_suffix("").as_posix())
        twin = found.get(stem)
        if problem:
            findings.append(Finding(name, "error", *problem))
        elif path.suffix.lower() not in SUFFIXES:
            setting = f"images are {', '.join(sorted(SUFFIXES))}"
            findings.append(Finding(name, "warning", "is left out: no image by its extension", setting))
        elif twin is not None:
            setting = "keep one of the two" + "; data.on_error: skip leaves out both, and their partner" * skip
            findings.append(Finding(name, "error", f"has the stem of {twin.name}", setting))
            several.add(stem)
        elif stem.casefold() in folded:
            what = f"differs from {folded[stem.casefold()]} in capital letters only: some systems would mix them up"
            setting = "rename one of the two" + ", or data.on_error: skip" * skip
            findings.append(Finding(name, "error", what, setting))
        else:
            found[stem] = path
            folded[stem.casefold()] = path.name
    return found, findings, several


def _read(
    folder: Path,
    image_path: Path,
    mask_path: Path,
    data: Data,
    colours: bool,
    ignore: int | None,
    scratch: Path | None,
) -> Content:
    picture = read_named(folder, image_path, lambda: read_picture(image_path, data.channels, scratch))
    image = apply_orientation(picture.pixels, picture.orientation)
    stored = read_named(folder, mask_path, lambda: read_stored_mask(mask_path, data.masks, colours, ignore, scratch))
    if suspicious(stored.values, data.masks) and image.shape[0] * image.shape[1] <= LARGE_IMAGE_PIXELS:
        _refuse_image(folder, mask_path, image)
    codes, notes = orient_mask(stored, picture.orientation, image.shape[:2], data.masks.exif)
    if picture.alpha_dropped:
        kept = f"data.channels: {image.shape[2] + 1}"
        notes.append(("the image's alpha channel is left out, and it is not the same everywhere", f"{kept} keeps it"))
    if image.shape[:2] != codes.shape:
        sizes = [f"{shape[1]} × {shape[0]}" for shape in (image.shape, codes.shape)]
        turn = ", with width and height exchanged" * (image.shape[:2] == codes.shape[::-1])
        what = f"the image is {sizes[0]} pixels, its mask {sizes[1]}{turn}"
        raise Unreadable(what, "make both of one size, or data.on_error: skip")
    return Content(image, Labels(codes, stored.values), notes, picture.inverted, picture.orientation)


def _refuse_image(folder: Path, mask_path: Path, image: NDArray[Any]) -> None:
    """Raise `Unreadable` if the mask file holds the image, or a picture while the image looks like a mask."""
    name = mask_path.relative_to(folder).as_posix()
    try:
        pixels = read_image(mask_path)
    except Unreadable:  # no image holds such numbers
        return
    if changed_places(pixels, image):
        what = f"{name} looks like an image, and the image like a mask"
        raise Unreadable(what, "exchange them if they are in each other's folder; or data.on_error: skip")
    if holds_image(pixels, image):
        what = f"{name} holds the image itself, not classes"
        raise Unreadable(what, "put the mask there; export the labels, not the picture; or data.on_error: skip")


def read_named(folder: Path, path: Path, read: Callable[[], Any]) -> Any:
    """Read a file; what is wrong with it names it, as seen from the data set's folder."""
    name = path.relative_to(folder).as_posix()
    try:
        return read()
    except Unreadable as error:
        raise Unreadable(f"{name} {error}", error.setting) from None
    except OSError as error:
        raise Unreadable(f"{name} cannot be read: {error.strerror}", "check the file") from None
    except MemoryError:
        raise Unreadable(f"{name} does not fit into memory", "cut it, or save it as TIFF in tiles") from None
