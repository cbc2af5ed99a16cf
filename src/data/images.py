"""One image or mask file to an array. OpenCV reads images, Pillow masks; both turn pixels as EXIF says."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff"}
MOST_PIXELS = 2**28  # an image beyond this is refused before it is decoded: 16,384 × 16,384
STRETCHED = {"L;2": 85, "L;4": 17}  # what Pillow multiplies grey values of 2 and 4 bits by, to fill 8

cv2.setNumThreads(1)  # parallel by image, not inside one: OpenCV's own threads would fight for the same cores


class Unreadable(Exception):
    """A file that cannot be used; the message says why, the remedy what helps."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy


def read_image(path: Path) -> NDArray[np.uint8]:
    """An 8-bit image as (height, width, channels): one channel if grey, red-green-blue else; alpha is left out.

    Raises `Unreadable`.
    """
    with _open(path) as header:
        grey = header.mode in ("1", "L", "LA")
    encoded = np.frombuffer(path.read_bytes(), np.uint8)  # not imread: it fails on some paths with unicode in them
    try:
        colour = cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR
        pixels = cv2.imdecode(encoded, cv2.IMREAD_ANYDEPTH | colour)
    except cv2.error as error:
        raise Unreadable(f"cannot be decoded: {error.err}", "save it again as PNG") from None
    if pixels is None:
        raise Unreadable("cannot be decoded: damaged, or cut off", "save it again as PNG")
    if pixels.dtype != np.uint8:
        raise Unreadable(f"has {8 * pixels.dtype.itemsize} bits a channel", "convert it to 8 bits a channel")
    return np.asarray(pixels[:, :, None] if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)


def read_mask(path: Path) -> NDArray[np.uint8]:
    """A mask of 1 to 8 bits, grey or palette indices, as (height, width) of stored values; 1 bit becomes 0 and 255.

    Raises `Unreadable`.
    """
    with _open(path) as image:
        if image.mode not in ("1", "L", "P"):
            raise Unreadable(
                f"is of mode {image.mode}, not one 8-bit channel", "save it in grey, a value for each class"
            )
        stretched = STRETCHED.get(str(image.tile[0].args), 1) if image.tile else 1
        try:
            turned = ImageOps.exif_transpose(image)
            return np.asarray(turned.convert("L") if image.mode == "1" else turned, np.uint8) // np.uint8(stretched)
        except (OSError, SyntaxError, ValueError) as error:
            raise Unreadable(f"cannot be decoded: {error}", "save it again as PNG") from None


def _open(path: Path) -> Any:
    """The opened file after its header was checked, before anything is decoded."""
    try:
        Image.MAX_IMAGE_PIXELS = None  # the limit below replaces Pillow's
        image = Image.open(path)
    except (OSError, SyntaxError, ValueError):
        raise Unreadable("cannot be read as an image", "save it as PNG, 8 bits a channel") from None
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise Unreadable(f"has {width} × {height} pixels, more than {MOST_PIXELS}", "cut it into tiles")
    if (frames := getattr(image, "n_frames", 1)) > 1:
        raise Unreadable(f"holds {frames} images", "save each one as a file of its own")
    return image
