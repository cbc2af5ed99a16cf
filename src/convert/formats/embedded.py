"""Compares the picture inside a labelme JSON (imageData) with the image file that belongs to it."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from src.convert.frame import FORMATS, Frame, Size
from src.convert.problems import Refused
from src.data.reading.unreadable import MAX_PIXELS

# The limits were set on 18 images of vessels, nuclei and streets. Copies (brighter, equalised, blurred, JPEG of quality
# 30) had a correlation of at least 0.46, and 0.31 in detail. Other, mirrored and turned images had at most 0.26 there.
SIDE = 256  # pixels of a thumbnail's longer side
ALIKE = 0.4  # lowest correlation of two thumbnails of the same picture
DETAIL = 0.28  # the same for details: thumbnails less their smoothed copies
FLAT = 2.0  # grey levels (standard deviation): weaker detail is noise
SMOOTH = 9  # pixels of a thumbnail: width of the window for smoothing
CLIPPED = 2.0  # times the median: stronger detail is clipped, else the rim of a field of view would outweigh the rest
EXTREMES = (0.5, 99.5)  # percentiles: the range that a picture of more than 8 bits is scaled to, without hot pixels
REMEDY = "use the image that was annotated; if its shapes fit the file, use --ignore-image-data"


@dataclass(frozen=True)
class Thumbnail:
    """A small copy of a picture.

    Attributes:
        size: Width and height of the picture in pixels.
        grey: The copy, float64 [rows, columns] from 0 to 255.
    """

    size: Size
    grey: NDArray[np.float64]


def read_embedded(text: object, frame: Frame) -> Thumbnail | None:
    """Read the picture in imageData.

    Args:
        text: imageData, an image file in base64. Its EXIF orientation is applied if that of the image file is.
        frame: The picture that coordinates refer to, as shown or as stored.

    Returns:
        A small copy; None if there is no picture, or it cannot be read.
    """
    if not isinstance(text, str):
        return None
    try:
        Image.MAX_IMAGE_PIXELS = None  # the limit below replaces Pillow's
        with Image.open(io.BytesIO(base64.b64decode(text)), formats=FORMATS) as image:
            return _thumbnail(_turned(image, frame))
    except (OSError, SyntaxError, ValueError):
        return None


def check_embedded(embedded: Thumbnail | None, path: Path, frame: Frame) -> None:
    """Check that an image file shows the picture that was annotated.

    Changes of brightness, contrast and compression are accepted, since the shapes fit such copies, too.

    Args:
        embedded: The picture that was annotated; None: nothing is checked.
        path: The image file.
        frame: The picture that coordinates refer to, as shown or as stored.

    Raises:
        Refused: The file shows another picture, or cannot be read.
    """
    if embedded is None:
        return
    if embedded.size != (frame.width, frame.height):
        sizes = [f"{width} × {height}" for width, height in (embedded.size, (frame.width, frame.height))]
        raise Refused(f"the JSON holds a picture of {sizes[0]} pixels (imageData), {path.name} is {sizes[1]}", REMEDY)
    try:
        with Image.open(path, formats=FORMATS) as image:
            if frame.orientation != 1 and image.format == "TIFF":  # Pillow turns TIFFs as soon as it reads them
                return
            file = _thumbnail(_turned(image, frame))
    except (OSError, SyntaxError, ValueError):
        raise Refused(f"{path.name} cannot be read as an image", "save it again as PNG") from None
    if file is not None and not _alike(embedded.grey, file.grey):
        what = f"{path.name} is not the picture that the JSON holds (imageData): another one, or turned, or mirrored"
        raise Refused(what, REMEDY)


def _turned(image: Image.Image, frame: Frame) -> Image.Image:
    return ImageOps.exif_transpose(image) if frame.orientation == 1 else image


def _thumbnail(image: Image.Image) -> Thumbnail | None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        return None
    scale = min(SIDE / max(width, height), 1)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    if image.mode in ("L", "I", "F", "I;16", "I;16B", "I;16L"):
        small = np.asarray(_finite(image).resize(size, Image.Resampling.BOX), np.float64)
        return Thumbnail((width, height), small if image.mode == "L" else _stretched(small))
    small = np.asarray(image.convert("RGB").resize(size, Image.Resampling.BOX), np.float64)
    return Thumbnail((width, height), small.mean(axis=2))


def _finite(image: Image.Image) -> Image.Image:
    """An image of one channel. Of floats, values that are not finite become the median of the others."""
    if image.mode != "F":
        return image if image.mode == "L" else image.convert("F")
    pixels = np.asarray(image)
    finite = np.isfinite(pixels)
    if finite.all():
        return image
    return Image.fromarray(np.where(finite, pixels, np.median(pixels[finite]) if finite.any() else 0))


def _stretched(grey: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale values of any range to grey levels from 0 to 255; the few extreme ones are clipped."""
    low, high = np.percentile(grey, EXTREMES)
    return np.clip((grey - low) * (255 / (high - low)), 0, 255) if high > low else np.zeros_like(grey)


def _alike(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    if min(one.std(), other.std()) < FLAT:  # a uniform picture has nothing to compare
        return True
    if one.shape != other.shape or _correlation(one, other) < ALIKE:
        return False
    first, second = (picture - _smoothed(picture) for picture in (one, other))
    return min(first.std(), second.std()) < FLAT or _correlation(_clipped(first), _clipped(second)) >= DETAIL


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def _clipped(detail: NDArray[np.float64]) -> NDArray[np.float64]:
    most = CLIPPED * float(np.median(np.abs(detail))) or 1.0
    return np.clip(detail, -most, most)


def _smoothed(picture: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over a window of `SMOOTH` × `SMOOTH` pixels; pixels at the border are repeated."""
    padded = np.pad(picture, SMOOTH // 2, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (SMOOTH, SMOOTH))
    return np.asarray(windows.mean(axis=(2, 3)))
