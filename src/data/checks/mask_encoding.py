"""Find out which stored value is which class: from dataset.yaml, or from all masks if one interpretation is certain.

The masks of a data set may be stored in different ways, such as one bit and 8-bit grey. Their stored values are made
comparable first. The result is called a *common value*: a whole number, or a colour as 0xRRGGBB.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from src.data.checks.class_checks import (
    boolean_mask_findings,
    unlabelled_class,
    unlabelled_objects,
)
from src.data.checks.mask_interpretation import (
    MOST_CLASSES,
    Hints,
    Interpretation,
    blend,
    classes_line,
    interpretations,
    objects_interpretation,
)
from src.data.checks.palette_checks import colours_line, palette_conflict
from src.data.reading.channels import GREY_TO_COLOUR
from src.data.reading.stored_values import Kind, StoredValues
from src.data.reading.unreadable import Finding
from src.data.source.dataset import IGNORE, NAME, NONE, Dataset, StoredValue
from src.section import problems

MOST_NAMED = 5  # values for which a message names an example
COMMON = 0.01  # least share of all pixels that a value needs to be listed as one that somebody may have drawn
MANY = 8  # unknown values in a mask above which its format or resizing is blamed, not the drawing
EXAMPLE: dict[bool, dict[StoredValue, str]] = {  # whether in colour → an example of named classes
    False: {0: "background", 128: "cell", 255: "…"},
    True: {"#000000": "background", "#FF0000": "cell", "#00FF00": "…"},
}
BLURRED = (
    "such values come from a lossy format (JPEG) or smooth resizing: save the mask again from its source, as PNG, "
    "resized by nearest neighbour; or data.on_error: skip"
)
FAMILIES: dict[str, tuple[Kind, ...]] = {  # kinds of mask that may be mixed in one data set
    "in grey": ("bits", "grey", "grey as RGB", "one-hot", "foreground"),
    "in colour": ("colour", "grey as RGB"),
    "in alpha": ("alpha",),
}
Counts = dict[str, dict[int, int]]  # id of a mask → common value → number of pixels


@dataclass(frozen=True)
class Encoding:
    """How the masks of a data set store the classes.

    Attributes:
        dataset: The data set with its classes, once they are known.
        family: What the masks are in, a key of `FAMILIES`.
        one: The common value of a set bit, 1 or 255.
    """

    dataset: Dataset
    family: str
    one: int

    @classmethod
    def of(cls, dataset: Dataset, masks: Mapping[str, StoredValues]) -> "Encoding":
        """The encoding of most masks, or that which dataset.yaml states.

        A set bit means 255 if 255 is a value of the other masks or a class, and 1 is not.

        Args:
            dataset: dataset.yaml as the user wrote it.
            masks: Id → stored values.
        """
        counts = {name: sum(values.kind in kinds for values in masks.values()) for name, kinds in FAMILIES.items()}
        family = max(counts, key=lambda name: counts[name])  # the first of equal ones: grey as RGB alone is grey
        if masks and all(values.kind == "foreground" for values in masks.values()):
            family = "in grey"  # 0 and 1, even where the value to ignore is given as a colour
        elif dataset.coloured:
            family = "in colour"
        elif dataset.classes and family == "in colour":
            family = "in grey"
        wider = {value for values in masks.values() if values.kind != "bits" for value in values.pixels}
        known = set(dataset.stored_values) or wider
        return cls(dataset, family, 255 if 255 in known and 1 not in known else 1)

    def fits(self, values: StoredValues) -> bool:
        """Return whether a mask is in the same family as the others."""
        return values.kind in FAMILIES[self.family]

    def common_value(self, stored: int, kind: Kind) -> int:
        """Convert a stored value to the common value.

        Args:
            stored: The stored value.
            kind: The kind of its mask.
        """
        if kind == "bits":
            return self.one if stored else 0
        return stored * GREY_TO_COLOUR if self.family == "in colour" and kind == "grey as RGB" else stored

    def lookup(self, values: StoredValues) -> NDArray[np.uint8]:
        """Table from the codes of a mask to labels: uint8 [256], IGNORE for codes that are no class."""
        if self.dataset.overlap:  # codes are labels already
            return np.arange(256, dtype=np.uint8)
        index = {value: position for position, value in enumerate(self.dataset.stored_values)}
        lookup = np.full(256, IGNORE, np.uint8)
        for stored, code in values.codes.items():
            lookup[code] = index.get(self.common_value(stored, values.kind), IGNORE)
        return lookup

    def some(self, values: list[int]) -> str:
        """The first dozen of the common values, for a message."""
        shown = [f"#{value:06X}" if self.family == "in colour" else str(value) for value in values[:12]]
        return ", ".join(shown) + (f" … ({len(values)} values)" if len(values) > 12 else "")


def resolve_encoding(dataset: Dataset, masks: Mapping[str, StoredValues]) -> tuple[Encoding, list[Finding]]:
    """Find out how the masks store the classes.

    If dataset.yaml names no classes, the values of all masks must have exactly one interpretation, see
    mask_interpretation.py. If they have several, the error lists all of them.

    Args:
        dataset: dataset.yaml as the user wrote it.
        masks: Id → stored values.

    Returns:
        The encoding, with its classes if they are known, and errors: for each mask that cannot be read with it (by
        id), and for the whole data set.
    """
    findings = _lossy(masks)
    masks = {name: values for name, values in masks.items() if not values.lossy}
    if not masks:
        return Encoding(dataset, "in grey", 1), findings
    encoding = Encoding.of(dataset, masks)
    if found := palette_conflict(masks, dataset) or unlabelled_objects(dataset, masks):
        return encoding, [*findings, found]
    findings += _unlike_masks(encoding, masks) + boolean_mask_findings(masks, dataset, encoding.one)
    counts_of: Counts = {
        name: {encoding.common_value(stored, values.kind): count for stored, count in values.pixels.items()}
        for name, values in masks.items()
        if encoding.fits(values)
    }
    if not dataset.classes:
        possible = _possible(encoding, counts_of, masks)
        binary = all(values.kind == "foreground" for values in masks.values())  # by a setting of data.masks
        if len(possible) != 1 or not possible[0].classes:
            return encoding, [*findings, _unclear(encoding, counts_of, possible, binary)]
        background = dataset.background or ("background" if len(possible[0].classes) == 2 else None)
        content = dataset.model_dump() | {"classes": possible[0].classes, "background": background}
        if encoding.family != "in colour":
            content["ignore"] = NONE if dataset.ignore == NONE else dataset.ignored_value
        try:
            encoding = replace(encoding, dataset=Dataset.model_validate(content))
        except ValidationError as error:  # dataset.yaml names classes or values that the masks do not hold
            what = "; ".join(problems(Dataset, error, "does not fit the masks"))
            return encoding, [*findings, Finding(NAME, "error", what, "correct it, or name the classes in it", True)]
    return encoding, findings + unlabelled_class(dataset) + _unknown(encoding, counts_of)


def _lossy(masks: Mapping[str, StoredValues]) -> list[Finding]:
    """An error for every mask in a lossy format. Its values cannot be trusted, even those that look like classes."""
    what = "the mask is in a lossy format, which changes its values and invents some at edges"
    changed = {name: values for name, values in masks.items() if values.lossy}
    found = [value for values in changed.values() if values.kind != "colour" for value in values.pixels] or [0, 255]
    middle = max(1, (min(found) + max(found) + 1) // 2)
    setting = f"data.masks.threshold: {middle}, to take all from there on as foreground; or save it from its source"
    return [Finding(name, "error", what, f"{setting} as PNG, or data.on_error: skip") for name in changed]


def _unlike_masks(encoding: Encoding, masks: Mapping[str, StoredValues]) -> list[Finding]:
    """An error for every mask of another family than most masks."""
    named = f"convert it; or, if colours mean the same, name the classes in {NAME}: {colours_line(masks)}"
    alpha = "save it like the others; or, if all masks have an alpha channel, in params.yaml: data.masks.read: alpha"
    findings = []
    one_hot = any(values.kind == "one-hot" for values in masks.values())
    for name, values in masks.items():
        if one_hot and values.kind == "grey as RGB":
            what = "the masks are one-hot, but this one has no pixel with exactly one channel set"
            findings.append(Finding(name, "error", what, "set one channel in every pixel, or data.on_error: skip"))
        elif not encoding.fits(values):
            found = next(family for family, kinds in FAMILIES.items() if values.kind in kinds)
            because = f"the classes in {NAME} say" if encoding.dataset.classes else "most masks are"
            both = {found, encoding.family} == {"in grey", "in colour"}
            setting = "save it like the others" if both else alpha
            setting = named if both and not encoding.dataset.classes else setting
            findings.append(Finding(name, "error", f"the mask is {found}, {because} {encoding.family}", setting))
    return findings


def _possible(encoding: Encoding, counts_of: Counts, masks: Mapping[str, StoredValues]) -> list[Interpretation]:
    """All plausible interpretations of the values of all masks."""
    ignored = encoding.dataset.ignored_value
    pixels: Counter[int] = Counter()
    for counts in counts_of.values():
        pixels.update({value: count for value, count in counts.items() if value != ignored})
    found = {name: counts.keys() - {ignored} for name, counts in counts_of.items()}
    hints = Hints(
        palette=any(values.palette is not None for values in masks.values()),
        over_8_bits=any(values.over_8_bits for values in masks.values()),
        nodata=frozenset(values.nodata for values in masks.values() if values.nodata),
        all_classes=encoding.dataset.ignore == NONE,
        ignored=None if ignored is None else encoding.dataset.ignore,
    )
    return interpretations(pixels, found, encoding.family == "in colour", hints)


def _unknown(encoding: Encoding, counts_of: Counts) -> list[Finding]:
    """An error for every mask that holds a value which is neither a class nor ignored."""
    dataset = encoding.dataset
    known = set(dataset.stored_values) | ({dataset.ignored_value} if dataset.ignored_value is not None else set())
    setting = f"name it under classes in {NAME}, or as ignore; or correct the mask, or data.on_error: skip"
    findings = []
    for name, counts in counts_of.items():
        strange = sorted(counts.keys() - known)
        if strange:
            what = f"the mask holds {encoding.some(strange)}, known are {encoding.some(sorted(known))}"
            blurred = len(strange) > MANY or (encoding.family == "in colour" and all(blend(v, known) for v in strange))
            findings.append(Finding(name, "error", what, BLURRED if blurred else setting))
    return findings


def _in_one_channel(encoding: Encoding, counts_of: Counts) -> list[Interpretation]:
    """The interpretation that one channel holds classes and the others number objects, as in masks of CARLA."""
    if encoding.family != "in colour":
        return []
    found = []
    for name, shift in (("red", 16), ("green", 8), ("blue", 0)):
        values = sorted({value >> shift & 255 for counts in counts_of.values() for value in counts})
        if 1 < len(values) <= MOST_CLASSES:
            shown = ", ".join(map(str, values[:MOST_NAMED])) + " …" * (len(values) > MOST_NAMED)
            found.append(
                Interpretation(f"classes in the {name} channel alone, {shown}", "save this channel as grey PNG")
            )
    return found if len(found) == 1 else []


def _undrawn(encoding: Encoding, counts_of: Counts) -> Interpretation:
    """The interpretation that most values come from a lossy format or from resizing, with the frequent ones listed."""
    pixels: Counter[int] = Counter()
    for counts in counts_of.values():
        pixels.update(counts)
    common = [value for value, count in pixels.most_common(MOST_NAMED) if count >= COMMON * pixels.total()]
    drawn = (
        f" ({encoding.some(sorted(common))} cover {sum(pixels[v] for v in common) / pixels.total():.1%})"
        if common
        else ""
    )
    words = f"values that nobody drew, from a lossy format (JPEG) or smooth resizing{drawn}"
    return Interpretation(words, "save the masks again from their source, as PNG, resized by nearest neighbour")


def _unclear(encoding: Encoding, counts_of: Counts, possible: list[Interpretation], binary: bool) -> Finding:
    """The error for values without a certain interpretation: all interpretations, and examples of the rarest values.

    binary: a setting of data.masks reduced all masks to 0 and 1.
    """
    where: dict[int, list[str]] = {}
    for name, counts in counts_of.items():
        for value in counts:
            where.setdefault(value, []).append(name)
    rarest = sorted(where, key=lambda value: len(where[value]))[:MOST_NAMED]
    examples = "; ".join(f"{encoding.some([v])} in {len(where[v])}, as in {where[v][0]!r}" for v in rarest)
    what = f"the {len(counts_of)} masks hold the value(s) {encoding.some(sorted(where))} ({examples}): "
    counted = where.keys() - {encoding.dataset.ignored_value}
    if len(counted) < 2:
        return _single_value(encoding, what, ignored=len(counted) < len(where), binary=binary)
    if not possible:
        possible = [
            *_in_one_channel(encoding, counts_of),
            _undrawn(encoding, counts_of),
            Interpretation(
                "classes", f"in {NAME}, all of them: {classes_line(EXAMPLE[encoding.family == 'in colour'])}"
            ),
        ]
        possible += [objects_interpretation()] if 0 in counted and encoding.family != "in alpha" else []
    count = "more than one reading is possible" if len(possible) > 1 else "this has to be confirmed"
    lines = "; or ".join(f"{one.description}: {one.setting}" for one in possible)
    return Finding("masks", "error", what + count, lines, True)


def _single_value(encoding: Encoding, what: str, *, ignored: bool, binary: bool) -> Finding:
    """The error for masks with a single value."""
    setting = "add masks that hold the classes"
    if ignored:
        what += f"without {encoding.dataset.ignore}, which {NAME} ignores, this is "
        setting = f"remove ignore from {NAME}, or {setting}"
    elif binary:
        what += "after data.masks.threshold, or data.masks.read: instances, this is "
        setting = "change that setting, or save the background as 0; everything else is foreground"
    return Finding("masks", "error", f"{what}a single class", setting, True)
