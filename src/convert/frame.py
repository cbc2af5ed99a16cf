"""Finds whether coordinates refer to the pixels of an image as stored, or as shown after EXIF turned them."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from src.convert.problems import Refused
from src.data.reading import images
from src.data.reading.unreadable import MAX_PIXELS

FORMATS = (*images.FORMATS, "TIFF")  # a subset of what Pillow knows: for EPS it starts Ghostscript

ORIENTATION = 0x0112  # the EXIF tag
TURNS = {  # EXIF orientation → the operation that turns the stored pixels into the shown ones
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
Size = tuple[int, int]  # width, height
Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True)
class Header:
    """Facts from the header of an image file.

    Attributes:
        stored: Width and height of the stored pixels.
        shown: Width and height after EXIF turned them.
        orientation: EXIF orientation, 1 … 8; 1: the image is not turned.
    """

    stored: Size
    shown: Size
    orientation: int


@dataclass(frozen=True)
class Alternative:
    """The other way that coordinates could be meant.

    Attributes:
        coordinates: "shown" or "stored".
        width: Width of the picture then, in pixels.
        height: Height of the picture then, in pixels.
    """

    coordinates: str
    width: int
    height: int


@dataclass(frozen=True)
class Frame:
    """The picture that coordinates refer to.

    Attributes:
        width: Its width in pixels.
        height: Its height in pixels.
        orientation: The EXIF orientation that must still be applied to a mask that is drawn in it.
        alternative: The other way that coordinates could be meant; None if there is no choice.
    """

    width: int
    height: int
    orientation: int = 1
    alternative: Alternative | None = None


def read_header(path: Path) -> Header:
    """Read the size and the orientation of an image file.

    Raises:
        Refused: The file is not a readable image, is too large, or holds several images.
    """
    try:
        Image.MAX_IMAGE_PIXELS = None  # the limit below replaces Pillow's
        with Image.open(path, formats=FORMATS) as image:
            (width, height), tiff = image.size, image.format == "TIFF"
            if width * height > MAX_PIXELS:
                raise Refused(f"has {width} × {height} pixels, more than {MAX_PIXELS}", "cut it into tiles")
            if (frames := getattr(image, "n_frames", 1)) > 1:
                raise Refused(f"holds {frames} images", "save each one as a file of its own")
            orientation = int(image.getexif().get(ORIENTATION, 1))  # reads all of a PNG: the tag may be at its end
    except (OSError, SyntaxError, ValueError, TypeError):
        raise Refused("cannot be read as an image", "save it again as PNG") from None
    orientation = orientation if orientation in TURNS else 1
    other = (height, width) if orientation >= 5 else (width, height)
    stored, shown = (other, (width, height)) if tiff else ((width, height), other)  # Pillow gives TIFF sizes as shown
    return Header(stored, shown, orientation)


def resolve_frame(header: Header, stated: Size | None, coordinates: str | None, annotated: bool = True) -> Frame:
    """Decide which picture the coordinates of an image refer to.

    Args:
        header: Size and orientation of the image file.
        stated: Width and height in the annotations; None if they have none. For an image that is turned by 90°, they
            tell how the coordinates are meant; for one that is turned without a change of size, they cannot.
        coordinates: "shown" or "stored" if the user decides, else None.
        annotated: Whether the image has any shape; an empty mask needs no decision.

    Raises:
        Refused: The sizes differ, leave the question open, or contradict the user.
    """
    if stated is not None and min(stated) <= 0:  # some programs write 0 or -1 for an unknown size
        stated = None
    if stated is not None and stated not in (header.stored, header.shown):
        sizes = " or ".join(f"{width} × {height}" for width, height in sorted({header.stored, header.shown}))
        raise Refused(
            f"is {sizes} pixels, but its annotations say {stated[0]} × {stated[1]}",
            "use the image that was annotated, not a resized copy",
        )
    if header.orientation == 1 or not annotated:
        return Frame(*header.shown)
    proved = None
    if stated is not None and header.stored != header.shown:
        proved = "shown" if stated == header.shown else "stored"
    if stated and proved and coordinates not in (None, proved):
        raise Refused(
            f"its annotations say {stated[0]} × {stated[1]} pixels, which is the image as {proved}, "
            f"but --coordinates says {coordinates}",
            f"leave --coordinates out, so that the sizes decide, or use --coordinates {proved}",
        )
    shown, stored = Frame(*header.shown), Frame(*header.stored, header.orientation)
    if proved:
        return shown if proved == "shown" else stored
    if coordinates is None:
        raise Refused(
            f"is turned by its EXIF orientation {header.orientation}, and no size tells which way it was annotated",
            "compare the two, then use --coordinates shown or stored",
        )
    if header.stored == header.shown:
        return shown if coordinates == "shown" else stored
    if coordinates == "shown":
        return replace(shown, alternative=Alternative("stored", *header.stored))
    return replace(stored, alternative=Alternative("shown", *header.shown))


def apply_orientation(mask: NDArray[Number], orientation: int) -> NDArray[Number]:
    """Turn a mask of the stored pixels the way the image is shown.

    Args:
        mask: uint8 or uint16 [height, width].
        orientation: EXIF orientation, 1 … 8.
    """
    if orientation == 1:
        return mask
    return np.asarray(Image.fromarray(mask).transpose(TURNS[orientation]), mask.dtype)
