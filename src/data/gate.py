"""The gate: every pair is read once and checked, alone and against the others, before anything is trained on it."""

import os
import zlib
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from src.data.dataset import NAME, Dataset, number, read_dataset
from src.data.duplicates import fingerprint
from src.data.encoding import Encoding, resolve
from src.data.groups import groups_of
from src.data.masks import Labels, Values
from src.data.matching import Rule
from src.data.normalise import moments
from src.data.package import package_pairs
from src.data.pairs import Finding, Pair, folder_pairs
from src.data.resize import averaged, nearest
from src.data.store import release, strips
from src.data.twins import find_twins
from src.data.unreadable import Unreadable
from src.errors import UserError
from src.params import Data
from src.progress import ahead, progress

THREADS = os.cpu_count() or 1
PREVIEWS = 48  # pairs on the contact sheet, spread over the whole set
SIDE = 192  # pixels of a preview's longer side
LARGEST = 1e18  # of floats: the square of a larger one is more than float32 holds
Pixels = NDArray[Any]
Sink = Callable[[Pixels, NDArray[np.uint8]], tuple[int, int]]  # image, codes → where they begin in the store


@dataclass(frozen=True)
class Entry:
    """What is kept of a pair when its pixels are gone.

    mean, std: see normalise.py; checksums: CRC-32 of the pixels of image and mask; at: where both begin in the store;
    fingerprint: see duplicates.py; preview: image and codes, thinned out; findings: what is odd about it alone.
    """

    id: str
    shape: tuple[int, ...]
    dtype: str
    values: Values
    mean: list[float]
    std: list[float]
    checksums: tuple[int, int]
    fingerprint: NDArray[np.float16]
    preview: tuple[Pixels, NDArray[np.uint8]] | None
    findings: list[Finding]
    at: tuple[int, int] = (0, 0)

    @property
    def picture(self) -> Hashable:
        """Equal for equal pixels, and for others only by an accident that CRC-32, means and deviations all share."""
        return self.shape, self.dtype, self.checksums[0], tuple(self.mean), tuple(self.std)


@dataclass(frozen=True)
class Gate:
    """What came through, and what was found.

    entries: the pairs that can be used, by id; encoding: how their masks are read; twins: id → the first of the images
    that are the same or nearly so; naming: how masks are named after images, "" if alike.
    """

    source: Path
    entries: dict[str, Entry]
    encoding: Encoding
    findings: list[Finding]
    twins: dict[str, str] = field(default_factory=dict)
    naming: str = ""

    @property
    def errors(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity == "error"]

    def pixels(self, entry: Entry) -> list[int]:
        """How many pixels of each class the entry's mask holds."""
        counts = dict.fromkeys(self.encoding.dataset.codes, 0)
        for stored, count in entry.values.pixels.items():
            value = self.encoding.value(stored, entry.values.kind)
            if value in counts:
                counts[value] += count
        return list(counts.values())


def examine(source: Path, data: Data, sink: Sink, scratch: Path | None = None) -> Gate:
    """Read and check every pair of the data set at `source`, handing its pixels to `sink` in the order of the ids.

    scratch: a folder for pixels that are too large for memory. `UserError` if there is no data set at all; whatever is
    wrong with its files is in the findings, by severity and file.
    """
    dataset = _described(source, data)
    ignore = None if dataset.ignore is None else number(dataset.ignore)
    if dataset.package:
        pairs, findings, rule = package_pairs(dataset.package), list[Finding](), Rule()
    else:
        pairs, findings, rule = folder_pairs(source, data, dataset.coloured, ignore)
    groups_of(source, dataset.group, [pair.id for pair in pairs])  # names without a group are refused before any work
    shown = {pairs[index].id for index in np.linspace(0, len(pairs) - 1, PREVIEWS).round().astype(int)} if pairs else {}
    entries: dict[str, Entry] = {}

    def read(pair: Pair) -> tuple[Pixels, Labels, Entry] | Finding:
        try:
            image, labels = pair.read(scratch)
            return image, labels, _entry(pair.id, image, labels, ignore, pair.id in shown)
        except Unreadable as error:
            return Finding(pair.id, "error", str(error), error.setting)
        except MemoryError:
            return Finding(pair.id, "error", "does not fit into memory", "cut it, or save it as TIFF in tiles")

    for result in progress(ahead(read, pairs, THREADS, 2 * THREADS), len(pairs), "read"):
        if isinstance(result, Finding):
            findings.append(result)
        else:
            image, labels, entry = result
            entries[entry.id] = replace(entry, at=sink(image, labels.codes))
            findings += entry.findings
    return _judged(Gate(source, entries, Encoding(dataset, "in grey", 1), findings, naming=rule.words()), data)


def _described(source: Path, data: Data) -> Dataset:
    """dataset.yaml, where it goes together with params.yaml."""
    if source.joinpath(NAME).with_suffix(".yml").exists():
        raise UserError(f"{source / NAME}: has to be called that, not .yml")
    dataset = read_dataset(source)
    if data.masks.threshold and dataset.ignore is not None:
        raise UserError(
            f"data.masks.threshold leaves no value to ignore: remove ignore from {source / NAME}, or set it to 0"
        )
    made = "threshold" if data.masks.threshold else "read: instances" if data.masks.read == "instances" else ""
    if made and dataset.classes and set(dataset.codes) != {0, 1}:
        raise UserError(
            f"data.masks.{made} makes 0 and 1 of all values: name these under classes in {source / NAME}, or none"
        )
    return dataset


def _judged(gate: Gate, data: Data) -> Gate:
    """The gate after what only all pairs together tell; with data.on_error: skip without the bad ones."""
    odd = _odd(gate.entries, data)
    entries, findings = _without(gate.entries, odd), gate.findings + odd  # the gate's own are of files, not of entries
    encoding = gate.encoding
    if entries:
        encoding, more = resolve(encoding.dataset, {name: entry.values for name, entry in entries.items()})
        findings, entries = findings + more, _without(entries, more)
    twins, more = find_twins(list(entries.values()))
    findings += more
    if data.on_error == "skip":
        findings = [replace(f, severity="skipped") if f.severity == "error" and not f.whole else f for f in findings]
    if not entries and not any(finding.severity == "error" for finding in findings):
        what = "no pair of image and mask is left" if findings else "no pair of image and mask found"
        findings.append(Finding(str(gate.source), "error", what, "see the other findings, or check data.source", True))
    findings.sort(key=lambda finding: (finding.severity, finding.file))
    return replace(gate, entries=entries, encoding=encoding, findings=findings, twins=twins)


def _without(entries: Mapping[str, Entry], findings: list[Finding]) -> dict[str, Entry]:
    bad = {finding.file for finding in findings if finding.severity == "error"}
    return {name: entry for name, entry in entries.items() if name not in bad}


def _odd(entries: Mapping[str, Entry], data: Data) -> list[Finding]:
    """An error for every image whose channels, or number type, are not those of the most."""
    findings = []
    facts: dict[str, Callable[[Entry], Any]] = {
        "channel(s)": lambda entry: entry.shape[2],
        "as number type": lambda entry: entry.dtype,
    }
    for words, fact in facts.items():
        kinds = [fact(entry) for entry in entries.values()]
        usual = max(set(kinds), key=lambda kind: (kinds.count(kind), str(kind)), default=None)
        setting = f"data.channels: {usual}, or convert it" if words == "channel(s)" else "convert it"
        for name, kind in zip(entries, kinds, strict=True):
            if kind != usual:
                what = f"the image has {kind} {words}, most have {usual}"
                findings.append(Finding(name, "error", what, f"{setting}, or data.on_error: skip"))
    return findings


def _entry(name: str, image: Pixels, labels: Labels, ignore: int | None, shown: bool) -> Entry:
    """Everything that one pair tells; runs on all cores, so it changes nothing. Raises `Unreadable`."""
    code = labels.values.code.get(ignore) if ignore is not None else None
    findings = []
    if image.dtype == np.float32 and not all((abs(image[rows]) < LARGEST).all() for rows in strips(*image.shape[:2])):
        what = "the image holds NaN, infinite or absurdly large values, perhaps where there is no data"
        raise Unreadable(what, "replace them, or data.on_error: skip")
    if (image[::16, ::16] == image[0, 0]).all() and (image == image[0, 0]).all():
        findings.append(Finding(name, "warning", "the image is of one colour", "remove it if it is damaged"))
    if len(labels.values.pixels) == 1:
        what = f"the mask holds a single value, {next(iter(labels.values.pixels))}"
        findings.append(Finding(name, "warning", what, "check that it is meant"))
    release(image)
    mean, std = moments(image, None if code is None else labels.codes != code)
    entry = Entry(
        id=name,
        shape=image.shape,
        dtype=image.dtype.name,
        values=labels.values,
        mean=mean,
        std=std,
        checksums=(_checksum(image), _checksum(labels.codes)),
        fingerprint=fingerprint(image),
        preview=_preview(image, labels.codes) if shown else None,
        findings=findings,
    )
    release(image)
    release(labels.codes)
    return entry


def _checksum(pixels: Pixels) -> int:
    """CRC-32 of the pixels, strip by strip."""
    checksum = 0
    for rows in strips(*pixels.shape[:2]):
        checksum = zlib.crc32(np.ascontiguousarray(pixels[rows]).data, checksum)
        release(pixels)
    return checksum


def _preview(image: Pixels, codes: NDArray[np.uint8]) -> tuple[Pixels, NDArray[np.uint8]]:
    step = max(1, max(codes.shape) // (4 * SIDE))  # thinned out before the averaging, or a large image would take long
    image, codes = np.ascontiguousarray(image[::step, ::step]), np.ascontiguousarray(codes[::step, ::step])
    scale = min(1.0, SIDE / max(codes.shape))
    size = max(1, round(codes.shape[1] * scale)), max(1, round(codes.shape[0] * scale))
    return averaged(image, *size), nearest(codes, *size)
