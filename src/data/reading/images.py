"""One image file to an array, as it is shown: turned as EXIF says, palettes as colours, alpha left out.

    PNG, BMP, WebP   header by Pillow, pixels by OpenCV
    JPEG             header by Pillow, pixels by simplejpeg, which refuses damage that OpenCV passes over
    TIFF             all by tifffile, see tiff.py

The content decides, not the file's extension.
"""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from src.data.reading.containers import not_an_image, open_png, webp_is_lossy
from src.data.reading.tiff import is_tiff, read_tiff
from src.data.reading.unreadable import MAX_FILE_BYTES, Unreadable, check_size
from src.data.store.store import strips

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}
FORMATS = ("PNG", "JPEG", "WEBP", "BMP")  # as JPEG Pillow opens MPO, too: what cameras write with a preview behind it
GREY = ("1", "L", "I;16", "I")
PNG_GREY = (0, 4)  # colour types; Pillow's mode of 16-bit grey with alpha is RGBA
WHOLE = 2**24  # up to which float32 holds every whole number
LUMA_WEIGHTS = (0.299, 0.587, 0.114)  # ITU-R BT.601, as OpenCV and Pillow make grey of colours
Pixels = NDArray[Any]

cv2.setNumThreads(1)  # parallel by image, not inside one: OpenCV's own threads would fight for the same cores
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # what fails is said in our words, by the file's name
Image.MAX_IMAGE_PIXELS = None  # `check_size` takes its place
warnings.filterwarnings("ignore", module=r"PIL\.")  # of metadata that nothing here reads


@dataclass(frozen=True)
class Header:
    """What a file says of its pixels: format and mode in Pillow's words, EXIF orientation 1 … 8.

    lossy: whether the format changed the values that were saved. data: what is to be decoded.
    """

    format: str
    mode: str
    orientation: int
    lossy: bool
    data: bytes


@dataclass(frozen=True)
class Picture:
    """An image file, not turned yet.

    pixels: [height, width, channels], uint8, uint16 or float32. orientation: EXIF, 1 … 8.
    alpha_dropped: whether an alpha channel was left out that is not the same everywhere.
    inverted: whether the file stores white as 0; in `pixels` black is 0.
    """

    pixels: Pixels
    orientation: int
    alpha_dropped: bool = False
    inverted: bool = False


def read_image(path: Path, channels: int = 0, scratch: Path | None = None) -> Pixels:
    """An image as (height, width, channels), turned as EXIF says: uint8, uint16, or float32 for all other numbers.

    Args:
        path: the file.
        channels: 0 for those of the file without alpha, else how many to return, see `convert_channels`.
        scratch: a folder for the pixels of a TIFF too large for memory; they come as a memory map of a file that has no
            name there and vanishes with the array.

    Raises:
        Unreadable: the file cannot be used.
    """
    picture = read_picture(path, channels, scratch)
    return turned(picture.pixels, picture.orientation)


def read_picture(path: Path, channels: int = 0, scratch: Path | None = None) -> Picture:
    """The image as it is stored, and what was left out of it; the arguments are those of `read_image`."""
    inverted = False
    if is_tiff(path):
        tiff = read_tiff(path, channels, scratch)
        pixels, orientation, alpha, inverted = tiff.colours(), tiff.orientation, tiff.alpha, tiff.inverted
    else:
        header = read_header(content(path))
        pixels, orientation = decode(header), header.orientation
        alpha = pixels.ndim == 3 and pixels.shape[2] in (2, 4)
    dropped = False
    if alpha and pixels.shape[-1] != channels:
        dropped, pixels = channels == 0 and _varies(pixels[..., -1]), pixels[..., :-1]
        if not isinstance(pixels, np.memmap):  # a large image stays on the disk
            pixels = np.ascontiguousarray(pixels)
    pixels = convert_channels(pixels if pixels.ndim == 3 else pixels[:, :, None], channels)
    if pixels.dtype not in (np.uint8, np.uint16, np.float32):
        if pixels.dtype.kind in "iu" and max(abs(int(pixels.min())), abs(int(pixels.max()))) > WHOLE:
            raise Unreadable(f"holds whole numbers beyond {WHOLE:,}, which float32 would round", "scale them down")
        with np.errstate(over="ignore"):  # the gate refuses what becomes infinite
            pixels = pixels.astype(np.uint8) * 255 if pixels.dtype == bool else pixels.astype(np.float32)
    return Picture(pixels, orientation, dropped, inverted)


def _varies(channel: Pixels) -> bool:
    first = channel[0, 0]
    return any(bool((channel[rows] != first).any()) for rows in strips(*channel.shape))


def content(path: Path) -> bytes:
    """The bytes of a file; raises `Unreadable` if it has more than any image would fill."""
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise Unreadable(f"has {size:,} bytes, {MAX_FILE_BYTES:,} are the most of its kind", "save it as TIFF in tiles")
    return path.read_bytes()


def read_header(data: bytes) -> Header:
    """The header of a PNG, JPEG, WebP or BMP; raises `Unreadable` before anything is decoded."""
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        frames = 1 if image.format in ("JPEG", "MPO") else getattr(image, "n_frames", 1)
    except Exception:  # Pillow's parsers of headers raise many kinds of error on damaged bytes
        raise not_an_image(data) from None
    check_size(*image.size)
    if frames > 1:
        raise Unreadable(f"holds {frames} images", "save each one as a file of its own")
    mode, lossy, exif = image.mode, image.format in ("JPEG", "MPO"), image.info.get("exif")
    if image.format == "PNG":
        data, exif = open_png(data)
        mode = "LA" if mode == "RGBA" and data[25] in PNG_GREY else mode
    if image.format == "WEBP":
        lossy = webp_is_lossy(data)
    return Header(str(image.format), mode, _orientation(exif), lossy, data)


def decode(header: Header) -> Pixels:
    """uint8 or uint16, (height, width) if grey, else (height, width, n) in the order red, green, blue; not turned.

    An alpha channel comes last: n is 2 (grey with alpha), 3 or 4.
    """
    grey = header.mode in GREY
    if header.format in ("JPEG", "MPO"):
        try:
            decoded = simplejpeg.decode_jpeg(header.data, "GRAY" if grey else "RGB", strict=True)
        except ValueError as error:
            raise Unreadable(f"cannot be decoded: {error}", "save it again as PNG, in RGB or grey") from None
        return np.asarray(decoded[:, :, 0] if grey else decoded)
    if header.mode in ("LA", "RGBA"):
        stored = imdecode(header.data, cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
        if stored.ndim == 3 and stored.shape[2] == 4:  # blue, green, red, alpha
            return stored[..., [0, 3] if header.mode == "LA" else [2, 1, 0, 3]]
    flags = cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR_RGB
    return imdecode(header.data, flags | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION)


def imdecode(data: bytes, flags: int) -> Pixels:
    """What OpenCV makes of an encoded image; raises `Unreadable`."""
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)  # not imread: it fails on some unicode paths
    except cv2.error:
        pixels = None
    if pixels is None:
        raise Unreadable("cannot be decoded: damaged, or cut off", "save it again as PNG")
    return np.asarray(pixels)


def convert_channels(pixels: Pixels, channels: int) -> Pixels:
    """(height, width, n) with `channels` channels, unchanged for 0.

    Grey is repeated for 3; red, green and blue are weighed into 1 as ITU-R BT.601 says; of more, the first are taken.
    """
    held = pixels.shape[2]
    if channels in (0, held):
        return pixels
    if held == 1 and channels == 3:
        return np.repeat(pixels, 3, axis=2)
    if held == 3 and channels == 1:
        grey = np.tensordot(pixels.astype(np.float32), np.array(LUMA_WEIGHTS, np.float32), 1)
        return np.asarray(grey.round() if pixels.dtype.kind == "u" else grey).astype(pixels.dtype)[:, :, None]
    if held < channels:
        raise Unreadable(f"has {held} channel(s)", f"data.channels: {held}, or convert it to {channels}")
    return pixels[:, :, :channels]


def turned(pixels: Pixels, orientation: int) -> Pixels:
    """Rows and columns as EXIF's orientation 1 … 8 says that the picture is looked at."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels if orientation == 1 else np.ascontiguousarray(pixels)


def _orientation(exif: bytes | None) -> int:
    """1 … 8; 1, as stored, if EXIF says nothing that can be read."""
    tags = Image.Exif()
    try:
        tags.load(exif or b"")
        value = tags.get(0x0112, 1)
    except Exception:  # a viewer would pass over broken EXIF as well
        return 1
    return value if value in range(1, 9) else 1
