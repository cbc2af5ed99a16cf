"""Which value in ready masks is which class of a data set: class_match.py decides, after ignored pixels are set apart.

The value to ignore is the difficulty. A data set of the values 0, 1 and 255 (ignore) meets masks of 0 and 255, as most
programs save two classes. Read by stored value, every object of these masks would be a place to ignore.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.data.checks.mask_encoding import Encoding, resolve_encoding
from src.data.labelled.class_match import Match, match_names, match_values
from src.data.reading.masks import StoredValues
from src.data.reading.unreadable import Finding
from src.data.source.dataset import IGNORE, NAME, Dataset, StoredValue
from src.errors import UserError, some

TWO_CLASSES = ({0, 1}, {0, 255}, {0, 0xFFFFFF})  # the usual values of background and foreground, and black and white
Held = dict[str, set[int]]  # mask → its values in the terms of the whole set


@dataclass(frozen=True)
class Decoder:
    """How the values of ready masks become classes of the data set.

    encoding: what the masks' own values are; match: own class → class of the data set; note: how, in words, "" if the
    values are those of the data set.
    """

    encoding: Encoding
    match: Match
    note: str = ""

    @property
    def ignores(self) -> bool:
        """Whether the masks may hold pixels to ignore."""
        return self.encoding.dataset.ignored_value is not None

    def lookup(self, values: StoredValues) -> NDArray[np.uint8]:
        """uint8 [256]: code of a mask → class index in the data set; IGNORE for what is ignored."""
        places = np.full(256, IGNORE, np.uint8)
        places[: len(self.match.places)] = self.match.places
        return places[self.encoding.lookup(values)]


def decoder(
    truth: Dataset, own: Dataset, masks: Mapping[str, StoredValues], folder: Path
) -> tuple[Decoder, list[Finding]]:
    """Work out how ready masks are read.

    Args:
        truth: the data set, resolved.
        own: dataset.yaml in the folder of the ready masks; its defaults if there is none.
        masks: file name → values.
        folder: of the ready masks, for messages.

    Returns:
        The decoder, and an error for every mask that cannot be read so. With errors the decoder means nothing.
    """
    if own.classes:
        return _named(truth, own, masks, folder)
    encoding, findings = resolve_encoding(truth, masks)
    errors = [_without_skip(f, masks, encoding, folder) for f in findings if f.severity == "error"]
    unreadable = any(values.lossy or not encoding.fits(values) for values in masks.values())
    if unreadable or any(found.file not in masks for found in errors):  # of the whole set, such as palettes that differ
        return Decoder(encoding, _same(truth)), errors
    held, ignored = _held(encoding, masks), {truth.ignored_value} if truth.ignored_value is not None else set[int]()
    present = set[int]().union(*held.values())
    if masks and present <= ignored:
        what = f"all pixels of all masks hold {truth.ignore}, which {NAME} of the data set ignores: nothing is decided"
        return Decoder(encoding, _same(truth)), [_whole(what, folder)]
    doubt = _doubt(truth, held, ignored)
    if present - ignored <= set(truth.stored_values) and not doubt:
        return Decoder(encoding, _same(truth)), errors
    if present & ignored and present not in TWO_CLASSES:
        # With other values beside it, nobody can tell whether it means "ignore" here, too.
        return Decoder(encoding, _same(truth)), errors or [_whole(doubt, folder)]
    return _by_order(truth, masks, errors or [_whole(doubt, folder)], folder)


def _named(
    truth: Dataset, own: Dataset, masks: Mapping[str, StoredValues], folder: Path
) -> tuple[Decoder, list[Finding]]:
    """By the names that the folder's own dataset.yaml gives."""
    encoding, findings = resolve_encoding(own, masks)
    errors = [_without_skip(f, masks, encoding, folder) for f in findings if f.severity == "error"]
    try:
        match = match_names(own.names, truth.names, str(folder / NAME), "the data set")
    except UserError as error:
        return Decoder(encoding, _same(own)), [Finding(NAME, "error", str(error), "correct it", True)]
    words = match.words(list(own.classes), truth)
    return Decoder(encoding, match, f"classes of the predictions are those that {folder / NAME} names: {words}"), errors


def _by_order(
    truth: Dataset, masks: Mapping[str, StoredValues], errors: list[Finding], folder: Path
) -> tuple[Decoder, list[Finding]]:
    """By the order of the values, if that decides; else the errors."""
    encoding = Encoding.of(Dataset(), masks)
    present = sorted(set[int]().union(*_held(encoding, masks).values()))
    own: list[StoredValue] = [f"#{value:06X}" for value in present] if encoding.family == "in colour" else list(present)
    try:
        match = match_values(own, truth, str(folder / NAME))
    except UserError:
        return Decoder(encoding, _same(truth)), errors
    described = Dataset(classes={value: f"class {position}" for position, value in enumerate(own)})
    note = f"values in the predictions are others than in the masks, and are matched by {match.how}"
    return Decoder(replace(encoding, dataset=described), match, f"{note}: {match.words(own, truth)}"), []


def _same(dataset: Dataset) -> Match:
    return Match(list(range(len(dataset.names))), "value")


def _held(encoding: Encoding, masks: Mapping[str, StoredValues]) -> Held:
    return {name: {encoding.value(stored, values.kind) for stored in values.pixels} for name, values in masks.items()}


def _doubt(truth: Dataset, held: Held, ignored: Collection[int]) -> str:
    """Why the value to ignore may be foreground in some of the masks; "" if it cannot be.

    It may be if these masks hold it and one other value, as masks of two classes usually do, and no mask holds it
    beside a class of the data set other than that.
    """
    present = set[int]().union(*held.values())
    usual = [name for name, values in held.items() if values & set(ignored) and values in TWO_CLASSES]
    others = {value for name in usual for value in held[name]}
    beside = any(values & set(ignored) and values - others for values in held.values())
    if not usual or beside or (present not in TWO_CLASSES and len(truth.stored_values) > 2):
        return ""
    return f"{truth.ignore} is to be ignored in the data set, but may mean foreground in {some(usual)}"


def _whole(what: str, folder: Path) -> Finding:
    setting = f"name the values of these masks in {folder / NAME}: classes, and ignore if they have any"
    return Finding("predictions", "error", what, setting, True)


def _without_skip(found: Finding, masks: Mapping[str, StoredValues], encoding: Encoding, folder: Path) -> Finding:
    """The finding with a way out for ready masks: data.on_error: skip is none, as hard images would be left out."""
    values = masks.get(found.file)
    if values is None:
        return found
    if values.lossy:
        return replace(found, setting="save it from its source as PNG; data.masks.threshold reads soft edges")
    if encoding.fits(values):
        return replace(found, setting=f"save it in the values of the data set, or name its values in {folder / NAME}")
    return found
