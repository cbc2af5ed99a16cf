"""Reads data sets with several mask files for an image: one for each class, one for each object, or one for each part.

DSB 2018 has ID/images/ID.png and ID/masks/*.png, one for each nucleus; BUSI has NAME.png, NAME_mask.png and
NAME_mask_1.png; IDRiD has NAME.jpg, and NAME_MA.tif and NAME_HE.tif in a folder for each class.
"""

import functools
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from src.convert.annotations import Annotations, Item, Options, Shape
from src.convert.classes import classes_by_value, is_background, number_classes, value_of_label, warn_of_unclear_names
from src.convert.draw import MOST_OBJECTS
from src.convert.formats.rle import runs_of
from src.convert.frame import read_header, resolve_frame
from src.convert.names import list_files, locate
from src.convert.owners import Owned, find_owners, is_mask, short_name
from src.convert.problems import Findings, Refused, located
from src.convert.regions import fill_runs
from src.data.reading.class_planes import read_class_mask
from src.data.reading.images import SUFFIXES, apply_orientation
from src.data.reading.unreadable import Unreadable
from src.errors import UserError, quoted
from src.params import Masks
from src.progress import progress

OBJECT = "object"  # name of the only class, if --names gives no other
REMEDY = "save it with 0 and 255, as PNG of one channel; or --threshold 1, if every value but black is inside"
HINT = "check that the masks are not all black"


@dataclass(frozen=True)
class Layout:
    """What the files of an image mean.

    Attributes:
        each: "class", "object" or "part": what a mask file holds. Objects are numbered; parts are added up.
        names: The classes in their order; None: the names of folders or suffixes, sorted. One name for objects and
            parts.
        threshold: From this grey value on, a pixel is inside; 0: masks must hold 0 and 1, or 0 and 255.
        keep_unlabelled: An image without a mask gets a mask of background; else it is left out.
    """

    each: str
    names: Sequence[str] | None = None
    threshold: float = 0
    keep_unlabelled: bool = False


def read_several_masks(folder: Path, images: Path | None, layout: Layout, options: Options) -> Annotations:
    """Read a data set with several mask files for an image.

    Args:
        folder: Holds images and masks, told apart by folders called images and masks or by names such as a_mask.png;
            with `images`, all its files are masks.
        images: The folder of the images; None: they are in `folder`, too.
        layout: What the files mean.
        options: The user's decisions.

    Raises:
        UserError: There are no images or masks, it is unclear which belong together, or the classes cannot be used.
    """
    findings, root = Findings(), images or folder
    files = list_files(folder, SUFFIXES, findings)
    masks = [file for file in files if images is not None or is_mask(file)]
    pictures = list_files(images, SUFFIXES, findings) if images else [file for file in files if not is_mask(file)]
    if not masks or not pictures:
        found = f"{len(pictures)} image(s) and {len(masks)} mask(s)"
        remedy = "name the folder of images with --images; or call the folders images/ and masks/"
        raise UserError(f"{folder}: {found} are there → {remedy}")
    owned = _by_image(find_owners(pictures, masks), masks, root, findings)
    values = _values(owned, folder, layout, findings)
    items = list[Item]()
    reader = _Reader(folder, root, layout, options, values)
    used = [picture for picture in pictures if picture in owned or layout.keep_unlabelled]
    for picture in progress(used, len(used), "read"):
        with findings.collect(str(picture)):
            items.append(reader.item(picture, owned.get(picture, []), findings))
    if unlabelled := [picture for picture in pictures if picture not in owned and not layout.keep_unlabelled]:
        what = f"{len(unlabelled)} image(s) there have no mask, and are left out; the first is "
        remedy = "use --keep-unlabelled if they show nothing of the classes"
        findings.warn(str(root), what + quoted(str(unlabelled[0])), remedy)
    numbered = layout.each == "object"
    classes = classes_by_value(values)
    return Annotations(classes, items, False, [folder, root], findings, hint=HINT, numbered=numbered)


def class_of(owned: Owned) -> str:
    """The class of a mask file: its folder, or else the part of its name that is not the image's; "" if neither."""
    return owned.folder or owned.suffix


def _by_image(
    owners: Mapping[PurePosixPath, Owned], masks: Sequence[PurePosixPath], root: Path, findings: Findings
) -> dict[PurePosixPath, list[Owned]]:
    """Image → its masks; an error for each mask without an image."""
    owned: dict[PurePosixPath, list[Owned]] = defaultdict(list)
    for mask in masks:
        with findings.collect(str(mask)):
            if mask not in owners:
                what = f"is a mask, and neither its name nor a folder of it has the name of one image in {root}"
                raise Refused(what, "rename it after its image, or remove it")
            owned[owners[mask].image].append(owners[mask])
    return dict(owned)


def _values(
    owned: Mapping[PurePosixPath, Sequence[Owned]], folder: Path, layout: Layout, findings: Findings
) -> dict[str, int]:
    """Class name → value."""
    if layout.each != "class":
        names = list(layout.names or [OBJECT])
        if len(names) > 1:
            raise UserError(f"--names {','.join(names)}: with --each {layout.each} there is one class: give one name")
        return number_classes(names, folder)
    counts = Counter(class_of(one) for group in owned.values() for one in group)
    found = sorted(name for name in counts if name and not is_background(name))
    if not found and not layout.names:
        findings.stop_on_errors()
    values = number_classes(layout.names or found, folder)
    warn_of_unclear_names(layout.names or found, str(folder), findings)
    return values


@dataclass(frozen=True)
class _Reader:
    """Reads images with their masks; `root`: the folder of images, `values`: class name → value."""

    folder: Path
    root: Path
    layout: Layout
    options: Options
    values: dict[str, int]

    def item(self, picture: PurePosixPath, group: Sequence[Owned], findings: Findings) -> Item:
        """An image with a shape for each of its masks; a mask that cannot be used becomes a finding."""
        path = locate(self.root, picture)
        header = read_header(path)
        if len(group) > MOST_OBJECTS:
            raise Refused(f"has {len(group)} masks, more than {MOST_OBJECTS} objects", "cut it into tiles")
        insides: dict[Owned, NDArray[np.int64]] = {}
        sizes: dict[tuple[int, int], Owned] = {}
        for one in group:
            with findings.collect(str(one.mask)):
                inside = self._inside(one)
                insides[one] = runs_of(inside)
                sizes.setdefault((inside.shape[1], inside.shape[0]), one)
        if len(sizes) > 1:
            shown = ", ".join(f"{one.mask} of {width} × {height} pixels" for (width, height), one in sizes.items())
            raise Refused(f"its masks have different sizes: {shown}", "use masks of the image's own size")
        with located(f"its mask {next(iter(sizes.values())).mask}" if sizes else "its header"):
            frame = resolve_frame(header, next(iter(sizes), None), self.options.coordinates, bool(group))
        shapes = []
        for one, counts in insides.items():
            with findings.collect(str(one.mask)):
                draw = functools.partial(fill_runs, counts, frame.height, frame.width)
                shapes.append(Shape(self._value(one), draw))
        order = sorted(shapes, key=lambda shape: shape.value)  # later classes are drawn over earlier ones
        return Item(short_name(picture), path, frame, order)

    def _value(self, one: Owned) -> int:
        if self.layout.each != "class":
            return 1
        name = class_of(one)
        if not name:
            raise Refused("has the name of its image, which says no class", "use --each part, or name its class")
        return value_of_label(self.values, name)

    def _inside(self, one: Owned) -> NDArray[np.bool_]:
        """The pixels that are inside, bool [height, width], with the mask's own orientation applied."""
        settings = Masks(read="auto", threshold=self.layout.threshold)
        try:
            labels = read_class_mask(locate(self.folder, one.mask), settings, None)
        except Unreadable as error:
            raise Refused(str(error), REMEDY) from None
        outside = labels.values.codes.get(0)
        inside = np.ones(labels.codes.shape, bool) if outside is None else labels.codes != outside
        return apply_orientation(inside, labels.orientation)
