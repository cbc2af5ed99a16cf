"""What every format is read into: images with shapes, each shape a class and a way to draw it."""

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType

import numpy as np

from src.convert.frame import Frame
from src.convert.problems import Degenerate, Findings, Refused
from src.convert.regions import Points, Region, fill_polygons
from src.data.source.dataset import BACKGROUND_NAMES, IGNORE, UNLABELLED_NAMES, Dataset, plain_name, similar_names
from src.errors import UserError, quoted
from src.section import validate

IN_PIXELS = "if coordinates are shares of the size (0 … 1), not pixels: export them in pixels"
IGNORE_NAME = "__ignore__"  # labelme's own
MOST_CLASSES = IGNORE - 1  # beside the background
MOST_LETTERS = 60  # of a class name in dataset.yaml
FARTHEST = 1e9  # a coordinate, in pixels: beyond it, sums of coordinates lose the pixel
TOLERANCE = 1.0  # pixels that a coordinate may lie outside the picture: rounding, not a mistake
TURNED = 0.1  # a shape this share of the size out of the picture, which fits the picture turned, proves it is turned


@dataclass(frozen=True)
class Options:
    """What the user decides, for every format alike.

    coordinates: "shown" or "stored", for images with an EXIF orientation, where the sizes in the annotations cannot
        tell; where they can, an option that says otherwise is refused.
    clip: shapes that reach out of the picture are cut off there, else refused.
    boxes: boxes without a polygon are filled, else refused.
    holes: "cut" or "fill": what becomes of a polygon inside another one of its annotation; None: `area` decides.
    skip_degenerate: polygons that enclose nothing are left out and listed, else refused.
    paired_by: labelme: "imagePath" or "name" decides which image a JSON is about; None: a JSON where they differ is
        refused.
    compare_embedded: labelme: an image that does not look like the picture in its JSON (imageData) is refused.
    encoding: labelme: how the text of those JSON files is encoded that are not UTF-8.
    """

    coordinates: str | None = None
    clip: bool = False
    boxes: bool = False
    holes: str | None = None
    skip_degenerate: bool = False
    paired_by: str | None = None
    compare_embedded: bool = True
    encoding: str | None = None


@dataclass(frozen=True)
class Shape:
    """The value that a shape has in the mask, and how it is drawn.

    below_others: it is drawn before every shape that has this not set.
    cut: it reaches out of the picture by more than `TOLERANCE`.
    """

    value: int
    draw: Callable[[], Region]
    below_others: bool = False
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
    holes: how to draw a hole in this format, in words.
    subsets: official division, subset → names of images, where the source has one.
    colours: value in the mask → "#RRGGBB", where the source has a colour for each class.
    hint: what to check if no pixel belongs to a class, in words.
    """

    classes: dict[int, str]
    items: list[Item]
    by_size: bool
    sources: list[Path]
    findings: Findings
    holes: str = ""
    subsets: dict[str, list[PurePosixPath]] = field(default_factory=dict)
    colours: dict[int, str] = field(default_factory=dict)
    hint: str = "check that the shapes lie on their images"


def number(names: Sequence[str], path: Path) -> dict[str, int]:
    """Class name → value in the masks: 1, 2 … in the order given; a background is 0, `__ignore__` 255.

    `UserError` if a name cannot be one in dataset.yaml, occurs twice, or they are too many, or if several names mean
    the background; `path` is where they stand.
    """
    background = [name for name in names if is_background(name)]
    own = [name for name in names if name not in background and name != IGNORE_NAME]
    if len(background) > 1:
        raise UserError(
            f"{path}: several names mean the background: {', '.join(map(quoted, background))}; keep one of them, and "
            "rename those that are classes"
        )
    if not own:
        raise UserError(f"{path}: no classes are named there, so there is nothing to learn")
    if len(own) > MOST_CLASSES:
        raise UserError(f"{path}: {len(own)} classes; at most {MOST_CLASSES} fit into an 8-bit mask: merge some")
    if long := [name for name in own if len(name) > MOST_LETTERS]:
        raise UserError(f"{path}: a class name is longer than {MOST_LETTERS} characters: {quoted(long[0])}")
    if doubled := [name for name, count in Counter(own).items() if count > 1]:
        raise UserError(f"{path}: named twice: {', '.join(map(quoted, doubled))}; give each class a name of its own")
    validate(Dataset, {"classes": dict(enumerate(["background", *own]))}, path)
    return (
        {name: position for position, name in enumerate(own, 1)}
        | dict.fromkeys(["background", *background], 0)
        | {IGNORE_NAME: IGNORE}
    )


def is_background(name: str) -> bool:
    """Whether a class name means the background: background or bg in any case, labelme's `_background_` too."""
    return plain_name(name) in BACKGROUND_NAMES


def is_unlabelled(name: str) -> bool:
    """Whether a class name such as void or `__ignore__` may mean pixels that nobody annotated."""
    return plain_name(name) in UNLABELLED_NAMES


def warn_of_names(
    names: Iterable[str], file: str, findings: Findings, places: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Add warnings for class names that are not clear.

    Such names differ in case, blanks, underscores or hyphens only, or may mean pixels that nobody annotated.

    Args:
        names: The names of the classes.
        file: Where they stand.
        findings: Where the warning goes.
        places: Name → where it is used, in words.
    """
    names = list(names)
    for name in dict.fromkeys(names):
        if name != IGNORE_NAME and is_unlabelled(name):
            what = f"{_placed(name, places)} becomes a class of its own and counts in every score"
            findings.warn(file, what, f"if it means not annotated, call it {IGNORE_NAME} and convert again")
    groups: dict[str, list[str]] = {}
    for first, second in similar_names(names):
        if not any(first in others for others in groups.values()):
            groups.setdefault(first, []).append(second)
    for first, others in groups.items():
        shown = ", ".join(_placed(name, places) for name in [first, *others])
        what = f"class names differ in case, blanks, underscores or hyphens only: {shown}"
        findings.warn(file, what, "if they mean one class, give it one name there and convert again")


def _placed(name: str, places: Mapping[str, str]) -> str:
    """A name and the place where it is used, if that is known."""
    return quoted(name) + (f" ({places[name]})" if name in places else "")


def classes_of(values: dict[str, int]) -> dict[int, str]:
    """Value → name, as in dataset.yaml, from what `number` returned."""
    return {0: "background"} | {value: name for name, value in values.items() if 0 < value < IGNORE}


def official(
    listed: Mapping[str, Sequence[PurePosixPath]], items: Sequence[Item], file: str, findings: Findings
) -> dict[str, list[PurePosixPath]]:
    """The official division that a source gives.

    The list of training images is kept only if all three lists name images, and every image is on exactly one of them.
    Else the pipeline divides the images that are on no other list.

    Args:
        listed: Subset → names of its images, as the source lists them.
        items: All images.
        file: Where the lists stand.
        findings: Where a warning goes if an image is listed more than once.

    Returns:
        Subset → names of its images, each once; empty lists are left out.
    """
    counts = Counter(name for names in listed.values() for name in names)
    if repeated := [name for name, count in counts.items() if count > 1]:
        what = f"{len(repeated)} image(s) are on two lists, or twice on one; the first is {quoted(str(repeated[0]))}"
        findings.warn(file, what, "list every image once, and convert again")
    filled = {subset: list(dict.fromkeys(names)) for subset, names in listed.items() if names}
    complete = len(filled) == 3 and sorted(counts.elements()) == sorted(item.name for item in items)
    return {subset: names for subset, names in filled.items() if complete or subset != "train"}


def polygon(
    value: int, parts: Sequence[Points], frame: Frame, options: Options, *, below_others: bool = False
) -> Shape:
    """The shape of one or several polygons; raises `Refused` for coordinates that cannot be meant."""
    check_points(parts)
    cut = reaches_out(np.concatenate(parts), frame, options)
    return Shape(value, functools.partial(fill_polygons, parts, frame.height, frame.width), below_others, cut)


def check_points(parts: Sequence[Points]) -> None:
    """Raise `Degenerate` for a polygon of fewer than three points."""
    for part in parts:
        if len(part) < 3:
            raise Degenerate(f"a polygon of {len(part)} point(s) encloses nothing")


def reaches_out(points: Points, frame: Frame, options: Options) -> bool:
    """Whether a point lies out of the picture by more than `TOLERANCE`; raises `Refused` unless that may be clipped."""
    if not (np.abs(points) < FARTHEST).all():  # not a number compares as False
        raise Refused("a coordinate is not a finite number, or far too large", "remove the shape, or draw it again")
    excess = excess_of(points, frame.width, frame.height)
    if excess > max(TOLERANCE, TURNED * min(frame.width, frame.height)) and frame.alternative is not None:
        how, width, height = frame.alternative
        if excess_of(points, width, height) <= TOLERANCE:
            raise Refused(
                f"reaches {excess:.6g} pixels out of the picture of {frame.width} × {frame.height}, but fits the image "
                f"as {how}, {width} × {height}: its EXIF orientation turns it",
                f"say --coordinates {how} if the shapes were drawn so; else correct the shape",
            )
    if excess > TOLERANCE and not options.clip:
        raise Refused(
            f"reaches {excess:.6g} pixels out of the picture of {frame.width} × {frame.height}",
            "check size and format, or cut such shapes off with --clip",
        )
    return excess > TOLERANCE


def excess_of(points: Points, width: int, height: int) -> float:
    """How many pixels the farthest point lies out of a picture; negative if all lie inside."""
    return float(max(-points.min(), (points - [width, height]).max()))


def box(value: int, corners: Sequence[float], frame: Frame, options: Options, *, below_others: bool = False) -> Shape:
    """A filled box from its left, top, right and bottom, in pixels."""
    x0, y0, x1, y1 = corners
    points = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], float)
    return polygon(value, [points], frame, options, below_others=below_others)


def known(values: dict[str, int], label: str) -> int:
    """The value of a label; raises `Refused` if it is none of the classes."""
    if not label.strip():
        raise Refused("the label of the shape is empty", "name its class, or remove the shape")
    if is_background(label):
        return 0
    if label not in values:
        close = [name for pair in similar_names([label, *values]) if label in pair for name in pair if name != label]
        hint = f"; did you mean {quoted(close[0])}?" if close else ""
        raise Refused(f"{quoted(label)} is no class{hint}", "add it to --names, or correct the label")
    return values[label]
