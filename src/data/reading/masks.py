"""One mask file to labels: its values kept as stored, whatever their kind, until the whole set says what they mean.

A value is a whole number: a grey value, a palette index, 0 or 1 of a single bit, or a colour as 0xRRGGBB. OpenCV reads
PNG, BMP and WebP, simplejpeg JPEG, tifffile TIFF, and Pillow what OpenCV would turn into something else: palettes, and
grey of fewer than 8 bits.
"""

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from src.data.reading.channels import MOST_VALUES, Array, alpha_decides, one_hot, packed
from src.data.reading.images import content, convert_channels, decode, imdecode, read_header, turned
from src.data.reading.tiff import is_tiff, read_tiff
from src.data.reading.unreadable import LARGE_IMAGE_PIXELS, Unreadable
from src.data.store.store import release, strips
from src.params import Masks

Kind = Literal["bits", "grey", "grey as RGB", "one-hot", "colour", "alpha", "foreground"]
STRETCHED = {"L;2": 85, "L;4": 17}  # what Pillow multiplies grey values of 2 and 4 bits by, to fill 8


@dataclass
class StoredValues:
    """The stored values of one mask: the code of each, and how many pixels hold it.

    With more than `MOST_VALUES` of them, codes mean nothing.

    Attributes:
        kind: what a value is; "foreground": 0 and 1, after data.masks.threshold or data.masks.read: instances.
        lossy: the format interpolated_values values, which no threshold took away again.
        palette: index → colour 0xRRGGBB, of the indices that must mean the same in all masks; None without a palette.
        palette_bytes: the bytes red, green, blue of all entries of the palette, used or not.
        over_8_bits: whether the file stores whole numbers of more than 8 bits.
        inverted: whether the file stores white as 0; values are read with black as 0.
        nodata: the value that GDAL's no-data tag names, if there is one.
        inverted_booleans: whether the file may hold an array of truth values whose True is read as 0, see `Tiff`.
        maybe_unlabelled: of numbered objects, the values that may mean unlabelled; they are objects in `code` and `pixels`.
    """

    kind: Kind
    lossy: bool = False
    codes: dict[int, int] = field(default_factory=dict)
    pixels: dict[int, int] = field(default_factory=dict)
    palette: dict[int, int] | None = None
    palette_bytes: bytes = b""
    over_8_bits: bool = False
    inverted: bool = False
    nodata: int | None = None
    inverted_booleans: bool = False
    maybe_unlabelled: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Labels:
    """A mask read: codes uint8 [height, width], and what they stand for.

    orientation: EXIF, 1 … 8, that `codes` have yet to be turned by.
    """

    codes: NDArray[np.uint8]
    values: StoredValues
    orientation: int = 1


@dataclass(frozen=True)
class _Stored:
    """A mask file's pixels, not turned, [height, width] or [height, width, channels], and what the file says of them.

    palette: uint8 [n, 3] of colours if `pixels` are indices of it. alpha: whether the last channel is one.
    """

    pixels: Array
    orientation: int = 1
    lossy: bool = False
    palette: NDArray[np.uint8] | None = None
    alpha: bool = False
    inverted: bool = False
    nodata: int | None = None
    inverted_booleans: bool = False


def read_mask(path: Path, masks: Masks, colours: bool, ignore: int | None, scratch: Path | None = None) -> Labels:
    """The labels of a mask file, turned as its own EXIF orientation says; see `read_stored_mask`."""
    labels = read_stored_mask(path, masks, colours, ignore, scratch)
    return Labels(turned(labels.codes, labels.orientation), labels.values)


def read_stored_mask(
    path: Path, masks: Masks, colours: bool, ignore: int | None, scratch: Path | None = None
) -> Labels:
    """The labels of a mask file as it is stored, not turned.

    Args:
        path: the file.
        masks: the section data.masks.
        colours: whether classes are named by colour, so that palettes and grey are read as colours.
        ignore: the stored value that `instances` leaves as it is.
        scratch: see `read_image`.

    Raises:
        Unreadable: the file cannot be used.
    """
    stored = _stored(path, scratch)
    array, kind = _values(stored, colours, masks)
    values = StoredValues(
        kind,
        lossy=stored.lossy and masks.threshold == 0,
        over_8_bits=array.dtype.kind in "iu" and array.dtype.itemsize > 1 and kind in ("grey", "grey as RGB"),
        inverted=stored.inverted,
        nodata=stored.nodata,
        inverted_booleans=stored.inverted_booleans,
    )
    if array.dtype == np.uint8 and masks.threshold == 0 and masks.read != "instances":
        codes = counted(array, values).codes
    else:
        height, width = array.shape[:2]
        codes = np.empty((height, width), np.uint8)
        for rows in strips(height, width):
            codes[rows] = _encoded(_decided(array[rows], masks, ignore), values)
            release(array)
    if masks.read == "instances" and ignore is None and array.ndim == 2 and array.dtype != bool:
        values.maybe_unlabelled = _unlabelled_numbers(array)
    if stored.palette is not None and (kind == "grey" or masks.read == "instances"):
        compared = {"indices": [], "instances": {0} & values.pixels.keys()}.get(masks.read, values.pixels)
        colours_of = packed(stored.palette[None])[0].tolist()
        values.palette = {value: colours_of[min(value, len(colours_of) - 1)] for value in compared}
        values.palette_bytes = stored.palette.tobytes()
    return Labels(codes, values, stored.orientation)


def counted(array: NDArray[np.uint8], values: StoredValues | None = None) -> Labels:
    """The labels of 8-bit values, each its own code; but of 0 and 255 alone, 255 has code 1, as its class will."""
    values = values or StoredValues("grey")
    for rows in strips(*array.shape):
        counts = cv2.calcHist([array[rows]], [0], None, [256], [0, 256]).ravel()  # float32, exact for a strip
        for value in np.flatnonzero(counts).tolist():
            values.codes[value] = value
            values.pixels[value] = values.pixels.get(value, 0) + int(counts[value])
        release(array)
    if values.codes.keys() <= {0, 255} and array.size <= LARGE_IMAGE_PIXELS:
        values.codes = {value: value & 1 for value in values.codes}
        return Labels(array & np.uint8(1), values)
    return Labels(array, values)


def _stored(path: Path, scratch: Path | None) -> _Stored:
    if is_tiff(path):
        tiff = read_tiff(path, scratch=scratch)
        return _Stored(
            pixels=tiff.stored,
            orientation=tiff.orientation,
            lossy=tiff.lossy,
            palette=tiff.palette,
            alpha=tiff.alpha,
            inverted=tiff.inverted,
            nodata=tiff.nodata,
            inverted_booleans=tiff.inverted_booleans,
        )
    header = read_header(content(path))
    if header.format in ("JPEG", "MPO"):
        return _Stored(decode(header), header.orientation, header.lossy)
    if header.mode in ("1", "P") or (header.format == "PNG" and header.data[24] < 8):  # bits a sample
        pixels, palette = _by_pillow(header.data)
        return _Stored(pixels, header.orientation, header.lossy, palette)
    pixels = imdecode(header.data, cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    channels = pixels.shape[-1] if pixels.ndim == 3 else 1
    order = {3: [2, 1, 0], 4: [0, 3] if header.mode == "LA" else [2, 1, 0, 3]}.get(channels)  # OpenCV's is B G R A
    return _Stored(pixels[..., order] if order else pixels, header.orientation, header.lossy, alpha=channels == 4)


def _by_pillow(data: bytes) -> tuple[Array, NDArray[np.uint8] | None]:
    """Palette indices with the palette, uint8 [n, 3]; bits as bool; grey of 2 and 4 bits as stored."""
    try:
        image = Image.open(io.BytesIO(data))
        stretched = STRETCHED.get(str(image.tile[0].args), 1) if image.tile else 1
        if image.mode == "1":
            return np.array(image.convert("L")) > 0, None  # of a BMP, Pillow's own array of bits holds bytes of 255
        colours = image.getpalette("RGB") if image.mode == "P" else None
        palette = None if not colours else np.array([*colours, *[0] * 768][:768], np.uint8).reshape(-1, 3)
        return np.asarray(np.array(image) // np.uint8(stretched)), palette
    except Exception as error:  # Pillow raises many kinds on damaged bytes
        raise Unreadable(f"cannot be decoded: {error}", "save it again as PNG") from None


def _values(stored: _Stored, colours: bool, masks: Masks) -> tuple[Array, Kind]:
    """One number for each pixel, [height, width], and what kind of number it is; all channels of `instances`."""
    pixels = stored.pixels
    if stored.palette is not None and (colours or masks.threshold):  # a palette's order is no scale
        pixels = stored.palette[np.minimum(pixels, len(stored.palette) - 1)]
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    decided = masks.threshold > 0 or masks.read == "instances"
    colours_only = (channels == 3 and decided) or (channels <= 4 and stored.alpha)
    if channels > 1 and not colours_only and (indices := one_hot(pixels)) is not None:
        if masks.threshold >= channels:
            what = f"is one-hot: data.masks.threshold ({masks.threshold:g}) counts its {channels} channels, from 0"
            raise Unreadable(what, "data.masks.threshold: 1, to take all but channel 0 as foreground; or 0")
        return indices, "foreground" if decided else "one-hot"
    if channels > 4 or (channels in (2, 4) and not stored.alpha):
        what = f"has {channels} channels, which are neither RGB nor one-hot (exactly one of them set in each pixel)"
        raise Unreadable(what, "save a single one, with a value for each class")
    alpha = pixels[..., -1] if stored.alpha else None
    if masks.read == "alpha" and alpha is None:
        raise Unreadable("has no alpha channel", "data.masks.read: auto, or save it with the mask in alpha")
    pixels = {1: pixels, 2: pixels[..., 0], 4: pixels[..., :3]}.get(channels, pixels)
    if alpha is not None and (masks.read == "alpha" or alpha_decides(pixels, alpha)):
        return np.ascontiguousarray(alpha), "foreground" if decided else "alpha"
    if masks.read == "instances":
        grey = pixels.ndim == 3 and (pixels == pixels[..., :1]).all()
        return pixels[..., 0] if grey else pixels, "foreground"
    if pixels.dtype == bool and masks.threshold:
        return pixels.astype(np.uint8) * np.uint8(255), "foreground"
    if pixels.ndim == 2 and (masks.threshold or not colours):
        if pixels.dtype == bool:
            return pixels.view(np.uint8), "bits"
        return np.ascontiguousarray(pixels), "foreground" if masks.threshold else "grey"
    if pixels.dtype not in (np.uint8, bool):
        raise Unreadable(f"is in colours of type {pixels.dtype}", "save it with 8 bits a channel")
    if pixels.ndim == 2:
        return pixels.astype(np.uint32) * (0xFFFFFF if pixels.dtype == bool else 0x010101), "colour"
    if masks.threshold:
        return convert_channels(pixels, 1)[:, :, 0], "foreground"
    if not colours and (pixels == pixels[..., :1]).all():
        return np.ascontiguousarray(pixels[..., 0]), "grey as RGB"
    return packed(pixels), "colour"


def _objects(pixels: Array, ignore: int | None) -> Array:
    """1 for every pixel of an object, whatever its number or colour, 0 for the others; `ignore` stays as it is."""
    foreground = pixels != 0 if pixels.ndim == 2 else (pixels != 0).any(axis=-1)
    if ignore is None or (pixels.ndim == 3 and pixels.dtype != np.uint8):
        return foreground.astype(np.uint8)
    values = pixels if pixels.ndim == 2 else packed(pixels)
    return np.where(values == ignore, np.int64(ignore), foreground)


def _unlabelled_numbers(values: Array) -> set[int]:
    """Numbers that no object has: negative ones, and the highest of the type above a gap. They may mean unlabelled."""
    top = np.iinfo(values.dtype).max if values.dtype.kind in "iu" else np.inf
    lowest = highest = below = 0
    for rows in strips(*values.shape):
        lowest, highest = min(lowest, values[rows].min()), max(highest, values[rows].max())
        below = max(below, values[rows].max(where=values[rows] < top, initial=0))
        release(values)
    found = {lowest} if np.isfinite(lowest) and lowest < 0 else set()
    found |= {highest} if np.isfinite(top) and highest == top and 0 < below < top - 1 else set()
    return {int(value) for value in found}


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
    return _objects(values, ignore) if masks.read == "instances" else values


def _encoded(array: Array, values: StoredValues) -> NDArray[np.uint8]:
    """uint8 codes of any values, new ones taken into `values`; by runs, of which masks have few."""
    flat = array.ravel()
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    lengths = np.diff(starts, append=flat.size)
    found, inverse = np.unique(flat[starts], return_inverse=True)
    counts = np.bincount(inverse, lengths)
    codes = np.zeros(len(found), np.uint8)
    last = len(found) - 1
    # If there are too many values, record enough to exceed `MOST_VALUES`, and the highest one for the range.
    for position in dict.fromkeys([*range(min(last, MOST_VALUES) + 1), last]):
        value = found[position].item()
        codes[position] = min(values.codes.setdefault(value, len(values.codes)), MOST_VALUES)
        values.pixels[value] = values.pixels.get(value, 0) + int(counts[position])
    return np.repeat(codes[inverse], lengths).reshape(array.shape)
