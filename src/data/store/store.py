"""The prepared data set: three large files that are read by windows, without decoding.

`images.bin` and `masks.bin` hold the pixels of all images one after the other, row by row; `index.json` says where each
begins. Images are uint8, uint16 or float32, all of a set alike; masks are uint8 class indices, and IGNORE where nothing
counts.
"""

import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from src.data.source.dataset import Dataset, read_dataset
from src.errors import UserError
from src.files import read_json, write_json

IMAGES, MASKS, INDEX = "images.bin", "masks.bin", "index.json"


STRIP = 2**22  # pixels of a large image that are looked at together
LARGE = 2**28  # bytes of a map whose pages are given back after use


@dataclass(frozen=True)
class Record:
    """One image of the store.

    id: see pairs.py. twin: the id of the first of the images that are the same or nearly so; "" if there is no other.
    height, width, channels: its own size.
    image_at, mask_at: the bytes before it in the two files.
    pixels: how many pixels of each class its mask holds.
    mean, std: of the scaled intensities of the pixels that count, for each channel (see normalise.py).
    thumbnail: a small grey picture as text, see filled.py; "" if there is none.
    orientation: EXIF, 1 … 8, that the image's file names; the stored pixels are turned by it.
    """

    id: str
    twin: str
    height: int
    width: int
    channels: int
    image_at: int
    mask_at: int
    pixels: list[int]
    mean: list[float]
    std: list[float]
    thumbnail: str = ""
    orientation: int = 1


class Described(Protocol):
    """What a split needs to know of a data set: the folder of its tables and lists, its description, its images."""

    @property
    def folder(self) -> Path: ...

    @property
    def dataset(self) -> Dataset: ...

    @property
    def records(self) -> list[Record]: ...


class Store:
    """Read access to a prepared data set; pixels come as views of memory-mapped files."""

    def __init__(self, folder: Path) -> None:
        if not (folder / INDEX).exists():
            raise UserError(f"{folder}: not prepared yet; run `dvc repro`")
        self.folder = folder
        self.dataset: Dataset = read_dataset(folder)
        index = read_json(folder / INDEX)
        self.dtype = np.dtype(index["dtype"])
        self.records = [Record(**entry) for entry in index["images"]]
        self.channels = self.records[0].channels

    def __len__(self) -> int:
        return len(self.records)

    @cached_property
    def position(self) -> dict[str, int]:
        """id → position of the image in the store."""
        return {record.id: index for index, record in enumerate(self.records)}

    def image(self, index: int) -> NDArray[Any]:
        """[height, width, channels] of the store's dtype."""
        record = self.records[index]
        shape = record.height, record.width, record.channels
        return self._view(self._images, record.image_at, shape, self.dtype)

    def mask(self, index: int) -> NDArray[np.uint8]:
        """uint8 [height, width] of class indices."""
        record = self.records[index]
        return self._view(self._masks, record.mask_at, (record.height, record.width), np.dtype(np.uint8))

    def release(self) -> None:
        """Give back the memory of what was read, if the files are large."""
        release(self._images)
        release(self._masks)

    @cached_property
    def _images(self) -> NDArray[np.uint8]:
        return np.memmap(self.folder / IMAGES, np.uint8, "r")

    @cached_property
    def _masks(self) -> NDArray[np.uint8]:
        return np.memmap(self.folder / MASKS, np.uint8, "r")

    @staticmethod
    def _view(content: NDArray[np.uint8], start: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        return content[start : start + size].view(dtype).reshape(shape)


def strips(height: int, width: int, pixels: int = STRIP) -> Iterator[slice]:
    """Rows from top to bottom, about so many pixels at a time."""
    step = max(1, pixels // max(width, 1))
    return (slice(top, min(top + step, height)) for top in range(0, height, step))


def release(pixels: NDArray[Any]) -> None:
    """Give back the memory of the pages of a memory map that were read; the next look reads them again.

    Only of large maps, and of nothing else: pages that were read stay until then, and all of them may not fit.
    """
    content: Any = pixels
    while content is not None and not isinstance(content, mmap.mmap):
        content = getattr(content, "base", None)
    if content is not None and len(content) > LARGE and hasattr(mmap, "MADV_DONTNEED"):
        content.madvise(mmap.MADV_DONTNEED)


def write_index(folder: Path, dtype: np.dtype[Any], records: Sequence[Record]) -> None:
    write_json(folder / INDEX, {"dtype": dtype.name, "images": [vars(record) for record in records]}, indent=None)
