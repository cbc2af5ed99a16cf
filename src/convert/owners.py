"""Finds the image of each mask where an image has several masks, by the names of files and folders."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from src.errors import UserError, quoted

IMAGE_FOLDERS, MASK_FOLDERS = {"image", "images"}, {"mask", "masks"}
MASK_NAME = re.compile(r".+[-_ ]mask([-_ ]?\d+)?", re.IGNORECASE)  # a_mask, a_mask_1: a mask beside its image
SEPARATORS = "_-. "


@dataclass(frozen=True)
class Owned:
    """A mask and its image.

    Attributes:
        mask: The path of the mask below its folder.
        image: The path of its image below the folder of images.
        folder: The folders of the mask that are neither the image's nor called masks, joined by /.
        suffix: The part of the mask's name that is not the image's.
    """

    mask: PurePosixPath
    image: PurePosixPath
    folder: str
    suffix: str


def is_mask(path: PurePosixPath) -> bool:
    """Return whether a file is a mask by its path: in a folder called masks, or called NAME_mask or NAME_mask_1."""
    folders = {part.lower() for part in path.parts[:-1]}
    if folders & MASK_FOLDERS:
        return True
    return not folders & IMAGE_FOLDERS and MASK_NAME.fullmatch(path.stem) is not None


def short_name(image: PurePosixPath) -> PurePosixPath:
    """Return the path that an image has in the data set: without a folder called images or like the image itself.

    For example, DSB's ID/images/ID.png becomes ID.png.
    """
    folders = [part for part in image.parts[:-1] if part.lower() not in IMAGE_FOLDERS]
    if folders and folders[-1] == image.stem:
        folders.pop()
    return PurePosixPath(*folders, image.name)


def find_owners(images: Sequence[PurePosixPath], masks: Sequence[PurePosixPath]) -> dict[PurePosixPath, Owned]:
    """Find the image of each mask.

    A mask belongs to the image that a folder of the mask is called after, or else to the one whose name is the mask's
    name, its beginning or its end. If folders and names differ, those count that give more images a mask.

    Args:
        images: The paths of the images below their folder.
        masks: The paths of the masks below their folder.

    Returns:
        Mask → mask with its image; masks without an image are left out.

    Raises:
        UserError: Names of folders and of files lead to different images, for as many images.
    """
    names = _Names(images)
    ways = [
        {mask: owned for mask in masks if (owned := first(mask) or second(mask)) is not None}
        for first, second in ((names.by_folder, names.by_name), (names.by_name, names.by_folder))
    ]
    by_folder, by_name = (len({owned.image for owned in way.values()}) for way in ways)
    differing = [mask for mask in masks if _image(ways[0], mask) != _image(ways[1], mask)]
    if differing and by_folder == by_name:
        mask = differing[0]
        images_of = " or ".join(quoted(str(_image(way, mask))) for way in ways)
        what = f"the mask {quoted(str(mask))} belongs to {images_of}: by its folder or by its name"
        raise UserError(f"{what} → rename the folders, or give files that are objects other names than images")
    return ways[0] if by_folder >= by_name else ways[1]


def _image(way: dict[PurePosixPath, Owned], mask: PurePosixPath) -> PurePosixPath | None:
    return way[mask].image if mask in way else None


class _Names:
    """The images by their name without extension."""

    def __init__(self, images: Iterable[PurePosixPath]) -> None:
        self.by_stem: dict[str, list[PurePosixPath]] = defaultdict(list)
        for image in images:
            self.by_stem[image.stem].append(image)

    def by_folder(self, mask: PurePosixPath) -> Owned | None:
        """The image that one of the mask's folders is called after."""
        for folder in reversed(mask.parts[:-1]):
            if image := self._in_same_folders(folder, mask):
                return _owned(mask, image, mask.stem)
        return None

    def by_name(self, mask: PurePosixPath) -> Owned | None:
        """The image whose name is the longest beginning, or else the longest end, of the mask's name."""
        name = mask.stem
        cuts = [at for at, sign in enumerate(name) if sign in SEPARATORS]
        pieces = [(name, "")]
        pieces += [(name[:at], name[at:].strip(SEPARATORS)) for at in reversed(cuts)]
        pieces += [(name[at + 1 :], name[:at].strip(SEPARATORS)) for at in cuts]
        for piece, rest in pieces:
            if image := self._in_same_folders(piece, mask):
                return _owned(mask, image, rest)
        return None

    def _in_same_folders(self, stem: str, mask: PurePosixPath) -> PurePosixPath | None:
        """The image of this name whose folders are also the mask's, or the only one of this name."""
        images = self.by_stem.get(stem, [])
        near = [image for image in images if set(_folders(image)) <= set(mask.parts)] or images
        return near[0] if len(near) == 1 else None


def _folders(path: PurePosixPath) -> list[str]:
    return [part for part in path.parts[:-1] if part.lower() not in IMAGE_FOLDERS | MASK_FOLDERS]


def _owned(mask: PurePosixPath, image: PurePosixPath, suffix: str) -> Owned:
    common = {*_folders(image), image.stem}
    return Owned(mask, image, "/".join(part for part in _folders(mask) if part not in common), suffix)
