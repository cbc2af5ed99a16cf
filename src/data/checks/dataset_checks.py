"""The gate: every pair is read once and checked, alone and against the others, before anything is trained on it."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from src.data.checks.class_checks import class_warnings, palette_warnings, photometric_warnings
from src.data.checks.mask_encoding import Encoding, resolve_encoding
from src.data.checks.pair_check import CheckedPair, Pixels, check_pair
from src.data.checks.set_checks import set_findings, swapped_mask_warnings
from src.data.reading.unreadable import Finding, Unreadable
from src.data.similarity.near_duplicates import find_near_duplicates
from src.data.source.dataset import NAME, Dataset, read_dataset, read_lists
from src.data.source.matching import NamingRule
from src.data.source.package import package_pairs
from src.data.source.pairs import WHOLE_SET, Content, Pair, View, folder_pairs
from src.data.splits.groups import groups_of
from src.errors import UserError
from src.params import Data
from src.progress import parallel_map, progress

THREADS = os.cpu_count() or 1
LABELMAP = "labelmap.txt"  # in exports of CVAT: the colour of each class
PREVIEWS = 48  # pairs on the contact sheet, spread over the whole set
Sink = Callable[[Pixels, NDArray[np.uint8]], tuple[int, int]]  # image, codes → where they begin in the store


@dataclass(frozen=True)
class CheckResult:
    """What came through, and what was found.

    entries: the pairs that can be used, by id; encoding: how their masks are read; twins: id → the first of the images
    that are the same or nearly so; naming: how masks are named after images, "" if alike.
    """

    source: Path
    pairs: dict[str, CheckedPair]
    encoding: Encoding
    findings: list[Finding]
    twins: dict[str, str] = field(default_factory=dict)
    naming: str = ""

    @property
    def errors(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity == "error"]

    def pixels(self, entry: CheckedPair) -> list[int]:
        """How many pixels of each class the entry's mask holds."""
        counts = dict.fromkeys(self.encoding.dataset.stored_values, 0)
        for stored, count in entry.values.pixels.items():
            value = self.encoding.common_value(stored, entry.values.kind)
            if value in counts:
                counts[value] += count
        return list(counts.values())


def check_dataset(
    source: Path, data: Data, sink: Sink, scratch: Path | None = None, view: View = WHOLE_SET
) -> CheckResult:
    """Read and check every pair of the data set at `source`, handing its pixels to `sink` in the order of the ids.

    scratch: a folder for pixels that are too large for memory. view: even if it wants a few pairs, all are read where
    the classes are worked out from the masks, as a few might not hold all classes. `UserError` if there is no data set
    at all; whatever is wrong with its files is in the findings, by severity and file.
    """
    dataset = _described(source, data)
    if dataset.exif and data.masks.exif == "auto":
        data = data.model_copy(update={"masks": data.masks.model_copy(update={"exif": dataset.exif})})
    ignore = dataset.ignored_value
    if dataset.package and view.masks != WHOLE_SET.masks:
        raise UserError(f"{source / NAME}: the masks come from the package {dataset.package.name}, there are no others")
    if dataset.package:
        pairs, findings, rule = package_pairs(dataset.package), list[Finding](), NamingRule()
    else:
        found = folder_pairs(source, data, dataset.coloured, ignore, view)
        pairs, findings, rule = found.pairs, found.findings, found.rule
    pairs = [pair for pair in pairs if view.wants(pair.id) or not dataset.classes]
    findings += _described_wrongly(source, dataset, [pair.id for pair in pairs])
    shown = {pairs[index].id for index in np.linspace(0, len(pairs) - 1, PREVIEWS).round().astype(int)} if pairs else {}
    entries: dict[str, CheckedPair] = {}

    def read(pair: Pair) -> tuple[Content, CheckedPair] | Finding:
        try:
            content = pair.read(scratch)
            return content, check_pair(pair.id, content, ignore, pair.id in shown)
        except Unreadable as error:
            return Finding(pair.id, "error", str(error), error.setting)
        except MemoryError:
            return Finding(pair.id, "error", "does not fit into memory", "cut it, or save it as TIFF in tiles")

    for result in progress(parallel_map(read, pairs, THREADS, 2 * THREADS), len(pairs), "read"):
        if isinstance(result, Finding):
            findings.append(result)
        else:
            content, entry = result
            entries[entry.id] = replace(entry, offsets=sink(content.image, content.labels.codes))
            findings += entry.findings
    return _judged(
        CheckResult(source, entries, Encoding(dataset, "in grey", 1), findings, naming=rule.describe()), data, view
    )


def _described(source: Path, data: Data) -> Dataset:
    """dataset.yaml, where it goes together with params.yaml."""
    if source.joinpath(NAME).with_suffix(".yml").exists():
        raise UserError(f"{source / NAME}: has to be called that, not .yml")
    dataset = read_dataset(source)
    if data.masks.threshold and dataset.ignored_value is not None:
        raise UserError(
            f"data.masks.threshold leaves no value to ignore: remove ignore from {source / NAME}, or set it to 0"
        )
    made = "threshold" if data.masks.threshold else "read: instances" if data.masks.read == "instances" else ""
    if made and dataset.classes and set(dataset.stored_values) != {0, 1}:
        raise UserError(
            f"data.masks.{made} makes 0 and 1 of all values: name these under classes in {source / NAME}, or none"
        )
    return dataset


def _described_wrongly(source: Path, dataset: Dataset, ids: list[str]) -> list[Finding]:
    """What is wrong with lists and groups, and a hint at names of classes that stand elsewhere."""
    findings = []
    for check in (lambda: read_lists(source, dataset), lambda: groups_of(source, dataset.group, ids)):
        try:
            check()
        except UserError as error:
            findings.append(Finding(NAME, "error", str(error), f"correct {NAME}", True))
    if (source / LABELMAP).is_file() and not dataset.classes:
        setting = f"python -m tools.convert voc {source} --out NEW makes a data set with these names"
        findings.append(
            Finding(LABELMAP, "warning", "names the classes of CVAT's masks, and is not read", setting, True)
        )
    return findings


def _judged(gate: CheckResult, data: Data, view: View) -> CheckResult:
    """The gate after what only all pairs together tell; with data.on_error: skip without the bad ones."""
    odd = _odd(gate.pairs, data)
    entries, findings = _without(gate.pairs, odd), gate.findings + odd  # the gate's own are of files, not of entries
    encoding = gate.encoding
    if entries:
        described = encoding.dataset
        encoding, more = resolve_encoding(described, {name: entry.values for name, entry in entries.items()})
        findings, entries = findings + more, _without(entries, more)
        findings += photometric_warnings("images", {name: entry.inverted for name, entry in entries.items()})
        bits = all(entry.values.kind == "bits" for entry in entries.values())
        findings += photometric_warnings(
            "masks", {name: entry.values.inverted for name, entry in entries.items()}, usual=bits
        )
        stops = data.on_error != "skip" and any(finding.severity == "error" for finding in findings)
        if encoding.dataset.classes and entries and not stops and view.only is None:
            findings += _class_warnings(replace(gate, encoding=encoding, pairs=entries), described)
    twins, more = find_near_duplicates(list(entries.values()))
    findings += more + set_findings(entries, encoding.dataset, twins, bool(gate.encoding.dataset.classes))
    if data.on_error == "skip":
        findings = [replace(f, severity="skipped") if f.severity == "error" and not f.whole else f for f in findings]
    if not entries and not any(finding.severity == "error" for finding in findings):
        what = "no pair of image and mask is left" if findings else "no pair of image and mask found"
        findings.append(Finding(str(gate.source), "error", what, "see the other findings, or check data.source", True))
    findings.sort(key=lambda finding: (finding.severity, finding.file))
    return replace(gate, pairs=entries, encoding=encoding, findings=findings, twins=twins)


def _class_warnings(gate: CheckResult, described: Dataset) -> list[Finding]:
    """Warnings about classes, of pairs that are used; described: dataset.yaml as the user wrote it."""
    counts = {name: gate.pixels(entry) for name, entry in gate.pairs.items()}
    masks = {name: entry.values for name, entry in gate.pairs.items()}
    dataset = gate.encoding.dataset
    found = class_warnings(described, dataset, counts) + palette_warnings(described, dataset, masks)
    return found + swapped_mask_warnings(dataset, counts)


def _without(entries: Mapping[str, CheckedPair], findings: list[Finding]) -> dict[str, CheckedPair]:
    bad = {finding.file for finding in findings if finding.severity == "error"}
    return {name: entry for name, entry in entries.items() if name not in bad}


def _odd(entries: Mapping[str, CheckedPair], data: Data) -> list[Finding]:
    """An error for every image whose channels, or number type, are not those of the most."""
    findings = []
    facts: dict[str, Callable[[CheckedPair], Any]] = {
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
