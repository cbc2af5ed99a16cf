"""A data set of many files to the store: read once by the gate, masks turned into class indices."""

from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from src.data.dataset import read_dataset, read_lists, write_dataset
from src.data.gate import Entry, Gate, examine
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
        with (folder / IMAGES).open("wb") as images, (folder / MASKS).open("wb") as masks:
            gate = examine(source, data, lambda image, codes: (_append(images, image), _append(masks, codes)), folder)
        report(gate)
        _translate(folder / MASKS, gate)
        entries = list(gate.entries.values())
        write_index(folder, np.dtype(entries[0].dtype), [_record(gate, entry) for entry in entries])
        dataset = gate.encoding.dataset
        write_dataset(folder, dataset)
        copy_tables(source, folder, dataset)
    return Store(prepared)


def _append(file: IO[bytes], pixels: NDArray[Any]) -> int:
    """Write the pixels at the end of the file; where they begin."""
    file.write(b"\0" * (-file.tell() % ALIGNED))
    start = file.tell()
    for rows in strips(*pixels.shape[:2]):
        file.write(np.ascontiguousarray(pixels[rows]).data)
        release(pixels)
    return start


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
    masks = np.memmap(path, np.uint8, "r+")
    for entry in gate.entries.values():
        lookup = gate.encoding.lookup(entry.values)
        height, width, _ = entry.shape
        mask = masks[entry.at[1] : entry.at[1] + height * width].reshape(height, width)
        for rows in strips(height, width):
            mask[rows] = cv2.LUT(mask[rows], lookup)
        release(masks)
