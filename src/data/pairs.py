"""Which image goes with which mask, and what stands in the way."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.data.images import SUFFIXES, Unreadable, read_image, read_mask
from src.errors import UserError

SYSTEM_FILES = {"Thumbs.db", "desktop.ini"}


@dataclass(frozen=True)
class Finding:
    """What a check found: the file, its severity (`error` or `warning`), what it is, and what helps."""

    file: str
    severity: str
    what: str
    remedy: str


@dataclass(frozen=True)
class Pair:
    """An image and its mask, not read yet.

    id: the path below images/ without its extension. Never used in a path of the pipeline's own.
    read: returns the image, uint8 (height, width, channels), and the mask, uint8 (height, width) of stored values;
        raises `Unreadable`.
    """

    id: str
    read: Callable[[], tuple[NDArray[np.uint8], NDArray[np.uint8]]]


def folder_pairs(folder: Path) -> tuple[list[Pair], list[Finding]]:
    """Pair the files of `folder`/images with those of `folder`/masks of equal path and stem, in the order of their ids.

    An image without a mask, a mask without an image, and two files of one stem are findings.
    """
    for part in (folder, folder / "images", folder / "masks"):
        if not part.is_dir():
            raise UserError(f"{part}: no such folder; data.source needs a folder with images/ and masks/")
    images, findings = _by_stem(folder / "images")
    masks, more = _by_stem(folder / "masks")
    findings += more
    for stem in sorted(images.keys() - masks.keys()):
        findings.append(Finding(f"images/{stem}", "error", "has no mask", f"add masks/{stem}.png or remove the image"))
    for stem in sorted(masks.keys() - images.keys()):
        findings.append(Finding(f"masks/{stem}", "error", "has no image", "add the image or remove the mask"))
    both = sorted(images.keys() & masks.keys())
    return [Pair(stem, functools.partial(_read, images[stem], masks[stem])) for stem in both], findings


def _by_stem(folder: Path) -> tuple[dict[str, Path], list[Finding]]:
    found: dict[str, Path] = {}
    findings = []
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.is_dir() or path.name in SYSTEM_FILES or any(part.startswith(".") for part in relative.parts):
            continue
        name = f"{folder.name}/{relative.as_posix()}"
        stem = relative.with_suffix("").as_posix()
        if path.suffix.lower() not in SUFFIXES:
            findings.append(
                Finding(name, "warning", "is left out: not an image", f"read are {', '.join(sorted(SUFFIXES))}")
            )
        elif stem in found:
            findings.append(Finding(name, "error", f"has the stem of {found[stem].name}", "keep one of the two"))
        else:
            found[stem] = path
    return found, findings


def _read(image_path: Path, mask_path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    image, mask = _named(read_image, image_path, "images"), _named(read_mask, mask_path, "masks")
    if image.shape[:2] != mask.shape:
        sizes = [f"{shape[1]} × {shape[0]}" for shape in (image.shape, mask.shape)]
        raise Unreadable(f"the image is {sizes[0]} pixels, its mask {sizes[1]}", "both must be of one size")
    return image, mask


def _named(read: Callable[[Path], NDArray[np.uint8]], path: Path, folder: str) -> NDArray[np.uint8]:
    """Read a file; what is wrong with it names it."""
    try:
        return read(path)
    except Unreadable as error:
        raise Unreadable(f"{folder}/{path.name} {error}", error.remedy) from None
