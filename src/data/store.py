"""The prepared data set: three large files that are read by windows, without decoding.

`images.bin` and `masks.bin` hold the pixels of all images one after the other, uint8, row by row; `index.json` says
where each begins. Masks hold class indices, and IGNORE where nothing counts.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.data.dataset import Dataset, read_dataset
from src.errors import UserError
from src.files import read_json, write_json

IMAGES, MASKS, INDEX = "images.bin", "masks.bin", "index.json"


@dataclass(frozen=True)
class Record:
    """One image of the store.

    id: the path below images/ without its extension.
    height, width, channels: its own size.
    offset: pixels of all images before it.
    pixels: how many pixels of each class its mask holds.
    mean, std: of the square roots of the intensities 0 … 255, for each channel (see normalise.py).
    twin: id of the first image of its cluster of identical or nearly identical images, "" if it has none.
    """

    id: str
    height: int
    width: int
    channels: int
    offset: int
    pixels: list[int]
    mean: list[float]
    std: list[float]
    twin: str = ""


class Store:
    """Read access to a prepared data set; pixels come as views of memory-mapped files."""

    def __init__(self, folder: Path) -> None:
        if not (folder / INDEX).exists():
            raise UserError(f"{folder}: not prepared yet; run `dvc repro`")
        self.folder = folder
        self.dataset: Dataset = read_dataset(folder)
        self.records = [Record(**entry) for entry in read_json(folder / INDEX)["images"]]
        self.channels = self.records[0].channels

    def __len__(self) -> int:
        return len(self.records)

    @cached_property
    def position(self) -> dict[str, int]:
        """id → position of the image in the store."""
        return {record.id: index for index, record in enumerate(self.records)}

    def image(self, index: int) -> NDArray[np.uint8]:
        """uint8 [height, width, channels]."""
        record = self.records[index]
        return self._view(self._images, record.offset * record.channels, (record.height, record.width, record.channels))

    def mask(self, index: int) -> NDArray[np.uint8]:
        """uint8 [height, width] of class indices."""
        record = self.records[index]
        return self._view(self._masks, record.offset, (record.height, record.width))

    @cached_property
    def _images(self) -> NDArray[np.uint8]:
        return np.memmap(self.folder / IMAGES, np.uint8, "r")

    @cached_property
    def _masks(self) -> NDArray[np.uint8]:
        return np.memmap(self.folder / MASKS, np.uint8, "r")

    @staticmethod
    def _view(pixels: NDArray[np.uint8], start: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        return pixels[start : start + int(np.prod(shape, dtype=np.int64))].reshape(shape)


def write_index(folder: Path, records: Sequence[Record]) -> None:
    write_json(folder / INDEX, {"images": [asdict(record) for record in records]}, indent=None)
