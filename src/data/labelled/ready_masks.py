"""Masks that are ready, of a second annotator or of another program, read in the classes of a data set's own masks."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.data.checks.findings import stop
from src.data.labelled.folder import Labelled
from src.data.labelled.ready_values import Decoder, decoder
from src.data.reading.masks import Labels, Values, read_stored
from src.data.reading.orientation import orient_mask
from src.data.reading.unreadable import Finding, Unreadable
from src.data.source.dataset import IGNORE, NAME, Dataset, read_dataset
from src.data.source.matching import Rule, find_rule, partners
from src.data.source.pairs import by_stem, named
from src.data.store.array_writer import ArrayWriter
from src.data.store.prepare import MaskRemap, remap_masks
from src.data.store.store import MASKS, Record, Store, strips
from src.errors import UserError
from src.params import Masks
from src.progress import ahead, progress

THREADS = os.cpu_count() or 1
FILE = "ready.bin"


@dataclass(frozen=True)
class Ready:
    """Ready masks of some images of a store.

    path: their class indices uint8, one mask after the other, IGNORE where it is undecided; starts: position in the
    store → the bytes before it; decoder: how they were read; rule: how they are named after the images; extra: how
    many more masks there are than images to score.
    """

    store: Store
    path: Path
    starts: dict[int, int]
    decoder: Decoder
    rule: Rule
    extra: int

    def mask(self, index: int) -> NDArray[np.uint8]:
        """uint8 [height, width] of class indices and IGNORE."""
        record = self.store.records[index]
        start = self.starts[index]
        return self._pixels[start : start + record.height * record.width].reshape(record.height, record.width)

    @cached_property
    def _pixels(self) -> NDArray[np.uint8]:
        return np.memmap(self.path, np.uint8, "r")

    def notes(self) -> list[str]:
        """What a reader of the scores should know of how the masks were read."""
        lines = [f"predictions paired by name: {words}"] if (words := self.rule.words()) else []
        lines += [self.decoder.note] if self.decoder.note else []
        return [*lines, f"{self.extra} more predictions are of no image to score"] if self.extra else lines


def read_ready(folder: Path, labelled: Labelled, settings: Masks, work: Path) -> Ready:
    """Read the mask of every image to score into the folder `work`.

    Args:
        folder: masks that are named as those of a data set are, and optionally a dataset.yaml with classes or exif.
        labelled: the images to score.
        settings: the section data.masks.
        work: a folder for the masks' pixels.

    Raises:
        UserError: an image has no mask, or a mask cannot be read, has another size than its image, or holds unknown
            values. The message lists all of them.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: is no folder of masks")
    folder = folder if folder.name else folder.resolve()
    store, own = labelled.store, _described(folder)
    files, findings, _ = by_stem(folder, folder, skip=False)
    rule = find_rule(labelled.known, files)
    masks, missing = _paths(folder, files, rule, labelled)
    described = own if own.classes else store.dataset
    described = described.model_copy(update={"exif": own.exif or _exif_of(store.dataset, settings)})
    values, starts, unread = _copied(folder, masks, store, described, settings, work)
    of_files = {_name(folder, masks[index]): held for index, held in values.items()}
    found, unknown = decoder(store.dataset, own, of_files, folder)
    problems = [f for f in (*missing, *findings, *unread, *unknown) if f.severity == "error"]
    stop([*problems, *_under_threshold(values, settings)], f"in the predictions, {folder}")
    sizes = {index: (store.records[index].height, store.records[index].width) for index in starts}
    remap_masks(work / FILE, (MaskRemap(starts[index], *sizes[index], found.lookup(values[index])) for index in starts))
    return Ready(store, work / FILE, starts, found, rule, len(files) - len(starts))


def _described(folder: Path) -> Dataset:
    """dataset.yaml in the folder of the masks, or its defaults; `UserError` if it has neither classes nor exif."""
    own = read_dataset(folder)
    if (folder / NAME).exists() and not own.classes and not own.exif:
        raise UserError(f"{folder / NAME}: names no classes; write the masks' values under classes, or remove the file")
    return own


def _exif_of(dataset: Dataset, settings: Masks) -> str | None:
    """How ready masks are drawn if nobody says so: as shown if the data set's own masks are, else unknown.

    Masks that this project predicts are drawn as shown, those of other programs often on the stored pixels. So what the
    data set says counts only if both agree.
    """
    setting = dataset.exif if settings.exif == "auto" else settings.exif
    return "shown" if setting == "shown" else None


def _copied(
    folder: Path, masks: Mapping[int, Path], store: Store, described: Dataset, settings: Masks, work: Path
) -> tuple[dict[int, Values], dict[int, int], list[Finding]]:
    """Copy the masks' codes one after the other to `work`: their values, where they begin, and what went wrong."""
    values, starts, findings = dict[int, Values](), dict[int, int](), list[Finding]()

    def one(index: int) -> Labels | Finding:
        return _read(folder, masks[index], store.records[index], described, settings, work)

    results = progress(ahead(one, masks, THREADS, 2 * THREADS), len(masks), "read predictions")
    with ArrayWriter(work / FILE) as file:
        for index, result in zip(masks, results, strict=True):
            if isinstance(result, Finding):
                findings.append(result)
            else:
                values[index], starts[index] = result.values, file.append(result.codes)
    return values, starts, findings


def _read(
    folder: Path, path: Path, record: Record, dataset: Dataset, settings: Masks, scratch: Path
) -> Labels | Finding:
    size = record.height, record.width
    remedy = f"write exif: shown, or exif: stored, into {folder / NAME}"

    def read() -> Labels:
        stored = read_stored(path, settings, dataset.coloured, dataset.ignored, scratch)
        codes, _ = orient_mask(stored, record.orientation, size, dataset.exif or "auto", remedy)
        return Labels(codes, stored.values)

    try:
        labels = named(folder.parent, path, read)
    except Unreadable as error:
        return Finding(record.id, "error", str(error), error.setting)
    height, width = labels.codes.shape
    if (height, width) == size:
        return labels
    what = f"{_name(folder, path)} is {width} × {height} pixels, the image {record.width} × {record.height}"
    return Finding(record.id, "error", what, "save it in the size of the image")


def _paths(
    folder: Path, files: Mapping[str, Path], rule: Rule, labelled: Labelled
) -> tuple[dict[int, Path], list[Finding]]:
    """Position in the store of an image to score → its mask; a finding for each that has none."""
    scored = {labelled.store.records[index].id: index for index in labelled.images.indices}
    images = {image: Path(image) for image in labelled.known}
    together, alone = partners(images, files, rule, folder.name, kind="prediction")
    setting = f"give every image one mask of its name in {folder}, or name the images to score with --only"
    missing = [
        replace(finding, file=image, setting=setting)
        for finding in alone
        if (image := finding.file.removeprefix("images/")) in scored and finding.file != image
    ]
    return {index: files[together[image]] for image, index in scored.items() if image in together}, missing


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder.parent).as_posix()


def _under_threshold(masks: Mapping[int, Values], settings: Masks) -> list[Finding]:
    """An error if no mask has a pixel that data.masks.threshold makes foreground."""
    if not settings.threshold or not masks or any(values.pixels.get(1) for values in masks.values()):
        return []
    what = f"no prediction holds a value from data.masks.threshold on, {settings.threshold:g}"
    return [Finding("predictions", "error", what, "save them in the values of the masks", True)]


def take_out_undecided(store: Store, ready: Ready) -> int:
    """Ignore in the store's own masks, too, what the ready ones leave undecided; how many pixels that takes out.

    The counts in the store's records stay what they were.
    """
    taken = 0
    for index in ready.starts if ready.decoder.ignores else ():
        other, record = ready.mask(index), store.records[index]
        truth = np.memmap(store.folder / MASKS, np.uint8, "r+", record.mask_at, other.shape)
        for rows in strips(*truth.shape):
            undecided = (other[rows] == IGNORE) & (truth[rows] != IGNORE)
            truth[rows][undecided] = IGNORE
            taken += int(undecided.sum())
    return taken
