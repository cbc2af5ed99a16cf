"""Write the results of a prediction as PNG and TIFF: masks in given values, and probabilities."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tifffile
from numpy.typing import DTypeLike, NDArray

from src.data.reading.channels import Pixels
from src.data.reading.tiff import is_tiff, open_tiff, single_series
from src.data.source.dataset import StoredValue, stored_number
from src.data.store.store import LARGE, release
from src.errors import UserError
from src.files import atomic

TILE = 512  # pixels: side of a tile in a TIFF
MOST_PNG = 1_000_000  # rows or columns: limit of libpng
BIG = 2**31  # bytes: from this size on, a TIFF is written with 64-bit offsets (BigTIFF)
GEOREFERENCE = (33550, 33922, 34264, 34735, 34736, 34737)  # GeoTIFF 1.1: scale, tie points, matrix, key tags
ORIENTATION, UNIT, RESOLUTION = 274, 296, (282, 283)  # TIFF 6.0
UPRIGHT = (0, 1)  # values of the orientation tag for rows from top to bottom, columns from left to right
UNITS = (1, 2, 3)  # values of the unit tag: none, inch, centimetre
Tag = tuple[int, int, int, object, bool]  # tifffile's extratags: code, data type, count, value, write once


@dataclass(frozen=True)
class Georeference:
    """Where the pixels of a TIFF lie on the ground or in the specimen.

    Attributes:
        tags: The GeoTIFF tags, as tifffile's `extratags`.
        resolution: Pixels per unit in x and in y, each as numerator and denominator; None if unknown.
        unit: TIFF's number of the unit: 1 none, 2 inch, 3 centimetre.
    """

    tags: Sequence[Tag] = ()
    resolution: tuple[tuple[int, int], tuple[int, int]] | None = None
    unit: int = 1


NO_GEOREFERENCE = Georeference()


def read_georeference(path: Path, channels: int = 0) -> Georeference:
    """Read the georeference and the resolution of an image file.

    Args:
        path: The image file.
        channels: The number of channels that the image is read with, see `read_image`.

    Returns:
        `NO_GEOREFERENCE` for other formats than TIFF, and for a TIFF that viewers rotate or mirror: its tags describe
        the stored pixels, not the upright ones.
    """
    if not is_tiff(path):
        return NO_GEOREFERENCE
    with open_tiff(path) as file:
        tags = single_series(file, channels).keyframe.tags
        if tags.valueof(ORIENTATION, 1) not in UPRIGHT:
            return NO_GEOREFERENCE
        kept = [_extratag(tag) for tag in tags if tag.code in GEOREFERENCE]
        resolution, unit = [tags.valueof(code) for code in RESOLUTION], tags.valueof(UNIT, 1)
        ratios = all(isinstance(ratio, tuple) and len(ratio) == 2 and ratio[1] for ratio in resolution)
        return Georeference(kept, (resolution[0], resolution[1]) if ratios else None, unit if unit in UNITS else 1)


def _extratag(tag: tifffile.TiffTag) -> Tag:
    """A tag as tifffile's `extratags`. Text becomes bytes, since files hold text that is not ASCII."""
    value = tag.value.encode() + b"\0" if isinstance(tag.value, str) else tag.value
    return tag.code, int(tag.dtype), len(value) if isinstance(value, bytes) else tag.count, value, True


def allocate(shape: tuple[int, ...], dtype: DTypeLike, scratch: Path) -> Pixels:
    """Allocate an array in memory, or, above `LARGE` bytes, in a temporary file without a name, see `release`.

    Args:
        shape: Shape of the array.
        dtype: Its number type.
        scratch: Folder on the disk that holds the temporary file.

    Returns:
        An array whose content is undefined.

    Raises:
        OSError: The disk is too small for the temporary file.
    """
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if size <= LARGE:
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile(dir=scratch) as file:
        if hasattr(os, "posix_fallocate"):  # without it, a full disk would end the process at the first write
            os.posix_fallocate(file.fileno(), 0, size)
        return np.memmap(file, dtype, "w+", shape=shape)


def mask_values(values: Sequence[StoredValue], classes: int) -> Pixels:
    """Make the table that turns class indices into the stored values of a mask.

    Args:
        values: The stored value of each class: whole numbers, or colours "#RRGGBB". If it is empty, the class index is
            the stored value.
        classes: The number of classes.

    Returns:
        [classes], in the smallest of uint8, uint16, uint32, int32 and int64 that holds all values; or uint8
        [classes, 3] of red, green, blue if any value is a colour.
    """
    if any(isinstance(value, str) for value in values):
        colours = [stored_number(value) for value in values]
        return np.array([[colour >> 16, colour >> 8 & 255, colour & 255] for colour in colours], np.uint8)
    stored = [stored_number(value) for value in values] or list(range(classes))
    fitting = (kind for kind in (np.uint8, np.uint16, np.uint32, np.int32) if _fits(stored, kind))
    return np.array(stored, next(fitting, np.int64))


def _fits(stored: Sequence[int], kind: type[np.integer]) -> bool:
    return np.iinfo(kind).min <= min(stored) and max(stored) <= np.iinfo(kind).max


def mask_suffix(values: Pixels, image: Path, size: Sequence[int] = ()) -> str:
    """Choose the format of a predicted mask.

    Args:
        values: The stored values, see `write_mask`.
        image: The image file.
        size: Height and width in pixels; empty if they are not known.

    Returns:
        ".tif" if the image is a TIFF, or if PNG cannot hold the values or the size; else ".png".
    """
    large = values.dtype.itemsize > 2 or max(size, default=0) > MOST_PNG
    return ".tif" if large or is_tiff(image) else ".png"


def write_mask(
    path: Path, labels: NDArray[np.uint8], values: Pixels, georeference: Georeference = NO_GEOREFERENCE
) -> None:
    """Write a mask as PNG or TIFF, as the suffix of `path` says.

    Args:
        path: The file to write.
        labels: uint8 [height, width].
        values: Stored value of each label, see `mask_tables` in mask_tables.py.
        georeference: Kept in a TIFF; PNG has no place for it.
    """
    if path.suffix == ".png":
        write_png(path, values[labels])
    else:
        shape = (*labels.shape, *values.shape[1:])
        parts = (values[part] for part in _tiles(labels))
        _write_tiff(path, parts, shape, values.dtype, georeference)


def write_probabilities(
    path: Path,
    shares: Pixels,
    names: Sequence[str],
    georeference: Georeference = NO_GEOREFERENCE,
    *,
    overlap: bool = False,
) -> None:
    """Write class probabilities as TIFF.

    Args:
        path: The file to write.
        shares: [height, width, channels], float32 in 0 to 1 or uint8 in 0 to 255.
        names: The class of each channel, for the description in the file.
        georeference: Kept in the file.
        overlap: The classes overlap, which the description in the file says.
    """
    top = 255 if shares.dtype == np.uint8 else 1
    independent = "; classes overlap, so the probabilities are independent of each other" if overlap else ""
    description = f"probability of {', '.join(names)}; 1 is stored as {top}{independent}"
    shape = shares.shape if shares.shape[2] > 1 else shares.shape[:2]
    parts = (part.reshape(*part.shape[:2], *shape[2:]) for part in _tiles(shares))
    _write_tiff(path, parts, shape, shares.dtype, georeference, description=description)


def write_png(path: Path, pixels: Pixels) -> None:
    """Write a PNG.

    Args:
        path: The file to write.
        pixels: uint8 or uint16, [height, width], or [height, width, 3] as red, green, blue.
    """
    encoded = cv2.imencode(".png", pixels if pixels.ndim == 2 else pixels[..., ::-1])[1]
    with atomic(path) as temporary:
        temporary.write_bytes(encoded.data)


def _write_tiff(
    path: Path,
    tiles: Iterable[Pixels],
    shape: tuple[int, ...],
    dtype: DTypeLike,
    georeference: Georeference,
    *,
    description: str | None = None,
) -> None:
    """Write a compressed TIFF from its tiles, in the order of `_tiles`. Three channels with no description are RGB."""
    coloured = len(shape) == 3 and shape[2] == 3 and description is None
    text = None if description is None else description.encode("ascii", "backslashreplace").decode()  # TIFF: ASCII only
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    side = _side(shape)
    with atomic(path) as temporary, tifffile.TiffWriter(temporary, bigtiff=size > BIG) as file:
        file.write(
            iter(tiles),
            shape=shape,
            dtype=dtype,
            tile=(side, side),
            photometric="rgb" if coloured else "minisblack",
            planarconfig="contig" if len(shape) == 3 else None,
            compression="zlib",
            resolution=georeference.resolution or None,
            resolutionunit=georeference.unit if georeference.resolution else None,
            extratags=georeference.tags,
            description=text,
            metadata=None,
            software=False,
        )


def _side(shape: tuple[int, ...]) -> int:
    return min(TILE, -(-max(shape[:2]) // 16) * 16)  # TIFF 6.0: the side of a tile is a multiple of 16


def _tiles(pixels: Pixels) -> Iterator[Pixels]:
    """The tiles of an array, from left to right and from top to bottom."""
    side = _side(pixels.shape)
    for top in range(0, pixels.shape[0], side):
        for left in range(0, pixels.shape[1], side):
            yield pixels[top : top + side, left : left + side]
        release(pixels)


def check_inside(folder: Path, path: Path) -> Path:
    """Check that a path lies in a folder once all links on the way are followed.

    Args:
        folder: The folder.
        path: A path below it, which need not exist.

    Returns:
        `path`, unchanged.

    Raises:
        UserError: A link leads out of the folder, or links form a circle.
    """
    try:
        leads = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # links in a circle raise either, depending on the version of Python
        leads = False
    if not leads:
        raise UserError(f"{path}: leads out of {folder}; remove the link, or choose another folder")
    return path
