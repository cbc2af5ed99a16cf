"""Find palettes of masks that contradict each other, or that suggest another meaning of the palette indices."""

from collections.abc import Mapping, Sequence

from src.data.checks.mask_interpretation import MOST_CLASSES, VOC_VOID, class_names, classes_line
from src.data.reading.channels import GREY_TO_COLOUR, WHITE
from src.data.reading.stored_values import StoredValues
from src.data.reading.unreadable import Finding
from src.data.source.dataset import NAME, Dataset

GREYS = ("bits", "grey", "grey as RGB")  # kinds of mask whose values are shown as greys, without a palette


def palette_conflict(masks: Mapping[str, StoredValues], dataset: Dataset) -> Finding | None:
    """Find a palette index that has different colours in two masks.

    A grey mask is compared as if it had a palette of greys, if the other palettes hold only greys of such masks.

    Args:
        masks: Id → stored values.
        dataset: dataset.yaml as the user wrote it.

    Returns:
        An error with the line of dataset.yaml that reads the masks as colours; None if the palettes agree.
    """
    conflict = _two_palettes(masks) or _palette_and_grey(masks)
    if not conflict:
        return None
    if any(values.kind == "foreground" for values in masks.values()):
        setting = "data.masks.read: instances takes index 0 for the background: save all masks with the same one there"
        return Finding("masks", "error", f"palettes differ: {conflict}", setting, True)
    setting = f"to read them as colours, in {NAME}: {colours_line(masks, dataset.ignored_value)}"
    setting += "" if dataset.ignored_value is None else f" in place of ignore: {dataset.ignore}"
    setting += "; or, if an index means the same in all masks, in params.yaml: data.masks.read: indices"
    return Finding("masks", "error", f"palettes differ: {conflict}", setting, True)


def _two_palettes(masks: Mapping[str, StoredValues]) -> str:
    """A description of two palettes that contradict each other, "" if there are none."""
    first: dict[int, tuple[int, str]] = {}  # index → its colour in the first mask that uses it, and that mask
    placed: dict[int, tuple[set[int], str]] = {}  # colour → its indices in the first mask that uses it, and that mask
    for name, values in masks.items():
        indices: dict[int, set[int]] = {}
        for index, colour in (values.palette or {}).items():
            indices.setdefault(colour, set()).add(index)
            known, where = first.setdefault(index, (colour, name))
            if known != colour:
                return f"index {index} is #{known:06X} in {where!r} and #{colour:06X} in {name!r}"
        for colour, own in indices.items():
            others, where = placed.setdefault(colour, (own, name))
            if own.isdisjoint(others) and masks[where].palette_bytes != values.palette_bytes:
                return f"#{colour:06X} is index {min(others)} in {where!r} and {min(own)} in {name!r}"
    return ""


def _palette_and_grey(masks: Mapping[str, StoredValues]) -> str:
    """A description of a palette that contradicts the masks without a palette, "" if there is none."""
    greys = {name: values for name, values in masks.items() if values.palette is None and values.kind in GREYS}
    holder = {colour: name for name, values in greys.items() for colour in _colours(values).values()}
    bits = all(values.kind == "bits" for values in greys.values())
    for name, values in masks.items():
        palette = values.palette or {}
        # Compare palettes that hold only greys of these masks, and palettes in which another index than 0 is black.
        compared = palette if palette and holder.keys() >= set(palette.values()) else {}
        if 0 in holder and 0 in palette.values() and palette.get(0, 0):
            compared = {0: palette[0]}
        for index, colour in compared.items():
            if colour != (index * WHITE if bits else index * GREY_TO_COLOUR):
                where = holder.get(colour, holder.get(0))
                return f"index {index} is #{colour:06X} in {name!r}, but not in {where!r}, which is grey"
    return ""


def _colours(values: StoredValues) -> dict[int, int]:
    """Stored value → the colour 0xRRGGBB that viewers show, for values that have one."""
    if values.palette is not None:
        return values.palette
    if values.kind == "colour":
        return {value: value for value in values.pixels}
    return {
        value: value * (WHITE if values.kind == "bits" else GREY_TO_COLOUR)
        for value in values.pixels
        if 0 <= value < 256
    }


def colours_line(masks: Mapping[str, StoredValues], ignored: int | None = None) -> str:
    """The line of dataset.yaml that names all colours of the masks as classes.

    Args:
        masks: Id → stored values.
        ignored: The stored value to ignore, if there is one. Its colour becomes `ignore`.

    Returns:
        The line, with a placeholder instead of the colours if there are fewer than 2 or more than `MOST_CLASSES`.
    """
    shown = [(stored, colour) for values in masks.values() for stored, colour in _colours(values).items()]
    void = {colour for stored, colour in shown if stored == ignored or colour in VOC_VOID}
    colours = sorted({colour for _, colour in shown} - void)
    if not 1 < len(colours) <= MOST_CLASSES:
        return 'classes: {"#RRGGBB": …}'
    line = classes_line(class_names(colours, True))
    return line + "".join(f' and ignore: "#{colour:06X}"' for colour in sorted(void)[:1])


def palette_warnings(described: Dataset, dataset: Dataset, masks: Mapping[str, StoredValues]) -> list[Finding]:
    """Find two palette indices of one colour, and a background that is shown lighter than the foreground.

    Args:
        described: dataset.yaml as the user wrote it.
        dataset: The same with the classes that were found.
        masks: Id → stored values.

    Returns:
        The warnings.
    """
    colours = {index: colour for values in masks.values() for index, colour in (values.palette or {}).items()}
    known = [(index, colours[index]) for index in dataset.stored_values if index in colours]
    findings = []
    for one, colour in known:
        same = [index for index, other in known if other == colour != 0]
        if len(same) > 1 and same[0] == one:
            shown = ", ".join(map(str, same))
            what = f"the palette indices {shown} have one colour, #{colour:06X}, and are {len(same)} classes"
            setting = f"if they are one class, in {NAME}: {colours_line(masks, dataset.ignored_value)}"
            findings.append(Finding("masks", "warning", what, setting, True))
    return findings + _light_background(described, dataset, known)


def _light_background(described: Dataset, dataset: Dataset, known: Sequence[tuple[int, int]]) -> list[Finding]:
    """A warning if two classes have no names, both are grey, and the background is the lighter one."""
    index = dataset.background_index
    if described.background or described.classes or index is None or not len(known) == len(dataset.stored_values) == 2:
        return []
    (background, grey), (other, darker) = known[index], known[1 - index]
    if grey % GREY_TO_COLOUR or darker % GREY_TO_COLOUR or grey < darker:
        return []
    what = f"the palettes show the background (index {background}) lighter than the foreground"
    swap = classes_line({other: "background", background: "foreground"})
    setting = f"if that is right, in {NAME}: background: background; if it is the other class: {swap}"
    return [Finding("masks", "warning", what, setting, True)]
