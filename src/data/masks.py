"""One mask file to labels: its values kept as stored, whatever their kind, until the whole set says what they mean.

A value is a whole number: a grey value, a palette index, 0 or 1 of a single bit, or a colour as 0xRRGGBB. OpenCV reads
PNG, BMP and WebP, simplejpeg JPEG, tifffile TIFF, and Pillow what OpenCV would turn into something else: palettes, and
grey of fewer than 8 bits.
"""

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from src.data.images import content, converted, decode, imdecode, read_header, turned
from src.data.store import release, strips
from src.data.tiff import is_tiff, read_tiff
from src.data.unreadable import LARGE, Unreadable
from src.params import Masks

Kind = Literal["bits", "grey", "grey as RGB", "colour", "alpha"]
Array = NDArray[Any]
MOST_VALUES = 255  # different ones in a mask; no set has more classes
STRETCHED = {"L;2": 85, "L;4": 17}  # what Pillow multiplies grey values of 2 and 4 bits by, to fill 8


@dataclass
class Values:
    """The stored values of one mask: the code of each, and how many pixels hold it.

    With more than `MOST_VALUES` of them, codes mean nothing. lossy: the format invented values, which no threshold
    took away again.
    """

    kind: Kind
    lossy: bool = False
    code: dict[int, int] = field(default_factory=dict)
    pixels: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Labels:
    """A mask read: codes uint8 [height, width], and what they stand for."""

    codes: NDArray[np.uint8]
    values: Values


def read_mask(path: Path, masks: Masks, colours: bool, ignore: int | None, scratch: Path | None = None) -> Labels:
    """The labels of a mask file.

    masks: the section data.masks. colours: classes are named by colour, so that palettes and grey are read as colours.
    ignore: the stored value that `instances` leaves as it is. scratch: see `read_image`. Raises `Unreadable`.
    """
    stored, orientation, lossy = _stored(path, colours or masks.threshold > 0, scratch)  # a palette's order is no scale
    array, kind = _values(stored, colours, masks)
    values = Values(kind, lossy and masks.threshold == 0)
    if array.dtype == np.uint8 and masks.threshold == 0 and masks.read != "instances":
        codes = counted(array, values).codes
    else:
        codes = np.empty(array.shape, np.uint8)
        for rows in strips(*array.shape):
            codes[rows] = _encoded(_decided(array[rows], masks, ignore), values)
            release(array)
    return Labels(turned(codes, orientation), values)


def counted(array: NDArray[np.uint8], values: Values | None = None) -> Labels:
    """The labels of 8-bit values, each its own code; but of 0 and 255 alone, 255 has code 1, as its class will."""
    values = values or Values("grey")
    for rows in strips(*array.shape):
        counts = cv2.calcHist([array[rows]], [0], None, [256], [0, 256]).ravel()  # float32, exact for a strip
        for value in np.flatnonzero(counts).tolist():
            values.code[value] = value
            values.pixels[value] = values.pixels.get(value, 0) + int(counts[value])
        release(array)
    if values.code.keys() <= {0, 255} and array.size <= LARGE:
        values.code = {value: value & 1 for value in values.code}
        return Labels(array & np.uint8(1), values)
    return Labels(array, values)


def _stored(path: Path, colours: bool, scratch: Path | None) -> tuple[Array, int, bool]:
    """The file's pixels, not yet turned, its orientation, and whether its format is lossy."""
    if is_tiff(path):
        tiff = read_tiff(path, scratch=scratch)
        return (tiff.colours() if colours and tiff.palette is not None else tiff.stored), tiff.orientation, tiff.lossy
    header = read_header(content(path))
    if header.format in ("JPEG", "MPO"):
        return decode(header), header.orientation, header.lossy
    if header.mode in ("1", "P") or (header.format == "PNG" and header.data[24] < 8):  # bits a sample
        return _by_pillow(header.data, colours), header.orientation, header.lossy
    pixels = imdecode(header.data, cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    order = {3: [2, 1, 0], 4: [2, 1, 0, 3]}.get(pixels.shape[-1]) if pixels.ndim == 3 else None  # OpenCV's is B G R A
    return (pixels[..., order] if order else pixels), header.orientation, header.lossy


def _by_pillow(data: bytes, colours: bool) -> Array:
    """Palette indices, or their colours; bits as bool; grey of 2 and 4 bits as stored."""
    try:
        image = Image.open(io.BytesIO(data))
        stretched = STRETCHED.get(str(image.tile[0].args), 1) if image.tile else 1
        if image.mode == "1":
            return np.array(image.convert("L")) > 0  # of a BMP, Pillow's own array of bits holds bytes of 255
        pixels = np.array(image.convert("RGB") if colours and image.mode == "P" else image)
    except Exception as error:  # Pillow raises many kinds on damaged bytes
        raise Unreadable(f"cannot be decoded: {error}", "save it again as PNG") from None
    return np.asarray(pixels // np.uint8(stretched))


def _values(stored: Array, colours: bool, masks: Masks) -> tuple[Array, Kind]:
    """One number for each pixel, [height, width], and what kind of number it is."""
    channels = stored.shape[2] if stored.ndim == 3 else 1
    if channels > 4:
        raise Unreadable(f"has {channels} channels", "save a single one, with a value for each class")
    alpha = stored[..., -1] if channels in (2, 4) else None
    if masks.read == "alpha" and alpha is None:
        raise Unreadable("has no alpha channel", "data.masks.read: auto, or save it with the mask in alpha")
    pixels = {1: stored, 2: stored[..., 0], 4: stored[..., :3]}.get(channels, stored)
    if alpha is not None and (masks.read == "alpha" or _alpha_decides(pixels, alpha)):
        return np.ascontiguousarray(alpha), "alpha"
    if pixels.dtype == bool and masks.threshold:
        return pixels.astype(np.uint8) * np.uint8(255), "bits"
    if pixels.ndim == 2 and not colours:
        return (pixels.view(np.uint8), "bits") if pixels.dtype == bool else (np.ascontiguousarray(pixels), "grey")
    if pixels.dtype not in (np.uint8, bool):
        raise Unreadable(f"is in colours of type {pixels.dtype}", "save it with 8 bits a channel")
    if pixels.ndim == 2:
        return pixels.astype(np.uint32) * (0xFFFFFF if pixels.dtype == bool else 0x010101), "colour"
    if masks.threshold:
        return converted(pixels, 1)[:, :, 0], "grey as RGB"
    if not colours and (pixels == pixels[..., :1]).all():
        return np.ascontiguousarray(pixels[..., 0]), "grey as RGB"
    return _packed(pixels), "colour"


def _packed(pixels: Array) -> NDArray[np.uint32]:
    """uint8 [height, width, n ≤ 4] → n bytes in one number, the first channel in the highest."""
    packed = np.zeros(pixels.shape[:2], np.uint32)
    for channel in range(pixels.shape[2]):
        packed = packed << np.uint32(8) | pixels[..., channel]
    return packed


def _alpha_decides(pixels: Array, alpha: Array) -> bool:
    """Whether alpha, not colour, tells the classes apart: it varies where colour does not."""
    if alpha.min() == alpha.max():
        return False
    if pixels.dtype != np.uint8:
        raise Unreadable(f"has an alpha channel of type {pixels.dtype}", "save it with 8 bits a channel")
    colours = _packed(pixels if pixels.ndim == 3 else pixels[..., None])
    if colours.min() == colours.max():
        return True
    both = np.unique(colours.astype(np.int64) << 8 | alpha)
    if len(np.unique(both >> 8)) < len(both) or len(both) > MOST_VALUES:
        raise Unreadable("differs in colour and in alpha", "data.masks.read: alpha, or save it without alpha")
    return False


def _decided(values: Array, masks: Masks, ignore: int | None) -> Array:
    """The values after data.masks.threshold, or data.masks.read: instances; floats as whole numbers."""
    if not np.isfinite(values).all():
        raise Unreadable("holds NaN or infinite values", "save whole numbers, one for each class")
    if masks.threshold:
        return (values >= masks.threshold).astype(np.uint8)
    if values.dtype.kind == "f":
        if (values != np.round(values)).any():
            raise Unreadable("holds fractions", "data.masks.threshold: 0.5, or save whole numbers, one for each class")
        values = values.astype(np.int64)
    if masks.read == "instances":
        foreground = (values != 0).astype(np.uint8)
        return foreground if ignore is None else np.where(values == ignore, values, foreground)
    return values


def _encoded(array: Array, values: Values) -> NDArray[np.uint8]:
    """uint8 codes of any values, new ones taken into `values`; by runs, of which masks have few."""
    flat = array.ravel()
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    lengths = np.diff(starts, append=flat.size)
    found, inverse = np.unique(flat[starts], return_inverse=True)
    counts = np.bincount(inverse, lengths)
    codes = np.zeros(len(found), np.uint8)
    last = len(found) - 1
    # Of too many values as many as tell that they are, and the highest, for the range.
    for position in dict.fromkeys([*range(min(last, MOST_VALUES) + 1), last]):
        value = found[position].item()
        codes[position] = min(values.code.setdefault(value, len(values.code)), MOST_VALUES)
        values.pixels[value] = values.pixels.get(value, 0) + int(counts[position])
    return np.repeat(codes[inverse], lengths).reshape(array.shape)
