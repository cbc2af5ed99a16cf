"""Read one mask file: which value each pixel stores, whatever the format, before it is known what the values mean.

Terms: a *stored value* is the whole number that the file holds for a pixel: a grey value, a palette index, 0 or 1 of a
single bit, or a colour as 0xRRGGBB. The *class index* is what the prepared data set holds. It is known once all masks
have been read. Until then a mask keeps its pixels as 8-bit *codes*, with a table from stored value to code.

OpenCV reads PNG, BMP and WebP, simplejpeg JPEG, and tifffile TIFF. Pillow reads what OpenCV would convert: palettes,
and grey of fewer than 8 bits.
"""

import io
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from src.data.reading.channels import Pixels, pack_channels
from src.data.reading.codes import encode_values
from src.data.reading.images import decode, imdecode, read_bytes, read_header
from src.data.reading.mask_channels import to_values
from src.data.reading.object_numbers import numbers_of_objects, unlabelled_numbers
from src.data.reading.stored_values import Labels, StoredValues
from src.data.reading.tiff import StoredImage, is_tiff, read_tiff
from src.data.reading.unreadable import Unreadable
from src.params import Masks

PILLOW_SCALES = {"L;2": 85, "L;4": 17}  # factor by which Pillow scales grey of 2 and 4 bits to 8 bits
PNG_BIT_DEPTH = 24  # position in a PNG file of the byte that holds the bits per sample
OPENCV_ORDER = {3: [2, 1, 0], 4: [2, 1, 0, 3]}  # channels → positions that turn OpenCV's B, G, R, A into R, G, B, A


def read_mask(path: Path, masks: Masks, colours: bool, ignore: int | None, scratch: Path | None = None) -> Labels:
    """Read a mask file with its own EXIF orientation applied.

    Args:
        path: The file.
        masks: The section data.masks.
        colours: Classes are named by colour: palettes and grey are read as colours.
        ignore: The stored value that data.masks.read: instances leaves as it is, if there is one.
        scratch: Folder for the pixels of a TIFF too large for memory.

    Raises:
        Unreadable: The file cannot be used.
    """
    labels = read_stored_mask(path, masks, colours, ignore, scratch)
    return labels.turned(labels.orientation)


def read_stored_mask(
    path: Path, masks: Masks, colours: bool, ignore: int | None, scratch: Path | None = None
) -> Labels:
    """Read a mask file as it is stored, without applying its EXIF orientation.

    Args:
        path: The file.
        masks: The section data.masks.
        colours: Classes are named by colour: palettes and grey are read as colours.
        ignore: The stored value that data.masks.read: instances leaves as it is, if there is one.
        scratch: Folder for the pixels of a TIFF too large for memory.

    Raises:
        Unreadable: The file cannot be used.
    """
    image = read_stored_image(path, scratch)
    array, kind = to_values(image, colours, masks)
    values = StoredValues(
        kind,
        lossy=image.lossy and masks.threshold == 0,
        over_8_bits=array.dtype.kind in "iu" and array.dtype.itemsize > 1 and kind in ("grey", "grey as RGB"),
        inverted=image.inverted,
        nodata=image.nodata,
        inverted_booleans=image.inverted_booleans,
    )
    codes = encode_values(array, values, masks, ignore)
    if masks.read == "instances" and ignore is None and array.ndim == 2 and array.dtype != bool:
        values.maybe_unlabelled = unlabelled_numbers(array)
    if image.palette is not None and (kind == "grey" or masks.read == "instances"):
        compared = {"indices": [], "instances": {0} & values.pixels.keys()}.get(masks.read, values.pixels)
        colours_of = pack_channels(image.palette[None])[0].tolist()
        values.palette = {value: colours_of[min(value, len(colours_of) - 1)] for value in compared}
        values.palette_bytes = image.palette.tobytes()
    return Labels(codes, values, image.orientation, numbers_of_objects(array, masks, ignore, scratch))


def read_stored_image(path: Path, scratch: Path | None) -> StoredImage:
    """Read the pixels of a mask file, with channels in the order red, green, blue, alpha.

    Args:
        path: The file.
        scratch: Folder for the pixels of a TIFF too large for memory.

    Raises:
        Unreadable: The file cannot be used.
    """
    if is_tiff(path):
        return read_tiff(path, scratch=scratch)
    header = read_header(read_bytes(path))
    if header.format in ("JPEG", "MPO"):
        return StoredImage(decode(header), header.orientation, lossy=header.lossy)
    if header.mode in ("1", "P") or (header.format == "PNG" and header.data[PNG_BIT_DEPTH] < 8):
        pixels, palette = _read_with_pillow(header.data)
        return StoredImage(pixels, header.orientation, palette, lossy=header.lossy)
    pixels = imdecode(header.data, cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    channels = pixels.shape[-1] if pixels.ndim == 3 else 1
    order = [0, 3] if channels == 4 and header.mode == "LA" else OPENCV_ORDER.get(channels)
    pixels = pixels[..., order] if order else pixels
    return StoredImage(pixels, header.orientation, alpha=channels == 4, lossy=header.lossy)


def _read_with_pillow(data: bytes) -> tuple[Pixels, NDArray[np.uint8] | None]:
    """Palette indices with the palette, uint8 [n, 3]; bits as bool; grey of 2 and 4 bits as stored."""
    try:
        image = Image.open(io.BytesIO(data))
        scale = PILLOW_SCALES.get(str(image.tile[0].args), 1) if image.tile else 1
        if image.mode == "1":
            return np.array(image.convert("L")) > 0, None  # for a BMP, Pillow's array of bits holds bytes of 255
        colours = image.getpalette("RGB") if image.mode == "P" else None
        palette = None if not colours else np.array([*colours, *[0] * 768][:768], np.uint8).reshape(-1, 3)
        return np.asarray(np.array(image) // np.uint8(scale)), palette
    except Exception as error:  # Pillow raises many kinds of error on damaged bytes
        raise Unreadable(f"cannot be decoded: {error}", "save it again as PNG") from None
