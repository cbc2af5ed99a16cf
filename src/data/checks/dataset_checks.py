"""Read every pair of a data set once, and check it by itself and against all others."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from src.data.checks.class_checks import (
    class_warnings,
    name_and_size_warnings,
    photometric_warnings,
    unlabelled_objects,
)
from src.data.checks.mask_encoding import Encoding, resolve_encoding
from src.data.checks.overlap_checks import overlap_warnings
from src.data.checks.pair_check import CheckedPair, check_pair
from src.data.checks.palette_checks import palette_warnings
from src.data.checks.set_checks import set_findings, swapped_mask_warnings
from src.data.classes.label_format import LabelFormat
from src.data.reading.channels import Pixels
from src.data.reading.stored_values import Labels, StoredValues
from src.data.reading.unreadable import Finding, Unreadable
from src.data.similarity.near_duplicates import find_near_duplicates
from src.data.source.class_masks import class_mask_pairs, find_class_masks
from src.data.source.dataset import IGNORE, NAME, Dataset, read_dataset, read_lists
from src.data.source.folder_files import WHOLE_SET, View
from src.data.source.package import package_pairs
from src.data.source.pairs import Content, FolderPairs, Pair, folder_pairs
from src.data.splits.groups import groups_by_rule
from src.data.store.pair_writer import Stored
from src.errors import UserError
from src.params import Data
from src.progress import parallel_map, progress

THREADS = os.cpu_count() or 1
LABELMAP = "labelmap.txt"  # file in exports of CVAT that holds the colour of each class
PREVIEWS = 48  # pairs on the contact sheet, spread evenly over the data set
Sink = Callable[[Pixels, Labels], Stored]  # stores an image and its mask


@dataclass(frozen=True)
class CheckResult:
    """The result of checking a data set.

    Attributes:
        source: Folder of the data set.
        pairs: Id → pair, of the pairs that can be used.
        encoding: How the masks store the classes.
        findings: All problems that were found.
        twins: Id of an image that is the same as an earlier one, or nearly so → id of the earlier one.
        naming: How masks are named after images, "" if the names are equal.
    """

    source: Path
    pairs: dict[str, CheckedPair]
    encoding: Encoding
    findings: list[Finding]
    twins: dict[str, str] = field(default_factory=dict)
    naming: str = ""

    @property
    def errors(self) -> list[Finding]:
        """The findings that stop a run."""
        return [finding for finding in self.findings if finding.severity == "error"]

    def pixels(self, pair: CheckedPair) -> list[int]:
        """Number of pixels of each class in the mask of a pair."""
        if self.encoding.dataset.overlap:
            return LabelFormat.of(self.encoding.dataset).count_values(pair.values.pixels)
        counts = dict.fromkeys(self.encoding.dataset.stored_values, 0)
        for stored, count in pair.values.pixels.items():
            value = self.encoding.common_value(stored, pair.values.kind)
            if value in counts:
                counts[value] += count
        return list(counts.values())

    def counted(self, pair: CheckedPair) -> int:
        """Number of pixels of a pair that count. Overlapping classes may have more or fewer together."""
        if self.encoding.dataset.overlap:
            return sum(count for label, count in pair.values.pixels.items() if label != IGNORE)
        return sum(self.pixels(pair))


def store_nothing(image: Pixels, labels: Labels) -> Stored:
    """Store no pixels: the sink of a check that prepares no data set.

    Args:
        image: [height, width, channels].
        labels: Its mask.
    """
    return Stored()


def check_dataset(
    source: Path, data: Data, sink: Sink, scratch: Path | None = None, view: View = WHOLE_SET
) -> CheckResult:
    """Read and check every pair of a data set.

    If dataset.yaml does not name the classes, all pairs are read even for a view of a few images. The classes follow
    from the masks, and a few masks might not hold all classes.

    Args:
        source: Folder of the data set.
        data: The section data of params.yaml.
        sink: Stores the pixels of a pair. It is called in the order of the ids.
        scratch: Folder for pixels of images too large for memory.
        view: The folder of masks and the images that are wanted.

    Returns:
        The usable pairs and all problems with the files.

    Raises:
        UserError: There is no data set, or dataset.yaml and params.yaml contradict each other.
    """
    dataset = _read_description(source, data)
    if dataset.exif and data.masks.exif == "auto":
        data = data.model_copy(update={"masks": data.masks.model_copy(update={"exif": dataset.exif})})
    ignore = dataset.ignored_value
    if dataset.package and view.masks != WHOLE_SET.masks:
        raise UserError(f"{source / NAME}: the masks come from the package {dataset.package.name}, there are no others")
    if dataset.package:
        found = FolderPairs(package_pairs(dataset.package, data.channels), [])
    elif dataset.overlap:
        masks = find_class_masks(source, dataset, view.masks)
        found = class_mask_pairs(source, data, masks, view)
        dataset, ignore = masks.dataset, IGNORE  # labels of several masks mark ignored pixels so
    else:
        found = folder_pairs(source, data, dataset.coloured, ignore, view)
    findings = found.findings
    pairs = [pair for pair in found.pairs if view.wants(pair.id) or not dataset.classes]
    findings += _description_findings(source, dataset, [pair.id for pair in pairs])
    shown = _spread_evenly(pairs)
    checked: dict[str, CheckedPair] = {}

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
            content, pair = result
            checked[pair.id] = replace(pair, stored=sink(content.image, content.labels))
            findings += pair.findings
    unresolved = Encoding(dataset, "in grey", 1)
    return _compare_pairs(CheckResult(source, checked, unresolved, findings, naming=found.naming), data, view)


def _spread_evenly(pairs: Sequence[Pair]) -> set[str]:
    """The ids of at most `PREVIEWS` pairs."""
    if not pairs:
        return set()
    return {pairs[index].id for index in np.linspace(0, len(pairs) - 1, PREVIEWS).round().astype(int)}


def _read_description(source: Path, data: Data) -> Dataset:
    """dataset.yaml; `UserError` if it contradicts params.yaml."""
    if source.joinpath(NAME).with_suffix(".yml").exists():
        raise UserError(f"{source / NAME}: the file must have this name, with the suffix .yaml, not .yml")
    dataset = read_dataset(source)
    if data.masks.threshold and dataset.ignored_value is not None:
        raise UserError(
            f"data.masks.threshold leaves no value to ignore: remove ignore from {source / NAME}, or set it to 0"
        )
    if dataset.overlap and data.masks.read == "alpha":
        raise UserError(f"data.masks.read: alpha does not fit overlap: true in {source / NAME}: set it to auto")
    binary = "threshold" if data.masks.threshold else "read: instances" if data.masks.read == "instances" else ""
    if binary and not dataset.overlap and dataset.classes and set(dataset.stored_values) != {0, 1}:
        raise UserError(
            f"data.masks.{binary} makes 0 and 1 of all values: name these under classes in {source / NAME}, or none"
        )
    return dataset


def _description_findings(source: Path, dataset: Dataset, ids: list[str]) -> list[Finding]:
    """Errors in the lists and groups of dataset.yaml, and a warning if another file holds the names of the classes."""
    findings = []
    for check in (lambda: read_lists(source, dataset), lambda: groups_by_rule(source, dataset.group, ids)):
        try:
            check()
        except UserError as error:
            findings.append(Finding(NAME, "error", str(error), f"correct {NAME}", True))
    if (source / LABELMAP).is_file() and not dataset.classes:
        what = "names the classes of CVAT's masks, and is not read"
        setting = f"python -m tools.convert voc {source} --out NEW makes a data set with these names"
        findings.append(Finding(LABELMAP, "warning", what, setting, True))
    return findings


def _compare_pairs(result: CheckResult, data: Data, view: View) -> CheckResult:
    """Add the findings of all checks that need more than one pair. With data.on_error: skip, drop pairs with errors."""
    unlike = _unlike_images(result.pairs)
    pairs = _without_errors(result.pairs, unlike)  # earlier errors are of files that did not become pairs
    findings = result.findings + unlike
    encoding, described = result.encoding, result.encoding.dataset
    if pairs:
        masks = {name: pair.values for name, pair in pairs.items()}
        encoding, more = _resolve(encoding, masks)
        findings, pairs = findings + more, _without_errors(pairs, more)
        findings += photometric_warnings("images", {name: pair.inverted for name, pair in pairs.items()})
        bits = all(pair.values.kind == "bits" for pair in pairs.values())
        inverted = {name: pair.values.inverted for name, pair in pairs.items()}
        findings += photometric_warnings("masks", inverted, usual=bits)
        stops = data.on_error != "skip" and any(finding.severity == "error" for finding in findings)
        if encoding.dataset.classes and pairs and not stops and view.only is None:
            findings += _class_warnings(replace(result, encoding=encoding, pairs=pairs), described)
    twins, more = find_near_duplicates(list(pairs.values()))
    findings += more + set_findings(pairs, encoding.dataset, twins, bool(described.classes))
    if data.on_error == "skip":
        findings = [replace(f, severity="skipped") if f.severity == "error" and not f.whole else f for f in findings]
    if not pairs and not any(finding.severity == "error" for finding in findings):
        what = "no pair of image and mask is left" if findings else "no pair of image and mask found"
        setting = "see the other findings, or check data.source"
        findings.append(Finding(str(result.source), "error", what, setting, True))
    findings.sort(key=lambda finding: (finding.severity, finding.file))
    return replace(result, pairs=pairs, encoding=encoding, findings=findings, twins=twins)


def _resolve(encoding: Encoding, masks: Mapping[str, StoredValues]) -> tuple[Encoding, list[Finding]]:
    """How the masks store the classes; overlapping classes are known from the folders, or from dataset.yaml."""
    if not encoding.dataset.overlap:
        return resolve_encoding(encoding.dataset, masks)
    objects = unlabelled_objects(encoding.dataset, masks)
    return encoding, [objects] if objects else []


def _class_warnings(result: CheckResult, described: Dataset) -> list[Finding]:
    """Warnings about the classes of the usable pairs. `described`: dataset.yaml as the user wrote it."""
    counts = {name: result.pixels(pair) for name, pair in result.pairs.items()}
    masks = {name: pair.values for name, pair in result.pairs.items()}
    dataset = result.encoding.dataset
    if dataset.overlap:
        return name_and_size_warnings(dataset, counts) + overlap_warnings(dataset, masks)
    found = class_warnings(described, dataset, counts) + palette_warnings(described, dataset, masks)
    return found + swapped_mask_warnings(dataset, counts)


def _without_errors(pairs: Mapping[str, CheckedPair], findings: list[Finding]) -> dict[str, CheckedPair]:
    bad = {finding.file for finding in findings if finding.severity == "error"}
    return {name: pair for name, pair in pairs.items() if name not in bad}


def _unlike_images(pairs: Mapping[str, CheckedPair]) -> list[Finding]:
    """An error for every image whose number of channels, or number type, differs from the most frequent one."""
    channels = {name: pair.shape[2] for name, pair in pairs.items()}
    dtypes = {name: pair.dtype for name, pair in pairs.items()}
    return [
        *_differing(channels, "channel(s)", lambda usual: f"data.channels: {usual}, or convert it"),
        *_differing(dtypes, "as number type", lambda _: "convert it"),
    ]


def _differing(facts: Mapping[str, object], words: str, remedy: Callable[[object], str]) -> list[Finding]:
    """An error for every image whose fact differs from the most frequent one."""
    values = list(facts.values())
    usual = max(set(values), key=lambda value: (values.count(value), str(value)), default=None)
    setting = f"{remedy(usual)}, or data.on_error: skip"
    return [
        Finding(name, "error", f"the image has {value} {words}, most have {usual}", setting)
        for name, value in facts.items()
        if value != usual
    ]
