"""A data set of many files to the store: read once by the gate, masks turned into class indices."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from src.data.dataset import read_dataset, read_lists, write_dataset
from src.data.entry import Entry
from src.data.gate import Gate, examine
from src.data.groups import copy_tables
from src.data.store import IMAGES, MASKS, Record, Store, release, strips, write_index
from src.files import atomic
from src.params import Data

ALIGNED = 16  # bytes: where an image begins, so that any number type can be read in place


def prepare(data: Data, prepared: Path, report: Callable[[Gate], None]) -> Store:
    """Read the data set at data.source into the folder `prepared`.

    report: is shown what the gate found before anything else happens, and raises `UserError` to stop; then `prepared`
    is not written.
    """
    source = Path(data.source)
    read_lists(source, read_dataset(source))  # a missing one is named before any work
    with atomic(prepared) as folder:
        folder.mkdir()
        images, masks = _Appended(folder / IMAGES), _Appended(folder / MASKS)
        with images.file, masks.file:
            gate = examine(source, data, lambda image, codes: (images.append(image), masks.append(codes)), folder)
        report(gate)
        _translate(folder / MASKS, gate)
        entries = list(gate.entries.values())
        write_index(folder, np.dtype(entries[0].dtype), [_record(gate, entry) for entry in entries])
        dataset = gate.encoding.dataset
        write_dataset(folder, dataset)
        copy_tables(source, folder, dataset)
    return Store(prepared)


class _Appended:
    """A file of pixels, one array after the other."""

    def __init__(self, path: Path) -> None:
        self.file, self.size = path.open("wb", buffering=0), 0

    def append(self, pixels: NDArray[Any]) -> int:
        """Write the pixels at the end; where they begin."""
        start = self.size + -self.size % ALIGNED
        self._write(bytes(start - self.size))
        for rows in strips(*pixels.shape[:2]):
            self._write(np.ascontiguousarray(pixels[rows]).data.cast("B"))
            release(pixels)
        return start

    def _write(self, content: bytes | memoryview) -> None:
        left = memoryview(content)
        while left:  # one call may take a part of it: Linux 2 GiB, a disk that fills up what is left
            written = self.file.write(left)
            left, self.size = left[written:], self.size + written


def _record(gate: Gate, entry: Entry) -> Record:
    height, width, channels = entry.shape
    return Record(
        id=entry.id,
        twin=gate.twins.get(entry.id, ""),
        height=height,
        width=width,
        channels=channels,
        image_at=entry.at[0],
        mask_at=entry.at[1],
        pixels=gate.pixels(entry),
        mean=entry.mean,
        std=entry.std,
    )


def _translate(path: Path, gate: Gate) -> None:
    """Replace the code of every mask's pixel by its class index, in place."""
    with path.open("r+b", buffering=0) as file:
        for entry in gate.entries.values():
            lookup = gate.encoding.lookup(entry.values)
            height, width, _ = entry.shape
            for rows in strips(height, width):
                place, count = entry.at[1] + rows.start * width, (rows.stop - rows.start) * width
                file.seek(place)
                codes = np.frombuffer(file.read(count), np.uint8)
                file.seek(place)
                file.write(cv2.LUT(codes, lookup).data)
