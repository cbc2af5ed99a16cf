"""Read one image file as an array: EXIF orientation applied, palettes as colours, alpha left out.

    PNG, BMP, WebP   header by Pillow, pixels by OpenCV
    JPEG             header by Pillow, pixels by simplejpeg, which refuses damage that OpenCV ignores
    TIFF             all by tifffile, see tiff.py

The content of the file decides its format, not the extension.
"""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from PIL import Image

from src.data.reading.channels import Pixels, grey_weights
from src.data.reading.containers import not_an_image, open_png, webp_is_lossy
from src.data.reading.tiff import is_tiff, read_tiff
from src.data.reading.unreadable import MAX_FILE_BYTES, Unreadable, check_size
from src.data.store.store import strips

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}
FORMATS = ("PNG", "JPEG", "WEBP", "BMP")  # as JPEG, Pillow also opens MPO, which cameras write to add a preview
GREY_MODES = ("1", "L", "I;16", "I")
PNG_GREY = (0, 4)  # colour types of a PNG header; Pillow reports 16-bit grey with alpha as mode RGBA
FLOAT32_WHOLE = 2**24  # float32 holds every whole number up to here
EXIF_ORIENTATION = 0x0112

cv2.setNumThreads(1)  # images are read in parallel; threads inside OpenCV would compete for the same cores
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # our own messages name the file
Image.MAX_IMAGE_PIXELS = None  # `check_size` replaces Pillow's limit
warnings.filterwarnings("ignore", module=r"PIL\.")  # they concern metadata that is not used here


@dataclass(frozen=True)
class Header:
    """Facts from the header of a PNG, JPEG, WebP or BMP.

    Attributes:
        format: Name of the format in Pillow.
        mode: Mode in Pillow, such as "L" or "RGB".
        orientation: EXIF orientation, 1 to 8.
        lossy: Whether the format changed the values that were saved.
        data: The bytes to decode.
    """

    format: str
    mode: str
    orientation: int
    lossy: bool
    data: bytes


@dataclass(frozen=True)
class Picture:
    """An image as it is stored, before its EXIF orientation is applied.

    Attributes:
        pixels: [height, width, channels], uint8, uint16 or float32.
        orientation: EXIF orientation, 1 to 8.
        alpha_dropped: Whether an alpha channel was left out that is not constant.
        inverted: Whether the file stores white as 0. In `pixels`, black is 0.
    """

    pixels: Pixels
    orientation: int
    alpha_dropped: bool = False
    inverted: bool = False


def read_image(path: Path, channels: int = 0, scratch: Path | None = None) -> Pixels:
    """Read an image with its EXIF orientation applied.

    Args:
        path: The file.
        channels: Number of channels to return, see `convert_channels`; 0 for those of the file without alpha.
        scratch: Folder for the pixels of a TIFF too large for memory. They come as a memory map of a file that has no
            name there and vanishes with the array.

    Returns:
        [height, width, channels]: uint8, uint16, or float32 for all other number types.

    Raises:
        Unreadable: The file cannot be used.
    """
    picture = read_picture(path, channels, scratch)
    return apply_orientation(picture.pixels, picture.orientation)


def read_picture(path: Path, channels: int = 0, scratch: Path | None = None) -> Picture:
    """Read an image as it is stored, without applying its EXIF orientation.

    Args:
        path: The file.
        channels: Number of channels to return, 0 for those of the file without alpha.
        scratch: Folder for the pixels of a TIFF too large for memory.

    Raises:
        Unreadable: The file cannot be used.
    """
    inverted = False
    if is_tiff(path):
        tiff = read_tiff(path, channels, scratch)
        pixels, orientation, alpha, inverted = tiff.colours(), tiff.orientation, tiff.alpha, tiff.inverted
    else:
        header = read_header(read_bytes(path))
        pixels, orientation = decode(header), header.orientation
        alpha = pixels.ndim == 3 and pixels.shape[2] in (2, 4)
    dropped = False
    if alpha and pixels.shape[-1] != channels:
        dropped, pixels = channels == 0 and _varies(pixels[..., -1]), pixels[..., :-1]
        if not isinstance(pixels, np.memmap):  # a large image stays on the disk
            pixels = np.ascontiguousarray(pixels)
    pixels = convert_channels(pixels if pixels.ndim == 3 else pixels[:, :, None], channels)
    return Picture(_as_store_dtype(pixels), orientation, dropped, inverted)


def _as_store_dtype(pixels: Pixels) -> Pixels:
    """uint8 and uint16 unchanged, bool as 0 and 255, all other numbers as float32."""
    if pixels.dtype in (np.uint8, np.uint16, np.float32):
        return pixels
    if pixels.dtype == bool:
        return pixels.astype(np.uint8) * 255
    if pixels.dtype.kind in "iu" and max(abs(int(pixels.min())), abs(int(pixels.max()))) > FLOAT32_WHOLE:
        raise Unreadable(f"holds whole numbers beyond {FLOAT32_WHOLE:,}, which float32 would round", "scale them down")
    with np.errstate(over="ignore"):  # the dataset checks refuse infinite values
        return pixels.astype(np.float32)


def _varies(channel: Pixels) -> bool:
    first = channel[0, 0]
    return any(bool((channel[rows] != first).any()) for rows in strips(*channel.shape))


def read_bytes(path: Path) -> bytes:
    """Bytes of a file; raises `Unreadable` if there are more than `MAX_FILE_BYTES`."""
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        what = f"has {size:,} bytes, more than the limit of {MAX_FILE_BYTES:,} for a file of its kind"
        raise Unreadable(what, "save it as TIFF in tiles")
    return path.read_bytes()


def read_header(data: bytes) -> Header:
    """Header of a PNG, JPEG, WebP or BMP.

    Raises:
        Unreadable: The file is of another kind, damaged, too large or an animation. Nothing is decoded before.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        frames = 1 if image.format in ("JPEG", "MPO") else getattr(image, "n_frames", 1)
    except Exception:  # Pillow raises many kinds of error on damaged headers
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
    """Decode the pixels that a header announces, without applying the EXIF orientation.

    Returns:
        uint8 or uint16: [height, width] for grey, else [height, width, channels] in the order red, green, blue. An
        alpha channel comes last, so there are 2 (grey with alpha), 3 or 4 channels.

    Raises:
        Unreadable: The file is damaged.
    """
    grey = header.mode in GREY_MODES
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
    """Decode an image with OpenCV.

    Args:
        data: The bytes of a PNG, WebP or BMP.
        flags: OpenCV's flags, `cv2.IMREAD_…`.

    Raises:
        Unreadable: OpenCV cannot decode it.
    """
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)  # imread fails on some Unicode paths
    except cv2.error:
        pixels = None
    if pixels is None:
        raise Unreadable("cannot be decoded: damaged, or cut off", "save it again as PNG")
    return np.asarray(pixels)


def convert_channels(pixels: Pixels, channels: int) -> Pixels:
    """Convert an image to a number of channels.

    Grey is repeated to make 3 channels. Red, green and blue are averaged to 1 with the luma weights. Of more channels
    than wanted, the first ones are taken.

    Args:
        pixels: [height, width, n].
        channels: Number of channels to return; 0 leaves the image unchanged.

    Returns:
        [height, width, channels] of the same dtype.

    Raises:
        Unreadable: The image has too few channels.
    """
    present = pixels.shape[2]
    if channels in (0, present):
        return pixels
    if present == 1 and channels == 3:
        return np.repeat(pixels, 3, axis=2)
    if present == 3 and channels == 1:
        grey = np.tensordot(pixels.astype(np.float32), grey_weights(3), 1)
        return np.asarray(grey.round() if pixels.dtype.kind == "u" else grey).astype(pixels.dtype)[:, :, None]
    if present < channels:
        raise Unreadable(f"has {present} channel(s)", f"data.channels: {present}, or convert it to {channels}")
    return pixels[:, :, :channels]


def apply_orientation(pixels: Pixels, orientation: int) -> Pixels:
    """Transpose and flip an image or mask so that it is seen as viewers show it.

    Args:
        pixels: [height, width] or [height, width, channels], as stored.
        orientation: EXIF orientation, 1 to 8. 1 changes nothing; 5 to 8 exchange height and width.
    """
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels if orientation == 1 else np.ascontiguousarray(pixels)


def _orientation(exif: bytes | None) -> int:
    """EXIF orientation, 1 to 8; 1 if there is none that can be read."""
    tags = Image.Exif()
    try:
        tags.load(exif or b"")
        value = tags.get(EXIF_ORIENTATION, 1)
    except Exception:  # viewers ignore broken EXIF as well
        return 1
    return value if value in range(1, 9) else 1
