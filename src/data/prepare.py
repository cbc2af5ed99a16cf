"""A data set of many files to the store: read once, checked, masks turned into class indices."""

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.data.dataset import NAME, Dataset, read_dataset, read_lists, write_dataset
from src.data.encoding import class_lookup, resolve
from src.data.groups import copy_tables, groups_of
from src.data.images import Unreadable
from src.data.normalise import root_moments
from src.data.package import package_pairs
from src.data.pairs import Finding, Pair, folder_pairs
from src.data.store import IMAGES, MASKS, Record, Store, write_index
from src.errors import UserError, listing
from src.files import atomic, write_csv
from src.progress import progress

READ_AHEAD = 2 * (os.cpu_count() or 1)  # pairs decoded at a time: bounds the memory, whatever their number
CHUNK = 2**24  # bytes of masks translated at a time

Read = tuple[Pair, NDArray[np.uint8], NDArray[np.uint8]]


def prepare(source: Path, prepared: Path, checks: Path) -> Store:
    """Read the data set at `source` into the folder `prepared`, and every finding into the table `checks`.

    `UserError` lists every file that stands in the way; then `prepared` is not written.
    """
    if source.joinpath(NAME).with_suffix(".yml").exists():
        raise UserError(f"{source / NAME}: has to be called that, not .yml")
    dataset = read_dataset(source)
    read_lists(source, dataset)  # a missing one is named before any work
    pairs, findings = (package_pairs(dataset.package), []) if dataset.package else folder_pairs(source)
    groups_of(source, dataset.group, [pair.id for pair in pairs])  # refuses names without a group before any work
    with atomic(prepared) as folder:
        folder.mkdir()
        records, values = _copy(pairs, folder, dataset, findings)
        findings += _odd_channels(records)
        if records:
            dataset, more = resolve(dataset, {record.id: value for record, value in zip(records, values, strict=True)})
            findings += more
        findings.sort(key=lambda finding: (finding.severity, finding.file))
        write_csv(checks, (vars(finding) for finding in findings), ["severity", "file", "what", "remedy"])
        _stop_on_errors(findings, checks)
        if not records:
            raise UserError(f"{source}: no pair of image and mask found")
        _translate(folder / MASKS, class_lookup(dataset))
        for record, value in zip(records, values, strict=True):
            record.pixels.extend(int(value[stored]) for stored in dataset.classes)
        write_index(folder, records)
        write_dataset(folder, dataset)
        copy_tables(source, folder, dataset)
    return Store(prepared)


def _copy(
    pairs: list[Pair], folder: Path, dataset: Dataset, findings: list[Finding]
) -> tuple[list[Record], list[NDArray[np.int64]]]:
    """Append every readable pair to the two files of the store; return the records and the masks' value histograms."""
    records, values, offset = [], [], 0
    with (folder / IMAGES).open("wb") as images, (folder / MASKS).open("wb") as masks:
        for pair, image, mask in progress(_read_all(pairs, findings), len(pairs), "prepare"):
            mean, std = root_moments(image, mask != (-1 if dataset.ignore is None else dataset.ignore))
            if image.min() == image.max():
                findings.append(Finding(pair.id, "warning", "the image is of one colour", "remove it if it is damaged"))
            histogram = np.bincount(mask.ravel(), minlength=256)
            if np.count_nonzero(histogram) == 1:
                what = f"the mask holds a single value, {int(mask.flat[0])}"
                findings.append(Finding(pair.id, "warning", what, "check that it is meant"))
            images.write(image.tobytes())
            masks.write(mask.tobytes())
            height, width, channels = image.shape
            records.append(Record(pair.id, height, width, channels, offset, [], mean, std))
            values.append(histogram)
            offset += mask.size
    return records, values


def _read_all(pairs: list[Pair], findings: list[Finding]) -> Iterator[Read]:
    """Decode on all cores, in order; a pair that cannot be read becomes a finding."""

    def read(pair: Pair) -> Read | Finding:
        try:
            return pair, *pair.read()
        except (Unreadable, OSError) as error:
            return Finding(pair.id, "error", str(error), getattr(error, "remedy", "check the file"))

    waiting = iter(pairs)
    with ThreadPoolExecutor() as pool:
        while batch := list(islice(waiting, READ_AHEAD)):
            for result in pool.map(read, batch):
                if isinstance(result, Finding):
                    findings.append(result)
                else:
                    yield result


def _odd_channels(records: list[Record]) -> list[Finding]:
    """An error for every image whose number of channels is not that of the most."""
    if not records:
        return []
    usual, _ = Counter(record.channels for record in records).most_common(1)[0]
    return [
        Finding(record.id, "error", f"the image has {record.channels} channel(s), most have {usual}", "convert it")
        for record in records
        if record.channels != usual
    ]


def _stop_on_errors(findings: list[Finding], checks: Path) -> None:
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        lines = listing(f"{error.file!r}: {error.what} → {error.remedy}" for error in errors)
        raise UserError(f"{len(errors)} problem(s) in the data set, all of them in {checks}\n{lines}")


def _translate(path: Path, lookup: NDArray[np.uint8]) -> None:
    """Replace every stored mask value by its class index, in place."""
    masks = np.memmap(path, np.uint8, "r+")
    for start in range(0, masks.size, CHUNK):
        masks[start : start + CHUNK] = lookup[masks[start : start + CHUNK]]
    masks.flush()
