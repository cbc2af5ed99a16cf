"""What in the meaning of mask values deserves an error or a warning, once all masks are known."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from src.data.dataset import (
    BACKGROUND_NAMES,
    NAME,
    UNLABELLED_NAMES,
    Dataset,
    plain_name,
    similar_names,
)
from src.data.masks import Values
from src.data.readings import MOST_CLASSES, class_names, classes_line
from src.data.unreadable import Finding

FEW_PIXELS = 50  # of a class in the whole set: fewer are thought to be a slip of the brush
MOST_NAMED = 5  # files that a message names


def palette_conflict(masks: Mapping[str, Values]) -> Finding | None:
    """An error if one palette index has different colours in two masks, with the line that reads them as colours."""
    first: dict[int, tuple[int, str]] = {}  # index → its colour, and the mask where it was seen first
    conflict = ""
    for name, values in masks.items():
        for index, colour in (values.palette or {}).items():
            known, where = first.setdefault(index, (colour, name))
            if known != colour and not conflict:
                conflict = f"index {index} is #{known:06X} in {where!r} and #{colour:06X} in {name!r}"
    if not conflict:
        return None
    colours = sorted({colour for values in masks.values() for colour in (values.palette or {}).values()})
    line = classes_line(class_names(colours, True)) if 1 < len(colours) <= MOST_CLASSES else 'classes: {"#RRGGBB": …}'
    setting = f"to read them as colours, in {NAME}: {line}; or, if an index means the same in all masks, in params.yaml"
    return Finding("masks", "error", f"palettes differ: {conflict}", f"{setting}: data.masks.read: indices", True)


def unlabelled_class(dataset: Dataset) -> list[Finding]:
    """An error for a class whose name says that nobody labelled its pixels, if dataset.yaml does not decide it."""
    if dataset.ignore is not None:
        return []
    findings = []
    for value, name in dataset.classes.items():
        if plain_name(name) in UNLABELLED_NAMES and name != dataset.background:
            what = f"is {name!r} (value {value}) a class to learn, or are these pixels that nobody labelled?"
            setting = f"in {NAME}: ignore: {_quoted(value)} in place of the class; or, if it is the background: "
            setting += f"background: {name}; or, if it is a class: ignore: none"
            findings.append(Finding(NAME, "error", what, setting, True))
    return findings


def class_warnings(described: Dataset, dataset: Dataset, pixels: Mapping[str, Sequence[int]]) -> list[Finding]:
    """Warnings about the classes of a data set.

    Args:
        described: dataset.yaml as the user wrote it.
        dataset: the same with its classes filled in.
        pixels: id of an image → its pixels of each class.
    """
    return [*_alike(dataset), *_polarity(described, dataset, pixels), *_rare(dataset, pixels)]


def _alike(dataset: Dataset) -> list[Finding]:
    return [
        Finding(NAME, "warning", f"the classes {one!r} and {other!r} have nearly the same name", "correct one", True)
        for one, other in similar_names(dataset.names)
    ]


def _polarity(described: Dataset, dataset: Dataset, pixels: Mapping[str, Sequence[int]]) -> list[Finding]:
    """A warning if the background of two classes follows from the order of their values, or is the smaller class."""
    index = dataset.background_index
    if described.background is not None or len(dataset.names) != 2 or index is None:
        return []
    background, other = dataset.names[index], dataset.names[1 - index]
    totals = [sum(counts[label] for counts in pixels.values()) for label in (0, 1)]
    share = totals[index] / max(sum(totals), 1)
    unnamed = plain_name(background) not in BACKGROUND_NAMES
    if not unnamed and share >= 0.5:
        return []
    value = list(dataset.classes)[index]
    what = f"the background is {background!r} (value {value}), {share:.1%} of the pixels"
    what += ", only since its value is the lower one" if unnamed else ", less than the foreground"
    swap = f"background: {other}"
    if not unnamed:
        values = list(dataset.classes)
        swap = classes_line({values[1 - index]: background, values[index]: other})
    setting = f"if that is right, in {NAME}: background: {background}; if it is the other class: {swap}"
    return [Finding(NAME, "warning", what, setting, True)]


def _rare(dataset: Dataset, pixels: Mapping[str, Sequence[int]]) -> list[Finding]:
    """A warning for every class that no image holds, a single one, or that has just a few pixels."""
    findings = []
    for label, (value, name) in enumerate(dataset.classes.items()):
        holders = [image for image, counts in pixels.items() if counts[label]]
        total = sum(counts[label] for counts in pixels.values())
        if not holders:
            what = f"no mask holds the class {name!r} (value {value})"
            findings.append(Finding(NAME, "warning", what, "remove it, or correct its value", True))
        elif len(holders) == 1 < len(pixels):
            what = f"the class {name!r} (value {value}) is in this mask alone, with {total:,} pixels"
            setting = "correct the mask; or add images with the class: one image cannot be trained and tested on"
            findings.append(Finding(holders[0], "warning", what, setting))
        elif total < FEW_PIXELS:
            what = f"the class {name!r} (value {value}) has {total} pixels in all masks: {some(holders)}"
            findings.append(Finding("masks", "warning", what, "correct the masks if nobody meant it", True))
    return findings


def mixed_photometric(kind: str, inverted: Mapping[str, bool]) -> list[Finding]:
    """A warning if some files store white as 0 and others black.

    Args:
        kind: "images" or "masks".
        inverted: id → whether the file stores white as 0.
    """
    counts = Counter(inverted.values())
    if len(counts) < 2:
        return []
    rare = counts[True] <= counts[False]
    names = [name for name, white in inverted.items() if white == rare]
    stored = "white as 0 (PhotometricInterpretation WhiteIsZero)" if rare else "black as 0"
    what = f"{len(names)} of {len(inverted)} {kind} store {stored}, the others do not: {some(names)}"
    setting = "all are read as viewers show them, black as 0; if that is wrong on the contact sheet, save them alike"
    return [Finding(kind, "warning", what, setting, True)]


def truth_values(masks: Mapping[str, Values], dataset: Dataset, one: int) -> list[Finding]:
    """An error, or a warning if classes are named, for masks of one bit whose True viewers show as black.

    Args:
        masks: id → values.
        dataset: dataset.yaml as the user wrote it.
        one: the value that a set bit stands for.
    """
    names = [name for name, values in masks.items() if values.truth]
    if not names:
        return []
    what = f"{len(names)} mask(s) call white 0, as tifffile (scikit-image, imageio) saves arrays of truth values: "
    shown = f"classes: {{0: background, {one}: foreground}}"
    true = f"classes: {{0: foreground, {one}: background}}"
    setting = f"if the foreground is what viewers show as white, in {NAME}: {shown}; if it is True in the array: {true}"
    if dataset.classes:
        return [
            Finding("masks", "warning", f"{what}read as viewers show them, True as 0: {some(names)}", setting, True)
        ]
    return [Finding("masks", "error", f"{what}is the foreground True or white? {some(names)}", setting, True)]


def some(names: Iterable[str]) -> str:
    """The first of some files for a message."""
    names = list(names)
    return ", ".join(map(repr, names[:MOST_NAMED])) + (" …" if len(names) > MOST_NAMED else "")


def _quoted(value: int | str) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
