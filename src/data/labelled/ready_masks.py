"""Read masks of a second annotator or of another program, in the classes of a data set's own masks."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from src.data.checks.findings import raise_errors
from src.data.labelled.folder import LabelledFolder
from src.data.labelled.ready_files import find_ready_files
from src.data.labelled.ready_numbers import ReadyNumbers
from src.data.labelled.ready_planes import PlaneSource, find_ready_planes
from src.data.labelled.ready_values import find_decoder
from src.data.reading.masks import read_stored_mask
from src.data.reading.orientation import orient_mask
from src.data.reading.stored_values import Labels, StoredValues
from src.data.reading.unreadable import Finding, Unreadable
from src.data.source.dataset import IGNORE, NAME, Dataset, read_dataset
from src.data.source.pairs import read_named
from src.data.store.pair_writer import MaskWriter, Stored
from src.data.store.prepare import MaskRemap, remap_masks
from src.data.store.store import MASKS, Record, Store, strips
from src.errors import UserError
from src.params import Masks
from src.progress import parallel_map, progress

THREADS = os.cpu_count() or 1
FILE, NUMBERS_FILE = "ready.bin", "ready-numbers.bin"
Files = TypeVar("Files")
Read = Callable[[Files, Record], Labels | Finding]


@dataclass(frozen=True)
class ReadyMasks:
    """Ready masks of some images of a store.

    Attributes:
        store: The store that holds the images.
        path: File of all masks, one after the other, as uint8 labels; IGNORE where a pixel is not decided.
        stored: Position of an image in the store → where its mask is in the file.
        numbers: The numbers of the objects, if the masks number them.
        ignores: Whether the masks may hold pixels to ignore.
        how: Sentences on how the masks were read.
        extra: Number of masks that belong to no image to score.
    """

    store: Store
    path: Path
    stored: dict[int, Stored]
    numbers: ReadyNumbers
    ignores: bool
    how: Sequence[str]
    extra: int

    def mask(self, index: int) -> NDArray[np.uint8]:
        """The mask of the image at a position in the store: uint8 [height, width] of labels."""
        record = self.store.records[index]
        start = self.stored[index].mask
        return self._pixels[start : start + record.height * record.width].reshape(record.height, record.width)

    @cached_property
    def _pixels(self) -> NDArray[np.uint8]:
        return np.memmap(self.path, np.uint8, "r")

    def notes(self) -> list[str]:
        """Sentences on how the masks were read, for the reader of the scores."""
        more = [f"{self.extra} predictions belong to no image that is scored"] if self.extra else []
        return [*self.how, *self.numbers.notes(), *more]


@dataclass(frozen=True)
class _Source:
    """A folder of ready masks, and how its files are read.

    Attributes:
        folder: The folder.
        described: Its dataset.yaml, or that of the data set if it names no classes.
        settings: The section data.masks.
        work: Folder for pixels.
    """

    folder: Path
    described: Dataset
    settings: Masks
    work: Path

    def name(self, path: Path) -> str:
        """The name of a file in messages."""
        return path.relative_to(self.folder.parent).as_posix()

    def read(self, path: Path, record: Record) -> Labels | Finding:
        """The mask of an image, or an error if it cannot be read or has another size than the image."""
        size = record.height, record.width
        remedy = f"write exif: shown, or exif: stored, into {self.folder / NAME}"

        def read() -> Labels:
            dataset = self.described
            stored = read_stored_mask(path, self.settings, dataset.coloured, dataset.ignored_value, self.work)
            return orient_mask(stored, record.orientation, size, dataset.exif or "auto", remedy)[0]

        try:
            labels = read_named(self.folder.parent, path, read)
        except Unreadable as error:
            return Finding(record.id, "error", str(error), error.setting)
        height, width = labels.codes.shape
        if (height, width) == size:
            return labels
        what = f"{self.name(path)} is {width} × {height} pixels, the image {record.width} × {record.height}"
        return Finding(record.id, "error", what, "save it in the size of the image")


@dataclass(frozen=True)
class _Copied:
    """Masks whose codes have been copied to a file.

    Attributes:
        values: Position of an image in the store → the stored values of its mask.
        stored: Position of an image in the store → where its mask is in the files.
        findings: An error for every mask that cannot be used.
    """

    values: dict[int, StoredValues] = field(default_factory=dict)
    stored: dict[int, Stored] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def read_ready_masks(folder: Path, labelled: LabelledFolder, settings: Masks, work: Path) -> ReadyMasks:
    """Read the mask of every image to score.

    Args:
        folder: Masks that are named as those of a data set, and optionally a dataset.yaml with `classes` or `exif`.
        labelled: The images to score.
        settings: The section data.masks.
        work: Folder for the pixels of the masks.

    Raises:
        UserError: An image has no mask, or a mask cannot be read, has another size than its image, or holds unknown
            values. The message lists all of them.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder of masks")
    folder = folder if folder.name else folder.resolve()
    own = _own_description(folder)
    exif = own.exif or _default_exif(labelled.store.dataset, settings)
    if labelled.store.dataset.overlap:
        return _read_planes(folder, own, labelled, settings.model_copy(update={"exif": exif or "auto"}), work)
    if own.overlap:
        raise UserError(f"{folder / NAME}: overlap: true, but the classes of the data set do not overlap; remove it")
    described = own if own.classes else labelled.store.dataset
    source = _Source(folder, described.model_copy(update={"exif": exif}), settings, work)
    return _read_values(source, own, labelled)


def _read_values(source: "_Source", own: Dataset, labelled: LabelledFolder) -> ReadyMasks:
    """Read masks with one value for each class."""
    folder, store = source.folder, labelled.store
    found = find_ready_files(folder, folder, labelled)
    copied = _copy(source.read, found.masks, store, source.work)
    values, stored = copied.values, copied.stored
    by_name = {source.name(found.masks[index]): one for index, one in values.items()}
    decoder, unknown = find_decoder(store.dataset, own, by_name, folder)
    unfit = _without_foreground(values, source.settings)
    _stop([*found.missing, *found.findings, *copied.findings, *unknown, *unfit], folder)
    sizes = {index: (store.records[index].height, store.records[index].width) for index in stored}
    path = source.work / FILE
    remap_masks(path, (MaskRemap(stored[index].mask, *sizes[index], decoder.lookup(values[index])) for index in stored))
    how = [*_pairing([found.rule.describe()]), *([decoder.note] if decoder.note else [])]
    numbers = ReadyNumbers(store, source.work / NUMBERS_FILE, stored)
    return ReadyMasks(store, path, stored, numbers, decoder.ignores, how, found.extra)


def _read_planes(folder: Path, own: Dataset, labelled: LabelledFolder, settings: Masks, work: Path) -> ReadyMasks:
    """Read the masks of overlapping classes."""
    store = labelled.store
    found = find_ready_planes(folder, labelled, own)
    source = PlaneSource(folder, found.classes, store.dataset.names, settings, work)
    copied = _copy(source.read, found.masks, store, work)
    _stop([*found.problems, *copied.findings], folder)
    ignores = found.classes.dataset.ignored_value is not None
    numbers = ReadyNumbers(store, work / NUMBERS_FILE, copied.stored)
    how = _pairing(found.rules)
    return ReadyMasks(store, work / FILE, copied.stored, numbers, ignores, how, found.extra)


def _stop(problems: Sequence[Finding], folder: Path) -> None:
    """Raise `UserError` if there are errors; warnings are left out."""
    raise_errors([problem for problem in problems if problem.severity == "error"], f"in the predictions, {folder}")


def _pairing(rules: Sequence[str]) -> list[str]:
    """A sentence for each naming rule; none where names are equal."""
    return [f"predictions paired by name: {words}" for words in rules if words]


def _own_description(folder: Path) -> Dataset:
    """dataset.yaml in the folder of the masks, or its defaults; `UserError` if it says nothing of the masks."""
    own = read_dataset(folder)
    if (folder / NAME).exists() and not own.classes and not own.exif and not own.missing:
        raise UserError(f"{folder / NAME}: names no classes; write the masks' values under classes, or remove the file")
    return own


def _default_exif(dataset: Dataset, settings: Masks) -> str | None:
    """How ready masks are oriented without a setting of their own: "shown" if the data set's masks are, else unknown.

    This project predicts masks in the orientation that viewers show. Other programs often use the stored orientation.
    Only "shown" is therefore taken over from the data set.
    """
    setting = dataset.exif if settings.exif == "auto" else settings.exif
    return "shown" if setting == "shown" else None


def _copy(read: Read[Files], masks: Mapping[int, Files], store: Store, work: Path) -> _Copied:
    """Copy all masks into files below `work`. `masks`: position of an image in the store → its file or files."""
    copied = _Copied()
    results = parallel_map(lambda index: read(masks[index], store.records[index]), masks, THREADS, 2 * THREADS)
    with MaskWriter(work / FILE, work / NUMBERS_FILE if store.numbered else None) as files:
        for index, result in zip(masks, progress(results, len(masks), "read predictions"), strict=True):
            if isinstance(result, Finding):
                copied.findings.append(result)
            else:
                copied.values[index], copied.stored[index] = result.values, files.append(result)
    return copied


def _without_foreground(masks: Mapping[int, StoredValues], settings: Masks) -> list[Finding]:
    """An error if data.masks.threshold makes no pixel of any mask foreground."""
    if not settings.threshold or not masks or any(values.pixels.get(1) for values in masks.values()):
        return []
    what = f"no prediction holds a value from data.masks.threshold on, {settings.threshold:g}"
    return [Finding("predictions", "error", what, "save them in the values of the masks", True)]


def ignore_undecided(store: Store, ready: ReadyMasks) -> int:
    """Ignore pixels in the store's masks that have no class in the ready masks.

    The pixel counts in the store's records do not change.

    Args:
        store: The store, whose masks are changed on disk.
        ready: The ready masks.

    Returns:
        The number of pixels that are newly ignored.
    """
    number = 0
    for index in ready.stored if ready.ignores else ():
        other, record = ready.mask(index), store.records[index]
        truth = np.memmap(store.folder / MASKS, np.uint8, "r+", record.mask_at, other.shape)
        for rows in strips(*truth.shape):
            undecided = (other[rows] == IGNORE) & (truth[rows] != IGNORE)
            truth[rows][undecided] = IGNORE
            number += int(undecided.sum())
    return number
