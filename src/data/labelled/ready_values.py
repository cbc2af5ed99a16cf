"""Find out which stored value in ready masks is which class of a data set.

class_match.py matches the values. This module first finds out whether the masks use the data set's value to ignore.
That is difficult, because 255 often means "ignore" in a data set and "foreground" in masks of 0 and 255, as most
programs save two classes. Matched by stored value, every object in such masks would be ignored.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.data.checks.mask_encoding import Encoding, resolve_encoding
from src.data.labelled.class_match import Match, match_names, match_values
from src.data.reading.stored_values import StoredValues
from src.data.reading.unreadable import Finding
from src.data.source.dataset import IGNORE, NAME, Dataset, StoredValue
from src.errors import UserError, some

TWO_CLASSES = ({0, 1}, {0, 255}, {0, 0xFFFFFF})  # the usual values of background and foreground, and black and white
CommonValues = dict[str, set[int]]  # mask → its common values, see `Encoding`


@dataclass(frozen=True)
class Decoder:
    """How the stored values of ready masks become class indices of the data set.

    Attributes:
        encoding: How the masks store their own classes.
        match: Own class → class of the data set.
        note: A sentence on the match, "" if the masks have the stored values of the data set.
    """

    encoding: Encoding
    match: Match
    note: str = ""

    @property
    def ignores(self) -> bool:
        """Return whether the masks may hold pixels to ignore."""
        return self.encoding.dataset.ignored_value is not None

    def lookup(self, values: StoredValues) -> NDArray[np.uint8]:
        """Table from the codes of a mask to class indices of the data set: uint8 [256], IGNORE for all other codes."""
        indices = np.full(256, IGNORE, np.uint8)
        indices[: len(self.match.indices)] = self.match.indices
        return indices[self.encoding.lookup(values)]


def find_decoder(
    truth: Dataset, own: Dataset, masks: Mapping[str, StoredValues], folder: Path
) -> tuple[Decoder, list[Finding]]:
    """Find out how the stored values of ready masks become class indices of the data set.

    Args:
        truth: The description of the data set, with its classes.
        own: dataset.yaml in the folder of the ready masks; its defaults if there is none.
        masks: File name → stored values.
        folder: Folder of the ready masks, for messages.

    Returns:
        The decoder, and an error for every mask that it cannot read. If there are errors, the decoder is not usable.
    """
    if own.classes:
        return _named(truth, own, masks, folder)
    encoding, findings = resolve_encoding(truth, masks)
    errors = [_without_skip(f, masks, encoding, folder) for f in findings if f.severity == "error"]
    unreadable = any(values.lossy or not encoding.fits(values) for values in masks.values())
    if unreadable or any(found.file not in masks for found in errors):  # such as palettes that differ
        return Decoder(encoding, _same(truth)), errors
    common, ignored = (
        _common_values(encoding, masks),
        {truth.ignored_value} if truth.ignored_value is not None else set[int](),
    )
    present = set[int]().union(*common.values())
    if masks and present <= ignored:
        what = f"all pixels of all masks hold {truth.ignore}, which {NAME} of the data set ignores: nothing is decided"
        return Decoder(encoding, _same(truth)), [_undecided(what, folder)]
    doubt = _doubt(truth, common, ignored)
    if present - ignored <= set(truth.stored_values) and not doubt:
        return Decoder(encoding, _same(truth)), errors
    if present & ignored and present not in TWO_CLASSES:
        # The masks also hold other values, so it is unknown whether this one means "ignore" here, too.
        return Decoder(encoding, _same(truth)), errors or [_undecided(doubt, folder)]
    return _by_order(truth, masks, errors or [_undecided(doubt, folder)], folder)


def _named(
    truth: Dataset, own: Dataset, masks: Mapping[str, StoredValues], folder: Path
) -> tuple[Decoder, list[Finding]]:
    """Match by the class names in the dataset.yaml of the ready masks."""
    encoding, findings = resolve_encoding(own, masks)
    errors = [_without_skip(f, masks, encoding, folder) for f in findings if f.severity == "error"]
    try:
        match = match_names(own.names, truth.names, str(folder / NAME), "the data set")
    except UserError as error:
        return Decoder(encoding, _same(own)), [Finding(NAME, "error", str(error), "correct it", True)]
    words = match.describe(list(own.classes), truth)
    return Decoder(encoding, match, f"classes of the predictions are those that {folder / NAME} names: {words}"), errors


def _by_order(
    truth: Dataset, masks: Mapping[str, StoredValues], errors: list[Finding], folder: Path
) -> tuple[Decoder, list[Finding]]:
    """Match by value or order if that is certain, else return the errors."""
    encoding = Encoding.of(Dataset(), masks)
    present = sorted(set[int]().union(*_common_values(encoding, masks).values()))
    own: list[StoredValue] = [f"#{value:06X}" for value in present] if encoding.family == "in colour" else list(present)
    try:
        match = match_values(own, truth, str(folder / NAME))
    except UserError:
        return Decoder(encoding, _same(truth)), errors
    described = Dataset(classes={value: f"class {position}" for position, value in enumerate(own)})
    note = f"values in the predictions differ from those in the masks, and are matched by {match.how}"
    return Decoder(replace(encoding, dataset=described), match, f"{note}: {match.describe(own, truth)}"), []


def _same(dataset: Dataset) -> Match:
    return Match(list(range(len(dataset.names))), "value")


def _common_values(encoding: Encoding, masks: Mapping[str, StoredValues]) -> CommonValues:
    return {
        name: {encoding.common_value(stored, values.kind) for stored in values.pixels} for name, values in masks.items()
    }


def _doubt(truth: Dataset, common: CommonValues, ignored: Collection[int]) -> str:
    """The reason why the value to ignore may mean foreground in some masks; "" if it cannot.

    It may if these masks have the two usual values of background and foreground, one of which is the value to ignore,
    and no mask holds the value to ignore together with any third value.
    """
    present = set[int]().union(*common.values())
    usual = [name for name, values in common.items() if values & set(ignored) and values in TWO_CLASSES]
    others = {value for name in usual for value in common[name]}
    with_third = any(values & set(ignored) and values - others for values in common.values())
    if not usual or with_third or (present not in TWO_CLASSES and len(truth.stored_values) > 2):
        return ""
    return f"{truth.ignore} is to be ignored in the data set, but may mean foreground in {some(usual)}"


def _undecided(what: str, folder: Path) -> Finding:
    """An error about all ready masks that a dataset.yaml beside them solves."""
    setting = f"name the values of these masks in {folder / NAME}: classes, and ignore if they have any"
    return Finding("predictions", "error", what, setting, True)


def _without_skip(found: Finding, masks: Mapping[str, StoredValues], encoding: Encoding, folder: Path) -> Finding:
    """The finding with a remedy for ready masks. Skipping is none: the scores would then leave out difficult images."""
    values = masks.get(found.file)
    if values is None:
        return found
    if values.lossy:
        return replace(found, setting="save it from its source as PNG; data.masks.threshold reads soft edges")
    if encoding.fits(values):
        return replace(found, setting=f"save it in the values of the data set, or name its values in {folder / NAME}")
    return found
