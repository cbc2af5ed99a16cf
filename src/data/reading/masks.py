"""Read one mask file: which value each pixel stores, whatever the format, before it is known what the values mean.

Terms: a *stored value* is the whole number that the file holds for a pixel: a grey value, a palette index, 0 or 1 of a
single bit, or a colour as 0xRRGGBB. The *class index* is what the prepared data set holds. It is known once all masks
have been read. Until then a mask keeps its pixels as 8-bit *codes*, with a table from stored value to code.

OpenCV reads PNG, BMP and WebP, simplejpeg JPEG, and tifffile TIFF. Pillow reads what OpenCV would convert: palettes,
and grey of fewer than 8 bits.
"""

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from src.data.reading.channels import (
    GREY_TO_COLOUR,
    MAX_VALUES,
    WHITE,
    Pixels,
    alpha_is_mask,
    one_hot_channel,
    pack_channels,
)
from src.data.reading.images import apply_orientation, convert_channels, decode, imdecode, read_bytes, read_header
from src.data.reading.tiff import StoredImage, is_tiff, read_tiff
from src.data.reading.unreadable import LARGE_IMAGE_PIXELS, Unreadable
from src.data.store.store import release, strips
from src.params import Masks

Kind = Literal["bits", "grey", "grey as RGB", "one-hot", "colour", "alpha", "foreground", "overlap"]
PILLOW_SCALES = {"L;2": 85, "L;4": 17}  # factor by which Pillow scales grey of 2 and 4 bits to 8 bits
PNG_BIT_DEPTH = 24  # position in a PNG file of the byte that holds the bits per sample
OPENCV_ORDER = {3: [2, 1, 0], 4: [2, 1, 0, 3]}  # channels → positions that turn OpenCV's B, G, R, A into R, G, B, A


@dataclass
class StoredValues:
    """The stored values of one mask.

    With more than `MAX_VALUES` distinct values the codes mean nothing: such a mask is refused later, with all others.

    Attributes:
        kind: What a stored value is. "foreground": 0 and 1, made by data.masks.threshold or data.masks.read: instances.
            "overlap": a label of overlapping classes, made of several masks, see class_planes.py.
        lossy: The format changed values (JPEG), and no threshold removed the changes.
        codes: Stored value → code.
        pixels: Stored value → number of pixels.
        palette: Palette index → colour 0xRRGGBB, for the indices that must have one colour in all masks. None if the
            file has no palette.
        palette_bytes: Red, green, blue of all palette entries, used or not.
        over_8_bits: The file stores whole numbers of more than 8 bits.
        inverted: The file stores white as 0. The values are given with black as 0.
        nodata: The value of GDAL's no-data tag, if the file has one.
        inverted_booleans: The file may hold a boolean array whose True is read as 0, see `StoredImage`.
        maybe_unlabelled: In masks of numbered objects, values that may mean unlabelled. In `codes` and `pixels` they
            are objects.
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
    """One mask that has been read.

    Attributes:
        codes: uint8 [height, width].
        values: The stored value of each code.
        orientation: EXIF orientation, 1 to 8, that is left to apply to `codes`.
    """

    codes: NDArray[np.uint8]
    values: StoredValues
    orientation: int = 1


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
    return Labels(apply_orientation(labels.codes, labels.orientation), labels.values)


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
    array, kind = _to_values(image, colours, masks)
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
        values.maybe_unlabelled = _unlabelled_numbers(array)
    if image.palette is not None and (kind == "grey" or masks.read == "instances"):
        compared = {"indices": [], "instances": {0} & values.pixels.keys()}.get(masks.read, values.pixels)
        colours_of = pack_channels(image.palette[None])[0].tolist()
        values.palette = {value: colours_of[min(value, len(colours_of) - 1)] for value in compared}
        values.palette_bytes = image.palette.tobytes()
    return Labels(codes, values, image.orientation)


def encode_values(array: Pixels, values: StoredValues, masks: Masks, ignore: int | None) -> NDArray[np.uint8]:
    """Apply the settings to stored values and make codes of them.

    Args:
        array: [height, width] of stored values, or [height, width, 3] for data.masks.read: instances.
        values: Receives the values and their counts.
        masks: The section data.masks.
        ignore: The stored value that data.masks.read: instances leaves as it is, if there is one.

    Returns:
        uint8 [height, width]; it may be `array` itself.

    Raises:
        Unreadable: The values are not finite, or fractions.
    """
    if array.dtype == np.uint8 and masks.threshold == 0 and masks.read != "instances":
        return encode_uint8(array, values).codes
    height, width = array.shape[:2]
    codes = np.empty((height, width), np.uint8)
    for rows in strips(height, width):
        codes[rows] = _encode(_apply_settings(array[rows], masks, ignore), values)
        release(array)
    return codes


def encode_uint8(array: NDArray[np.uint8], values: StoredValues | None = None) -> Labels:
    """Use 8-bit stored values as their own codes. In a mask of 0 and 255 alone, 255 gets code 1, its later class index.

    Args:
        array: uint8 [height, width] of stored values. It is not copied unless codes differ from it.
        values: The object to add values and counts to; a new one for grey values if it is None.
    """
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


def _to_values(image: StoredImage, colours: bool, masks: Masks) -> tuple[Pixels, Kind]:
    """Reduce the channels to one number per pixel, [height, width]; `instances` keeps RGB channels."""
    made = masks.threshold > 0 or masks.read == "instances"  # the settings make foreground and background
    pixels = image.pixels
    if image.palette is not None and (colours or masks.threshold):  # the order of a palette is no scale
        pixels = image.colours()
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    may_be_one_hot = channels > 1 and not (channels == 3 and made) and not (channels <= 4 and image.alpha)
    if may_be_one_hot and (indices := one_hot_channel(pixels)) is not None:
        if masks.threshold >= channels:
            what = f"is one-hot: data.masks.threshold ({masks.threshold:g}) counts its {channels} channels, from 0"
            raise Unreadable(what, "data.masks.threshold: 1, to take all but channel 0 as foreground; or 0")
        return indices, "foreground" if made else "one-hot"
    if channels > 4 or (channels in (2, 4) and not image.alpha):
        what = f"has {channels} channels, which are neither RGB nor one-hot (exactly one of them set in each pixel)"
        raise Unreadable(what, "save a single one, with a value for each class")
    alpha = pixels[..., -1] if image.alpha else None
    if masks.read == "alpha" and alpha is None:
        raise Unreadable("has no alpha channel", "data.masks.read: auto, or save it with the mask in alpha")
    pixels = {1: pixels, 2: pixels[..., 0], 4: pixels[..., :3]}.get(channels, pixels)
    if alpha is not None and (masks.read == "alpha" or alpha_is_mask(pixels, alpha)):
        return np.ascontiguousarray(alpha), "foreground" if made else "alpha"
    if masks.read == "instances":
        grey = pixels.ndim == 3 and (pixels == pixels[..., :1]).all()
        return pixels[..., 0] if grey else pixels, "foreground"
    if pixels.dtype == bool and masks.threshold:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    if pixels.ndim == 2 and (masks.threshold or not colours):
        if pixels.dtype == bool:
            return pixels.view(np.uint8), "bits"
        return np.ascontiguousarray(pixels), "foreground" if masks.threshold else "grey"
    return _colours_to_values(pixels, colours, masks)


def _colours_to_values(pixels: Pixels, colours: bool, masks: Masks) -> tuple[Pixels, Kind]:
    if pixels.dtype not in (np.uint8, bool):
        raise Unreadable(f"is in colours of type {pixels.dtype}", "save it with 8 bits a channel")
    if pixels.ndim == 2:
        return pixels.astype(np.uint32) * (WHITE if pixels.dtype == bool else GREY_TO_COLOUR), "colour"
    if masks.threshold:
        return convert_channels(pixels, 1)[:, :, 0], "foreground"
    if not colours and (pixels == pixels[..., :1]).all():
        return np.ascontiguousarray(pixels[..., 0]), "grey as RGB"
    return pack_channels(pixels), "colour"


def _apply_settings(values: Pixels, masks: Masks, ignore: int | None) -> Pixels:
    """Apply data.masks.threshold or data.masks.read: instances; floats become whole numbers."""
    if not np.isfinite(values).all():
        raise Unreadable("holds NaN or infinite values", "save whole numbers, one for each class")
    if masks.threshold:
        return (values >= masks.threshold).astype(np.uint8)
    if values.dtype.kind == "f":
        if (values != np.round(values)).any():
            raise Unreadable("holds fractions", "data.masks.threshold: 0.5, or save whole numbers, one for each class")
        values = values.astype(np.int64)
    return _objects(values, ignore) if masks.read == "instances" else values


def _objects(pixels: Pixels, ignore: int | None) -> Pixels:
    """1 for every pixel of an object, whatever its number or colour, else 0; pixels of value `ignore` keep it."""
    foreground = pixels != 0 if pixels.ndim == 2 else (pixels != 0).any(axis=-1)
    if ignore is None or (pixels.ndim == 3 and pixels.dtype != np.uint8):
        return foreground.astype(np.uint8)
    values = pixels if pixels.ndim == 2 else pack_channels(pixels)
    return np.where(values == ignore, np.int64(ignore), foreground)


def _unlabelled_numbers(values: Pixels) -> set[int]:
    """Object numbers that may mean unlabelled: the lowest negative one, and the type's maximum above a gap."""
    top = np.iinfo(values.dtype).max if values.dtype.kind in "iu" else np.inf
    lowest = highest = below = 0
    for rows in strips(*values.shape):
        lowest, highest = min(lowest, values[rows].min()), max(highest, values[rows].max())
        below = max(below, values[rows].max(where=values[rows] < top, initial=0))
        release(values)
    found = {lowest} if np.isfinite(lowest) and lowest < 0 else set()
    found |= {highest} if np.isfinite(top) and highest == top and 0 < below < top - 1 else set()
    return {int(value) for value in found}


def _encode(array: Pixels, values: StoredValues) -> NDArray[np.uint8]:
    """Codes of any stored values. New values are added to `values`. Works on runs, since masks have few of them."""
    flat = array.ravel()
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    lengths = np.diff(starts, append=flat.size)
    found, inverse = np.unique(flat[starts], return_inverse=True)
    counts = np.bincount(inverse, lengths)
    codes = np.zeros(len(found), np.uint8)
    last = len(found) - 1
    # If there are too many values, record enough to exceed `MAX_VALUES`, and the highest one for the range.
    for position in dict.fromkeys([*range(min(last, MAX_VALUES) + 1), last]):
        value = found[position].item()
        codes[position] = min(values.codes.setdefault(value, len(values.codes)), MAX_VALUES)
        values.pixels[value] = values.pixels.get(value, 0) + int(counts[position])
    return np.repeat(codes[inverse], lengths).reshape(array.shape)
