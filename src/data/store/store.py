"""The prepared data set: two large files of pixels that are read by windows without decoding, and an index.

`images.bin` and `masks.bin` hold the pixels of all images one after the other, row by row. `index.json` says where each
image starts. All images are of one number type: uint8, uint16 or float32. Masks are uint8 labels: class indices, or
sets of overlapping classes (src/data/classes/label_format.py), with IGNORE for pixels that count nowhere. If the masks
number their objects (data.masks.read: instances), `numbers.bin` holds the number of the object of each pixel.
"""

import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from src.data.source.dataset import Dataset, read_dataset
from src.data.store.numbers import Numbers, numbers_at
from src.errors import UserError
from src.files import read_json, write_json

IMAGES, MASKS, NUMBERS, INDEX = "images.bin", "masks.bin", "numbers.bin", "index.json"

STRIP = 2**22  # pixels of a large image that are processed together
LARGE = 2**28  # bytes of a memory map from which its pages are given back after use

Number = np.uint8 | np.uint16 | np.float32  # the number types of images
Pixels = NDArray[Number]
DtypeName = Literal["uint8", "uint16", "float32"]


@dataclass(frozen=True)
class Record:
    """One image of the store.

    Attributes:
        id: The name of the image, see src/data/source/pairs.py.
        twin: The id of the first of the images that are equal or nearly equal to this one; "" if there is none.
        height: Height in pixels.
        width: Width in pixels.
        channels: Number of channels.
        image_at: The byte of images.bin at which the image starts.
        mask_at: The byte of masks.bin at which its mask starts.
        pixels: The number of pixels of each class in the mask.
        mean: For each channel, the mean scaled intensity of the pixels that count, see src/data/crops/normalise.py.
        std: For each channel, the standard deviation of the same intensities.
        thumbnail: A small grey picture as text, see src/data/similarity/thumbnails.py; "" if there is none.
        orientation: The EXIF orientation, 1 to 8, of the image file. The stored pixels are turned by it.
        counted: The number of pixels that count, if classes overlap; None if it is the sum of `pixels`.
        numbers_at: For each class, the byte of numbers.bin at which the numbers of its objects start, or -1 if it has
            no numbers in this mask. None if no class has numbers in any mask.
        objects: For each class, how many of its objects the mask numbers. None where `numbers_at` is.
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
    counted: int | None = None
    numbers_at: list[int] | None = None
    objects: list[int] | None = None

    @property
    def counted_pixels(self) -> int:
        """The number of pixels that count: all but ignored ones."""
        return sum(self.pixels) if self.counted is None else self.counted


class DatasetIndex(Protocol):
    """The attributes of a data set that a split needs. A `Store` and a `CheckedDataset` have them."""

    @property
    def folder(self) -> Path:
        """The folder of the tables and the official lists."""
        ...

    @property
    def dataset(self) -> Dataset:
        """The description of the data set."""
        ...

    @property
    def records(self) -> list[Record]:
        """One record for each image."""
        ...


class Store:
    """Read access to a prepared data set. Pixels are views of memory-mapped files.

    Attributes:
        folder: The folder of the store.
        dataset: The description of the data set.
        dtype: The number type of the images.
        dtype_name: Its name.
        records: One record for each image.
        channels: The number of channels of the images.
    """

    def __init__(self, folder: Path) -> None:
        """Read the index of the store in `folder`; `UserError` if there is none."""
        if not (folder / INDEX).exists():
            raise UserError(f"{folder}: not prepared yet; run `dvc repro`")
        self.folder = folder
        self.dataset: Dataset = read_dataset(folder)
        index = read_json(folder / INDEX)
        self.dtype_name: DtypeName = index["dtype"]
        self.dtype: np.dtype[Number] = np.dtype(self.dtype_name)
        self.records = [Record(**entry) for entry in index["images"]]
        self.channels = self.records[0].channels

    def __len__(self) -> int:
        return len(self.records)

    @cached_property
    def position(self) -> dict[str, int]:
        """id → position of the image in the store."""
        return {record.id: index for index, record in enumerate(self.records)}

    def image(self, index: int) -> Pixels:
        """Return the image at a position: [height, width, channels] of the store's dtype."""
        record = self.records[index]
        shape = record.height, record.width, record.channels
        size = record.height * record.width * record.channels * self.dtype.itemsize
        return self._images[record.image_at : record.image_at + size].view(self.dtype).reshape(shape)

    def mask(self, index: int) -> NDArray[np.uint8]:
        """Return the mask at a position: uint8 [height, width] of labels, see `LabelFormat`."""
        record = self.records[index]
        size = record.height * record.width
        return self._masks[record.mask_at : record.mask_at + size].reshape(record.height, record.width)

    @cached_property
    def numbered(self) -> list[int]:
        """The indices of the classes whose objects are numbered."""
        return np.flatnonzero(np.any([np.array(r.numbers_at or [-1]) >= 0 for r in self.records], axis=0)).tolist()

    def numbers(self, index: int) -> dict[int, Numbers]:
        """Return the numbers of the objects in the mask at a position.

        Returns:
            Index of each class in `numbered` → [height, width] of numbers from 1, without gaps; 0 for no object.
        """
        return {label: self._numbers_of(self.records[index], label) for label in self.numbered}

    def _numbers_of(self, record: Record, label: int) -> Numbers:
        starts, objects = record.numbers_at or [], record.objects or []
        return numbers_at(self._numbers, (record.height, record.width), starts[label], objects[label])

    def release(self) -> None:
        """Give back the memory of the pages that were read, if the files are large."""
        release(self._images)
        release(self._masks)
        if self.numbered:
            release(self._numbers)

    @cached_property
    def _images(self) -> NDArray[np.uint8]:
        return np.memmap(self.folder / IMAGES, np.uint8, "r")

    @cached_property
    def _masks(self) -> NDArray[np.uint8]:
        return np.memmap(self.folder / MASKS, np.uint8, "r")

    @cached_property
    def _numbers(self) -> NDArray[np.uint8]:
        return np.memmap(self.folder / NUMBERS, np.uint8, "r")


def strips(height: int, width: int, pixels: int = STRIP) -> Iterator[slice]:
    """Cut an image into strips of whole rows, from top to bottom.

    Args:
        height: Height of the image in pixels.
        width: Width of the image in pixels.
        pixels: Size of a strip. A strip has at least one row.

    Returns:
        The rows of each strip; none for an image without rows.
    """
    step = max(1, pixels // max(width, 1))
    return (slice(top, min(top + step, height)) for top in range(0, height, step))


def release(pixels: NDArray[np.generic]) -> None:
    """Give back the memory of the pages of a large memory map; they are read again when they are used again.

    Pages that were read stay in memory until then, and not all of them may fit. Does nothing for smaller maps and for
    arrays that are no maps.
    """
    content: object = pixels
    while content is not None and not isinstance(content, mmap.mmap):
        content = getattr(content, "base", None)
    if content is not None and len(content) > LARGE and hasattr(mmap, "MADV_DONTNEED"):
        content.madvise(mmap.MADV_DONTNEED)


def write_index(folder: Path, dtype: np.dtype[Number], records: Sequence[Record]) -> None:
    """Write index.json.

    Args:
        folder: The folder of the store.
        dtype: The number type of the images.
        records: One record for each image.
    """
    entries = [{key: value for key, value in vars(record).items() if value is not None} for record in records]
    write_json(folder / INDEX, {"dtype": dtype.name, "images": entries}, indent=None)
