"""A data set of many files to the store: read once by the gate, masks turned into class indices."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from src.data.checks.dataset_checks import CheckResult, check_dataset
from src.data.checks.pair_check import CheckedPair
from src.data.similarity.thumbnails import encode_thumbnail
from src.data.source.dataset import Dataset, write_dataset
from src.data.source.pairs import WHOLE_SET, View
from src.data.splits.groups import copy_tables
from src.data.store.array_writer import Appended
from src.data.store.store import IMAGES, MASKS, Record, Store, strips, write_index
from src.files import atomic
from src.params import Data

Stored = tuple[int, int, int, NDArray[np.uint8]]  # of a mask: the bytes before it, height, width, and a lookup [256]


def prepare(data: Data, prepared: Path, report: Callable[[CheckResult], None], view: View = WHOLE_SET) -> Store:
    """Read the data set at data.source, or what `view` wants of it, into the folder `prepared`.

    report: is shown what the gate found before anything else happens, and raises `UserError` to stop; then `prepared`
    is not written.
    """
    source = Path(data.source)
    with atomic(prepared) as folder:
        folder.mkdir()
        with Appended(folder / IMAGES) as images, Appended(folder / MASKS) as masks:
            gate = check_dataset(
                source, data, lambda image, codes: (images.append(image), masks.append(codes)), folder, view
            )
        report(gate)
        translate(folder / MASKS, _stored(gate))
        entries = list(gate.pairs.values())
        write_index(folder, np.dtype(entries[0].dtype), records_of(gate))
        dataset = gate.encoding.dataset
        write_dataset(folder, dataset)
        copy_tables(source, folder, dataset)
    return Store(prepared)


def records_of(gate: CheckResult) -> list[Record]:
    """What the store says of each image that can be used."""
    return [_record(gate, entry) for entry in gate.pairs.values()]


@dataclass(frozen=True)
class Checked:
    """A checked data set that is not stored: what a split needs of it."""

    folder: Path
    dataset: Dataset
    records: list[Record]


def described(gate: CheckResult) -> Checked:
    """What split will see of the data set that came through the checks."""
    return Checked(gate.source, gate.encoding.dataset, records_of(gate))


def _record(gate: CheckResult, entry: CheckedPair) -> Record:
    height, width, channels = entry.shape
    return Record(
        id=entry.id,
        twin=gate.twins.get(entry.id, ""),
        height=height,
        width=width,
        channels=channels,
        image_at=entry.offsets[0],
        mask_at=entry.offsets[1],
        pixels=gate.pixels(entry),
        mean=entry.mean,
        std=entry.std,
        thumbnail=encode_thumbnail(entry.thumbnail[0]),
        orientation=entry.orientation,
    )


def _stored(gate: CheckResult) -> Iterable[Stored]:
    """The masks whose codes are not their class indices."""
    for entry in gate.pairs.values():
        lookup = gate.encoding.lookup(entry.values)
        if any(lookup[code] != code for code in entry.values.codes.values()):
            height, width, _ = entry.shape
            yield entry.offsets[1], height, width, lookup


def translate(path: Path, masks: Iterable[Stored]) -> None:
    """Replace every byte of some masks by what its lookup has for it, in place, as codes by class indices."""
    with path.open("r+b") as file:
        for start, height, width, lookup in masks:
            for rows in strips(height, width):
                place, count = start + rows.start * width, (rows.stop - rows.start) * width
                file.seek(place)
                codes = np.frombuffer(file.read(count), np.uint8)
                file.seek(place)
                file.write(cv2.LUT(codes, lookup).data)
