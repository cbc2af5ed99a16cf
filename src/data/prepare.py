"""A data set of many files to the store: read once by the gate, masks turned into class indices."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from src.data.appended import Appended
from src.data.dataset import write_dataset
from src.data.entry import Entry
from src.data.gate import Gate, examine
from src.data.groups import copy_tables
from src.data.store import IMAGES, MASKS, Record, Store, strips, write_index
from src.files import atomic
from src.params import Data


def prepare(data: Data, prepared: Path, report: Callable[[Gate], None]) -> Store:
    """Read the data set at data.source into the folder `prepared`.

    report: is shown what the gate found before anything else happens, and raises `UserError` to stop; then `prepared`
    is not written.
    """
    source = Path(data.source)
    with atomic(prepared) as folder:
        folder.mkdir()
        with Appended(folder / IMAGES) as images, Appended(folder / MASKS) as masks:
            gate = examine(source, data, lambda image, codes: (images.append(image), masks.append(codes)), folder)
        report(gate)
        _translate(folder / MASKS, gate)
        entries = list(gate.entries.values())
        write_index(folder, np.dtype(entries[0].dtype), [_record(gate, entry) for entry in entries])
        dataset = gate.encoding.dataset
        write_dataset(folder, dataset)
        copy_tables(source, folder, dataset)
    return Store(prepared)


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
    """Replace the code of every mask's pixel by its class index, in place, where they differ."""
    with path.open("r+b") as file:
        for entry in gate.entries.values():
            lookup = gate.encoding.lookup(entry.values)
            if all(lookup[code] == code for code in entry.values.code.values()):
                continue
            height, width, _ = entry.shape
            for rows in strips(height, width):
                place, count = entry.at[1] + rows.start * width, (rows.stop - rows.start) * width
                file.seek(place)
                codes = np.frombuffer(file.read(count), np.uint8)
                file.seek(place)
                file.write(cv2.LUT(codes, lookup).data)
