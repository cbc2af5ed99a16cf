"""What every format is read into: images with shapes, each shape a class and a way to draw it."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from src.convert.frame import Frame
from src.convert.problems import Findings, Refused, quoted
from src.convert.regions import Points, Region, fill_polygons
from src.data.dataset import IGNORE, NAME, Dataset
from src.errors import UserError
from src.section import validate

BACKGROUND_NAMES = {"background", "_background_"}  # the second is labelme's own
IGNORE_NAME = "__ignore__"  # labelme's own
MOST_CLASSES = IGNORE - 1  # beside the background
MOST_LETTERS = 60  # of a class name in dataset.yaml
FARTHEST = 1e9  # a coordinate, in pixels: beyond it, sums of coordinates lose the pixel
TOLERANCE = 1.0  # pixels that a coordinate may lie outside the picture: rounding, not a mistake


@dataclass(frozen=True)
class Options:
    """What the user decides, for every format alike.

    coordinates: "shown" or "stored", for images with an EXIF orientation; None: the sizes in the annotations tell.
    clip: shapes that reach out of the picture are cut off there, else refused.
    boxes: boxes without a polygon are filled, else refused.
    """

    coordinates: str | None = None
    clip: bool = False
    boxes: bool = False


@dataclass(frozen=True)
class Shape:
    """The value that a shape has in the mask, and how it is drawn; beneath: below every shape that is not.

    cut: it reaches out of the picture by more than `TOLERANCE`.
    """

    value: int
    draw: Callable[[], Region]
    beneath: bool = False
    cut: bool = False


@dataclass(frozen=True)
class Item:
    """An image file, its path below images/ of the data set, and its shapes in the order of the annotations."""

    name: PurePosixPath
    path: Path
    frame: Frame
    shapes: list[Shape]


@dataclass
class Annotations:
    """A whole source.

    classes: value in the mask → name; 0 is the background.
    by_size: larger shapes lie beneath smaller ones, whatever their order; else later ones lie on top.
    sources: the folders that are read, in which nothing may be written.
    subsets: official division, subset → names of images, where the source has one.
    """

    classes: dict[int, str]
    items: list[Item]
    by_size: bool
    sources: list[Path]
    findings: Findings
    subsets: dict[str, list[PurePosixPath]] = field(default_factory=dict)


def number(names: Sequence[str], path: Path) -> dict[str, int]:
    """Class name → value in the masks: 1, 2 … in the order given; a background is 0, `__ignore__` 255.

    `UserError` if a name cannot be one in dataset.yaml, occurs twice, or they are too many; `path` is where they stand.
    """
    own = [name for name in names if name not in BACKGROUND_NAMES and name != IGNORE_NAME]
    if not own:
        raise UserError(f"{path}: no classes are named there, so there is nothing to learn")
    if len(own) > MOST_CLASSES:
        raise UserError(f"{path}: {len(own)} classes; at most {MOST_CLASSES} fit into an 8-bit mask: merge some")
    if long := [name for name in own if len(name) > MOST_LETTERS]:
        raise UserError(f"{path}: a class name is longer than {MOST_LETTERS} characters: {quoted(long[0])}")
    validate(Dataset, {"classes": dict(enumerate(["background", *own]))}, path)
    return (
        {name: position for position, name in enumerate(own, 1)}
        | dict.fromkeys(BACKGROUND_NAMES, 0)
        | {IGNORE_NAME: IGNORE}
    )


def classes_of(values: dict[str, int]) -> dict[int, str]:
    """Value → name, as in dataset.yaml, from what `number` returned."""
    return {0: "background"} | {value: name for name, value in values.items() if 0 < value < IGNORE}


def polygon(value: int, parts: Sequence[Points], frame: Frame, options: Options, *, beneath: bool = False) -> Shape:
    """The shape of one or several polygons; raises `Refused` for coordinates that cannot be meant."""
    for part in parts:
        if len(part) < 3:
            raise Refused(f"a polygon of {len(part)} point(s)", "remove it, or draw it again")
    cut = reaches_out(np.concatenate(parts), frame, options)
    return Shape(value, functools.partial(fill_polygons, parts, frame.height, frame.width), beneath, cut)


def reaches_out(points: Points, frame: Frame, options: Options) -> bool:
    """Whether a point lies out of the picture by more than `TOLERANCE`; raises `Refused` unless that may be clipped."""
    if not (np.abs(points) < FARTHEST).all():  # not a number compares as False
        raise Refused("a coordinate is not a finite number, or far too large", "remove the shape, or draw it again")
    excess = float(max(-points.min(), (points - [frame.width, frame.height]).max()))
    if excess > TOLERANCE and not options.clip:
        raise Refused(
            f"reaches {excess:.6g} pixels out of the picture of {frame.width} × {frame.height}",
            "check size and format, or cut such shapes off with --clip",
        )
    return excess > TOLERANCE


def box(value: int, corners: Sequence[float], frame: Frame, options: Options, *, beneath: bool = False) -> Shape:
    """A filled box from its left, top, right and bottom, in pixels."""
    x0, y0, x1, y1 = corners
    points = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], float)
    return polygon(value, [points], frame, options, beneath=beneath)


def known(values: dict[str, int], label: str) -> int:
    """The value of a label; raises `Refused` if it is none of the classes."""
    if label not in values:
        raise Refused(f"{quoted(label)} is no class", f"add it to --names, or correct it; {NAME} needs all of them")
    return values[label]
