"""Reads masks in colours with a labelmap.txt: CVAT's "Segmentation mask 1.1" and others in Pascal VOC's layout."""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from src.convert.annotations import Annotations, Item, Options, Shape, official_subsets
from src.convert.classes import classes_by_value, is_unlabelled, number_classes, warn_of_unclear_names
from src.convert.frame import FORMATS, read_header, resolve_frame
from src.convert.names import list_files, locate, safe_name
from src.convert.problems import Findings, Refused, located
from src.convert.regions import Region
from src.data.reading.images import SUFFIXES
from src.data.source.dataset import IGNORE, read_lines
from src.errors import UserError, quoted, some
from src.files import read_text
from src.progress import progress

LABELMAP = "labelmap.txt"
LAYOUTS = (("JPEGImages", "SegmentationClass"), ("images", "masks"))
HINT = f"check that {LABELMAP} gives other classes than background to the colours of the masks"
LISTS = "ImageSets/Segmentation"
OFFICIAL = {"train": "train", "val": "validation", "test": "test"}
LINE = re.compile(r"(?P<name>.+?)\s*:\s*(?P<colour>\d{1,3}\s*,\s*\d{1,3}\s*,\s*\d{1,3})\s*(:.*)?")
VOID = 0xE0E0C0  # Pascal VOC's colour of borders and of pixels that are not annotated
Colour = int  # 0xRRGGBB


@dataclass(frozen=True)
class Label:
    """A line of labelmap.txt."""

    name: str
    colour: Colour


def read_voc(folder: Path, options: Options) -> Annotations:
    """Read an export in Pascal VOC's layout.

    Classes are numbered in the order of labelmap.txt. A class called void, ignored or unlabelled becomes pixels to
    ignore. The lists train, val and test in ImageSets/Segmentation become the official division.

    Args:
        folder: Holds labelmap.txt, and images and masks of equal names in JPEGImages/ and SegmentationClass/, or in
            images/ and masks/.
        options: The user's decisions.

    Raises:
        UserError: labelmap.txt or the folders are missing, or labelmap.txt has lines that cannot be used.
    """
    findings = Findings()
    labels = _read_labels(folder / LABELMAP)
    classes = [label for label in labels if not is_unlabelled(label.name)]
    values = number_classes([label.name for label in classes], folder / LABELMAP)
    warn_of_unclear_names([label.name for label in classes], str(folder / LABELMAP), findings)
    value_of = {VOID: IGNORE} | {label.colour: values.get(label.name, IGNORE) for label in labels}
    images, masks = _layout(folder)
    files = _masks_by_stem(masks, findings)
    items, unpaired = list[Item](), list[PurePosixPath]()
    pictures = list_files(images, SUFFIXES, findings)
    for name in progress(pictures, len(pictures), "read"):
        if name.with_suffix("") not in files:
            unpaired.append(name)
            continue
        with findings.collect(f"{images.name}/{name}"):
            items.append(
                _item(name, locate(images, name), locate(masks, files[name.with_suffix("")]), value_of, options)
            )
    _warn_of_unpaired(unpaired, images, masks, findings)
    _refuse_unpaired_masks(files, pictures, images, masks, findings)
    subsets = _subsets(folder / LISTS, items, findings)
    colours = {values[label.name]: f"#{label.colour:06X}" for label in classes}
    return Annotations(
        classes_by_value(values), items, False, [folder], findings, subsets=subsets, colours=colours, hint=HINT
    )


def _read_labels(path: Path) -> list[Label]:
    """Read the lines name:red,green,blue:parts:actions; `UserError` lists malformed and repeated lines."""
    if not path.is_file():
        raise UserError(
            f"{path}: no such file. It names the class of each colour in a line such as cat:250,50,83:: . Without it "
            "nothing has to be converted: call the folders images/ and masks/, and name the classes in dataset.yaml "
            'by colour ("#FA3253": cat) or by palette index (1: cat)'
        )
    labels: list[Label] = []
    wrong = []
    for position, line in enumerate(map(str.strip, read_text(path).splitlines()), 1):
        if not line or line.startswith("#"):
            continue
        found = LINE.fullmatch(line)
        parts = [int(part) for part in found["colour"].split(",")] if found else [256]
        label = Label(found["name"], parts[0] << 16 | parts[1] << 8 | parts[2]) if found else None
        if label is None or max(parts) > 255:
            wrong.append(f"line {position}, {quoted(line)}, is not name:red,green,blue:parts:actions")
        elif same := [other for other in labels if label.name == other.name or label.colour == other.colour]:
            wrong.append(f"line {position}, {quoted(line)}, has the name or the colour of {quoted(same[0].name)}")
        else:
            labels.append(label)
    if wrong:
        raise UserError(f"{path}: {'; '.join(wrong)} → correct these lines")
    return labels


def _layout(folder: Path) -> tuple[Path, Path]:
    """Find the folders of images and of masks."""
    for images, masks in LAYOUTS:
        if (folder / images).is_dir() and (folder / masks).is_dir():
            return folder / images, folder / masks
    expected = " or ".join(f"{images}/ with {masks}/" for images, masks in LAYOUTS)
    hint = "; exports of CVAT hold the images only if that is chosen" if (folder / LAYOUTS[0][1]).is_dir() else ""
    raise UserError(f"{folder}: neither {expected} is there{hint}")


def _masks_by_stem(masks: Path, findings: Findings) -> dict[PurePosixPath, PurePosixPath]:
    """The masks: path without the extension → path. Two masks of one name are an error."""
    files: dict[PurePosixPath, PurePosixPath] = {}
    for name in list_files(masks, SUFFIXES, findings):
        with findings.collect(f"{masks.name}/{name}"):
            other = files.setdefault(name.with_suffix(""), name)
            if other != name:
                what = f"{quoted(str(other))} there has the same name: which of them is the mask is not certain"
                raise Refused(what, "remove one of the two")
    return files


def _item(name: PurePosixPath, image: Path, mask: Path, value_of: dict[Colour, int], options: Options) -> Item:
    """An image with one shape per class in its mask; raises `Refused` for colours that have no class."""
    header = read_header(image)
    with located(f"its mask {mask.name}"):
        size = read_header(mask).shown
        colours, counts = np.unique(_read_colours(mask), return_counts=True)
        pixels = dict(zip(colours.tolist(), counts.tolist(), strict=True))
        if unknown := {colour: count for colour, count in pixels.items() if colour not in value_of}:
            raise _unknown_colours(unknown)
    present = {value_of[colour] for colour in pixels} - {0}
    frame = resolve_frame(header, size, options.coordinates, bool(present))
    return Item(safe_name(str(name)), image, frame, [_shape(mask, value, value_of) for value in sorted(present)])


def _unknown_colours(pixels: dict[Colour, int]) -> Refused:
    """The error about colours that have no class; pixels: colour → number of pixels."""
    shown = some([f"{colour >> 16},{colour >> 8 & 255},{colour & 255}" for colour in pixels])
    return Refused(
        f"holds {len(pixels)} colour(s) that {LABELMAP} does not name, in {sum(pixels.values())} pixel(s): {shown}",
        f"add a line to {LABELMAP} for each; if they come from smooth edges, export the masks again without these",
    )


def _shape(mask: Path, value: int, value_of: dict[Colour, int]) -> Shape:
    wanted = [colour for colour, other in value_of.items() if other == value]

    def draw() -> Region:
        colours = _read_colours(mask)
        inside = np.zeros(colours.shape, bool)
        for colour in wanted:  # np.isin would take many times the memory of the mask
            inside |= colours == colour
        return Region(0, 0, inside)

    return Shape(value, draw)


@functools.lru_cache(maxsize=1)
def _read_colours(path: Path) -> NDArray[np.uint32]:
    """The colours of a mask as shown: 0xRRGGBB, uint32 [height, width]. Raises `Refused` if they are not exact."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.format in ("JPEG", "MPO"):
                raise Refused("is a JPEG, which changes colours", "export the masks as PNG")
            if "A" in image.getbands() and len(set(image.getchannel("A").getextrema())) > 1:
                raise Refused("is transparent in part", "export it without an alpha channel")
            pixels = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except (OSError, SyntaxError, ValueError):
        raise Refused("cannot be read as an image", "export it again as PNG") from None
    colours = pixels[..., 0].astype(np.uint32)
    for band in (1, 2):
        colours <<= 8
        colours |= pixels[..., band]
    return colours


def _warn_of_unpaired(unpaired: Sequence[PurePosixPath], images: Path, masks: Path, findings: Findings) -> None:
    if unpaired:
        what = f"{len(unpaired)} image(s) there have no mask of that name, and are left out; the first is "
        findings.warn(str(images), what + quoted(str(unpaired[0])), f"add their masks to {masks}")


def _refuse_unpaired_masks(
    masks_by_stem: dict[PurePosixPath, PurePosixPath],
    pictures: Sequence[PurePosixPath],
    images: Path,
    masks: Path,
    findings: Findings,
) -> None:
    stems = {name.with_suffix("") for name in pictures}
    for stem, mask in masks_by_stem.items():
        if stem not in stems:
            with findings.collect(f"{masks.name}/{mask}"):
                raise Refused(f"has no image of that name in {images}", "add the image, or remove the mask")


def _subsets(folder: Path, items: Sequence[Item], findings: Findings) -> dict[str, list[PurePosixPath]]:
    """The official division, from the lists that have the names of subsets."""
    by_stem = {item.name.with_suffix(""): item.name for item in items}
    subsets: dict[str, list[PurePosixPath]] = {}
    for name, subset in OFFICIAL.items():
        if (folder / f"{name}.txt").is_file():
            listed = [PurePosixPath(line) for line in read_lines(folder / f"{name}.txt")]
            subsets[subset] = [by_stem[stem] for stem in listed if stem in by_stem]
            if missing := [stem for stem in listed if stem not in by_stem]:
                what = f"{len(missing)} image(s) of the list have no pair of image and mask; the first is "
                findings.warn(str(folder / f"{name}.txt"), what + quoted(str(missing[0])), "they are left out")
    return official_subsets(subsets, items, str(folder), findings)
