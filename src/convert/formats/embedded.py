"""The picture inside a labelme JSON (imageData): is it the image file that the shapes are drawn over?"""

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

# The limits were set on 18 images of vessels, nuclei and streets: copies (brighter, equalised, blurred, JPEG of quality
# 30) reached 0.46 and 0.31 at least; other, mirrored and turned images 0.26 in detail at most.
SIDE = 256  # pixels of a thumbnail's longer side
ALIKE = 0.4  # correlation of two thumbnails of one picture, at least
DETAIL = 0.28  # the same for what is left once smooth parts are taken away
FLAT = 2.0  # grey levels: detail weaker than this is noise
SMOOTH = 9  # pixels of a thumbnail: width of the window that smooth parts are measured in
CLIPPED = 2.0  # of the median: stronger detail counts as this much, or the rim of a field of view would outweigh all
EXTREMES = (0.5, 99.5)  # per cent of the values between which a picture of more than 8 bits is scaled: no hot pixels
REMEDY = "use the image that was annotated; if its shapes fit the file, say --ignore-image-data"


@dataclass(frozen=True)
class Thumbnail:
    """The size of a picture, and a small copy in grey: float [rows, columns] from 0 to 255."""

    size: Size
    grey: NDArray[np.float64]


def read_embedded(text: object, frame: Frame) -> Thumbnail | None:
    """The picture in imageData; None if there is none that can be read.

    Args:
        text: imageData, an image file in base64. Its EXIF orientation counts if the file's own does.
        frame: How the image file is turned for its annotations: as shown, or as stored.
    """
    if not isinstance(text, str):
        return None
    try:
        Image.MAX_IMAGE_PIXELS = None  # the limit below replaces Pillow's
        with Image.open(io.BytesIO(base64.b64decode(text)), formats=FORMATS) as image:
            return _thumbnail(_turned(image, frame))
    except (OSError, SyntaxError, ValueError):
        return None


def compare(embedded: Thumbnail | None, path: Path, frame: Frame) -> None:
    """Raise `Refused` if an image file is not the embedded picture, if there is one.

    Changes of brightness, contrast and compression do not count: shapes fit such copies, too.

    Args:
        embedded: The picture that was annotated.
        path: The image file.
        frame: How the file is turned for its annotations: as shown, or as stored.
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
    """An image of one channel; of floats, those that are no finite number become the median of the others."""
    if image.mode != "F":
        return image if image.mode == "L" else image.convert("F")
    pixels = np.asarray(image)
    finite = np.isfinite(pixels)
    if finite.all():
        return image
    return Image.fromarray(np.where(finite, pixels, np.median(pixels[finite]) if finite.any() else 0))


def _stretched(grey: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of any range as grey levels from 0 to 255; the few extreme ones are cut off."""
    low, high = np.percentile(grey, EXTREMES)
    return np.clip((grey - low) * (255 / (high - low)), 0, 255) if high > low else np.zeros_like(grey)


def _alike(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    if min(one.std(), other.std()) < FLAT:  # a plain area: nothing to compare
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
    """The mean over a window of `SMOOTH` × `SMOOTH` pixels; borders are repeated."""
    padded = np.pad(picture, SMOOTH // 2, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (SMOOTH, SMOOTH))
    return np.asarray(windows.mean(axis=(2, 3)))
