"""The common form of all annotation formats: images with shapes, each with a class and a way to draw it."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from src.convert.frame import Frame
from src.convert.problems import Findings
from src.convert.regions import Region
from src.errors import quoted

IN_PIXELS = "if coordinates are shares of the size (0 … 1), not pixels: export them in pixels"


@dataclass(frozen=True)
class Options:
    """The user's decisions, the same for every format.

    Attributes:
        coordinates: "shown" or "stored", for images with an EXIF orientation whose size does not tell how they were
            annotated. Where the size tells, a contradicting option is refused.
        clip: Cut off shapes that reach out of the image, instead of refusing them.
        boxes: Fill boxes that have no polygon, instead of refusing them.
        holes: "cut" or "fill" a polygon inside another one of its annotation; None: `area` decides.
        skip_degenerate: Leave out and list polygons that enclose nothing, instead of refusing them.
        paired_by: labelme only. "imagePath" or "name" decides which image belongs to a JSON; None: a JSON for which the
            two differ is refused.
        compare_embedded: labelme only. Refuse an image that does not look like the picture in its JSON (imageData).
        encoding: labelme only. The encoding of JSON files that are not UTF-8.
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
    """One annotated shape.

    Attributes:
        value: Its value in the mask.
        draw: Makes its pixels.
        below_others: It is drawn before every shape without this flag.
        cut: It reaches out of the image by more than a rounding error.
    """

    value: int
    draw: Callable[[], Region]
    below_others: bool = False
    cut: bool = False


@dataclass(frozen=True)
class Item:
    """An image with its shapes.

    Attributes:
        name: Its path below images/ of the data set.
        path: The image file.
        frame: The picture that coordinates refer to.
        shapes: The shapes in the order of the annotations.
    """

    name: PurePosixPath
    path: Path
    frame: Frame
    shapes: list[Shape]


@dataclass
class Annotations:
    """Everything that was read from a source.

    Attributes:
        classes: Value in the mask → name; 0 is the background.
        items: The images.
        by_size: Larger shapes are drawn below smaller ones; else shapes are drawn in their order.
        sources: The folders that were read; nothing may be written there.
        findings: The problems.
        holes: How to draw a hole in this format, in words.
        subsets: Official division, subset → names of images; empty if the source has none.
        colours: Value in the mask → "#RRGGBB"; empty if the source has no colours.
        hint: What to check if no pixel belongs to a class, in words.
        numbered: Each shape is an object of the only class, and masks hold the numbers of objects.
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
    numbered: bool = False


def official_subsets(
    listed: Mapping[str, Sequence[PurePosixPath]], items: Sequence[Item], file: str, findings: Findings
) -> dict[str, list[PurePosixPath]]:
    """The official division that a source gives.

    The list of training images is kept only if all three lists name images, and every image is on exactly one of them.
    Otherwise the pipeline divides the images that are on no other list.

    Args:
        listed: Subset → names of its images, as the source lists them.
        items: All images.
        file: Where the lists are, for the warning.
        findings: Gets a warning if an image is listed more than once.

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
