"""What a prediction leaves on disk: masks in the values of the training masks, probabilities, in PNG and TIFF."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from src.data.reading.tiff import is_tiff, open_tiff, single_series
from src.data.source.dataset import StoredValue, stored_number
from src.data.store.store import LARGE, release
from src.errors import UserError
from src.files import atomic

TILE = 512  # pixels: side of the tiles of a TIFF
MOST_PNG = 1_000_000  # rows or columns that libpng writes
BIG = 2**31  # bytes from which a TIFF needs 64-bit offsets
GEOREFERENCE = (33550, 33922, 34264, 34735, 34736, 34737)  # GeoTIFF 1.1: scale, tie points, matrix, keys and theirs
UNIT, RESOLUTION = 296, (282, 283)
Pixels = NDArray[Any]


@dataclass(frozen=True)
class Place:
    """What a TIFF says of where its pixels lie.

    tags: tifffile's extratags, of the georeference. resolution: pixels a unit across and down, and the unit, or None.
    """

    tags: Sequence[tuple[int, int, int, Any, bool]] = ()
    resolution: tuple[tuple[int, int], tuple[int, int]] | None = None
    unit: int = 1


NOWHERE = Place()


def place_of(path: Path, channels: int = 0) -> Place:
    """That of an image file: nothing unless it is a TIFF, and nothing of one that is to be turned to be looked at.

    channels: see `read_image`.
    """
    if not is_tiff(path):
        return NOWHERE
    with open_tiff(path) as file:
        tags = single_series(file, channels).keyframe.tags
        if tags.valueof(274, 1) not in (0, 1):
            return NOWHERE
        kept = [_copied(tag) for tag in tags if tag.code in GEOREFERENCE]
        resolution, unit = [tags.valueof(code) for code in RESOLUTION], tags.valueof(UNIT, 1)
        ratios = all(isinstance(ratio, tuple) and len(ratio) == 2 and ratio[1] for ratio in resolution)
        return Place(kept, (resolution[0], resolution[1]) if ratios else None, unit if unit in (1, 2, 3) else 1)


def _copied(tag: Any) -> tuple[int, int, int, Any, bool]:
    """As tifffile takes it; text as bytes, since not all that is found is ASCII."""
    value = tag.value.encode() + b"\0" if isinstance(tag.value, str) else tag.value
    return tag.code, int(tag.dtype), len(value) if isinstance(value, bytes) else tag.count, value, True


def room(shape: tuple[int, ...], dtype: Any, scratch: Path) -> Pixels:
    """An empty array, of more than `LARGE` bytes a map of a nameless file in the folder `scratch`, see `release`."""
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if size <= LARGE:
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile(dir=scratch) as file:
        if hasattr(os, "posix_fallocate"):  # a disk that is too small is an error here; later it would end the process
            os.posix_fallocate(file.fileno(), 0, size)
        return np.memmap(file, dtype, "w+", shape=shape)


def mask_values(values: Sequence[StoredValue], classes: int) -> Pixels:
    """Class index → value in a mask: [classes], or colours uint8 [classes, 3]; without `values` the index itself."""
    if any(isinstance(value, str) for value in values):
        codes = [stored_number(value) for value in values]
        return np.array([[code >> 16, code >> 8 & 255, code & 255] for code in codes], np.uint8)
    stored = [stored_number(value) for value in values] or list(range(classes))
    fitting = (kind for kind in (np.uint8, np.uint16, np.uint32, np.int32) if _fits(stored, kind))
    return np.array(stored, next(fitting, np.int64))


def _fits(stored: Sequence[int], kind: Any) -> bool:
    return np.iinfo(kind).min <= min(stored) and max(stored) <= np.iinfo(kind).max


def mask_suffix(values: Pixels, image: Path, size: Sequence[int] = ()) -> str:
    """The format of a mask: TIFF if its image is one, or if PNG does not hold its numbers, or its size."""
    large = values.dtype.itemsize > 2 or max(size, default=0) > MOST_PNG
    return ".tif" if large or is_tiff(image) else ".png"


def write_mask(path: Path, classes: NDArray[np.uint8], values: Pixels, place: Place = NOWHERE) -> None:
    """Class indices [height, width] as `values` say, in the format that the path's suffix names."""
    if path.suffix == ".png":
        write_png(path, values[classes])
    else:
        parts = (values[part] for part in _tiles(classes))
        write_tiff(path, parts, (*classes.shape, *values.shape[1:]), values.dtype, place)


def write_probabilities(path: Path, shares: Pixels, names: Sequence[str], place: Place = NOWHERE) -> None:
    """Probabilities [height, width, n] as TIFF, float32 from 0 to 1 or uint8 from 0 to 255; `names` of the channels."""
    words = f"probability of {', '.join(names)}; 1 is stored as {255 if shares.dtype == np.uint8 else 1}"
    shape = shares.shape if shares.shape[2] > 1 else shares.shape[:2]
    parts = (part.reshape(*part.shape[:2], *shape[2:]) for part in _tiles(shares))
    write_tiff(path, parts, shape, shares.dtype, place, words)


def write_png(path: Path, pixels: Pixels) -> None:
    """uint8 or uint16, [height, width] or [height, width, 3] as red, green, blue."""
    encoded = cv2.imencode(".png", pixels if pixels.ndim == 2 else pixels[..., ::-1])[1]
    with atomic(path) as temporary:
        temporary.write_bytes(encoded.data)


def write_tiff(
    path: Path, tiles: Iterator[Pixels], shape: tuple[int, ...], dtype: Any, place: Place, words: str | None = None
) -> None:
    """A TIFF in compressed tiles, from left to right and top to bottom; words: its description."""
    coloured = len(shape) == 3 and shape[2] == 3 and words is None
    form: dict[str, Any] = {"photometric": "rgb" if coloured else "minisblack", "compression": "zlib", "metadata": None}
    if len(shape) == 3:
        form["planarconfig"] = "contig"
    if place.resolution:
        form |= {"resolution": place.resolution, "resolutionunit": place.unit}
    text = None if words is None else words.encode("ascii", "backslashreplace").decode()  # all that TIFF's tag may hold
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    with atomic(path) as temporary, tifffile.TiffWriter(temporary, bigtiff=size > BIG) as file:
        side = _side(shape)
        file.write(
            tiles,
            shape=shape,
            dtype=dtype,
            tile=(side, side),
            extratags=place.tags,
            description=text,
            software=False,
            **form,
        )


def _side(shape: tuple[int, ...]) -> int:
    return min(TILE, -(-max(shape[:2]) // 16) * 16)  # tiles have multiples of 16


def _tiles(pixels: Pixels) -> Iterator[Pixels]:
    side = _side(pixels.shape)
    for top in range(0, pixels.shape[0], side):
        for left in range(0, pixels.shape[1], side):
            yield pixels[top : top + side, left : left + side]
        release(pixels)


def inside(folder: Path, path: Path) -> Path:
    """`path`, which must lie below the folder, whatever links are on the way; else `UserError`."""
    try:
        leads = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # links in a circle are either, by the version of Python
        leads = False
    if not leads:
        raise UserError(f"{path}: leads out of {folder}; remove the link, or choose another folder")
    return path
