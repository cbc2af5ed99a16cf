"""Errors and warnings about the meaning of mask values, once all masks are known."""

from collections import Counter
from collections.abc import Mapping, Sequence

from src.data.checks.mask_interpretation import MOST_CLASSES, VOC_VOID, class_names, classes_line
from src.data.reading.masks import StoredValues
from src.data.reading.unreadable import Finding
from src.data.source.dataset import (
    BACKGROUND_NAMES,
    NAME,
    UNLABELLED_NAMES,
    Dataset,
    as_yaml,
    plain_name,
    similar_names,
)
from src.errors import some

FEW_PIXELS = 50  # of a class in the whole set: fewer are thought to be a slip of the brush
GREYS = ("bits", "grey", "grey as RGB")  # kinds of mask that have a colour for each value without a palette
GREY, WHITE = 0x010101, 0xFFFFFF  # the colour of grey 1, and that of a set bit


def palette_conflict(masks: Mapping[str, StoredValues], dataset: Dataset) -> Finding | None:
    """An error if a palette index has different colours in two masks, with the line that reads them as colours.

    A grey mask counts as a palette of greys where the palettes hold nothing but the greys of such masks.
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
    first: dict[int, tuple[int, str]] = {}  # index → its colour, and the mask where it was seen first
    placed: dict[int, tuple[set[int], str]] = {}  # colour → its indices, and the mask where it was seen first
    for name, values in masks.items():
        indices: dict[int, set[int]] = {}
        for index, colour in (values.palette or {}).items():
            indices.setdefault(colour, set()).add(index)
            known, where = first.setdefault(index, (colour, name))
            if known != colour:
                return f"index {index} is #{known:06X} in {where!r} and #{colour:06X} in {name!r}"
        for colour, found in indices.items():
            others, where = placed.setdefault(colour, (found, name))
            if found.isdisjoint(others) and masks[where].palette_bytes != values.palette_bytes:
                return f"#{colour:06X} is index {min(others)} in {where!r} and {min(found)} in {name!r}"
    return ""


def _palette_and_grey(masks: Mapping[str, StoredValues]) -> str:
    greys = {name: values for name, values in masks.items() if values.palette is None and values.kind in GREYS}
    holder = {colour: name for name, values in greys.items() for colour in _colours(values).values()}
    bits = all(values.kind == "bits" for values in greys.values())
    for name, values in masks.items():
        palette = values.palette or {}
        # Compared are palettes of nothing but these greys, and those that have black in another place than index 0.
        compared = palette if palette and holder.keys() >= set(palette.values()) else {}
        if 0 in holder and 0 in palette.values() and palette.get(0, 0):
            compared = {0: palette[0]}
        for index, colour in compared.items():
            if colour != (index * WHITE if bits else index * GREY):
                where = holder.get(colour, holder.get(0))
                return f"index {index} is #{colour:06X} in {name!r}, but not in {where!r}, which is grey"
    return ""


def _colours(values: StoredValues) -> dict[int, int]:
    """Stored value → the colour that it is shown in, of the values that have one."""
    if values.palette is not None:
        return values.palette
    if values.kind == "colour":
        return {value: value for value in values.pixels}
    return {value: value * (WHITE if values.kind == "bits" else GREY) for value in values.pixels if 0 <= value < 256}


def colours_line(masks: Mapping[str, StoredValues], ignored: int | None = None) -> str:
    """The line of dataset.yaml that reads all masks as colours; `ignored`: the stored value that counts nowhere."""
    shown = [(stored, colour) for values in masks.values() for stored, colour in _colours(values).items()]
    void = {colour for stored, colour in shown if stored == ignored or colour in VOC_VOID}
    colours = sorted({colour for _, colour in shown} - void)
    if not 1 < len(colours) <= MOST_CLASSES:
        return 'classes: {"#RRGGBB": …}'
    line = classes_line(class_names(colours, True))
    return line + "".join(f' and ignore: "#{colour:06X}"' for colour in sorted(void)[:1])


def palette_warnings(described: Dataset, dataset: Dataset, masks: Mapping[str, StoredValues]) -> list[Finding]:
    """Warnings about palettes: two indices of one colour, or a background that is shown lighter than the foreground.

    Args:
        described: dataset.yaml as the user wrote it.
        dataset: the same with its classes filled in.
        masks: id → the values of the mask.
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
    """A warning if palettes show the background of two classes that nobody named in a lighter grey than the other."""
    index = dataset.background_index
    if described.background or described.classes or index is None or not len(known) == len(dataset.stored_values) == 2:
        return []
    (background, grey), (other, darker) = known[index], known[1 - index]
    if grey % GREY or darker % GREY or grey < darker:
        return []
    what = f"the palettes show the background (index {background}) lighter than the foreground"
    swap = classes_line({other: "background", background: "foreground"})
    setting = f"if that is right, in {NAME}: background: background; if it is the other class: {swap}"
    return [Finding("masks", "warning", what, setting, True)]


def unlabelled_objects(dataset: Dataset, masks: Mapping[str, StoredValues]) -> Finding | None:
    """An error if numbered objects have a number that may mean that nobody labelled the pixels."""
    first = {value: name for name, values in reversed(list(masks.items())) for value in values.maybe_unlabelled}
    if dataset.ignore is not None or not first:
        return None
    shown = ", ".join(f"{value} (as in {name!r})" for value, name in sorted(first.items()))
    what = f"beside numbered objects, masks hold {shown}: is that an object, or did nobody label these pixels?"
    setting = f"in {NAME}: ignore: {min(first)}, if nobody labelled them; or, if it is an object: ignore: none"
    return Finding("masks", "error", what, setting, True)


def unlabelled_class(dataset: Dataset) -> list[Finding]:
    """An error for a class whose name says that nobody labelled its pixels, if dataset.yaml does not decide it."""
    if dataset.ignore is not None:
        return []
    findings = []
    for value, name in dataset.classes.items():
        if plain_name(name) in UNLABELLED_NAMES and name != dataset.background:
            what = f"is {name!r} (value {value}) a class to learn, or are these pixels that nobody labelled?"
            setting = f"in {NAME}: ignore: {as_yaml(value)} in place of the class; or, if it is the background: "
            setting += f"background: {as_yaml(name)}; or, if it is a class: ignore: none"
            findings.append(Finding(NAME, "error", what, setting, True))
    return findings


def class_warnings(described: Dataset, dataset: Dataset, pixels: Mapping[str, Sequence[int]]) -> list[Finding]:
    """Warnings about the classes of a data set.

    Args:
        described: dataset.yaml as the user wrote it.
        dataset: the same with its classes filled in.
        pixels: id of an image → its pixels of each class.
    """
    found = [*_alike(dataset), *_polarity(described, dataset, pixels), *_rare(dataset, pixels)]
    return found if described.classes else [*found, *_two_kinds(dataset, pixels)]


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
    guessed = unnamed or (not described.classes and dataset.stored_values[index] != 0)
    if not guessed and share >= 0.5:
        return []
    value = list(dataset.classes)[index]
    what = f"the background is {background!r} (value {value}), {share:.1%} of the pixels"
    what += ": this follows only from the order of the values" if guessed else ", less than the foreground"
    swap = f"background: {as_yaml(other)}"
    if not unnamed:
        values = list(dataset.classes)
        swap = classes_line({values[1 - index]: background, values[index]: other})
    setting = f"if that is right, in {NAME}: background: {as_yaml(background)}; if it is the other class: {swap}"
    return [Finding(NAME, "warning", what, setting, True)]


def _two_kinds(dataset: Dataset, pixels: Mapping[str, Sequence[int]]) -> list[Finding]:
    """A warning if the masks fall into two sets that share no values except those in every mask.

    Both sets must have equally many values, as if one of them were saved in another way.
    """
    held = {image: {label for label, count in enumerate(counts) if count} for image, counts in pixels.items()}
    common = set.intersection(*held.values()) if held else set()
    kinds: list[tuple[set[int], str]] = []  # values that masks hold together, and one of the masks
    for image, labels in held.items():
        joined = labels - common
        near = [kind for kind in kinds if kind[0] & joined]
        kinds = [kind for kind in kinds if kind not in near]
        kinds += [(joined.union(*(kind[0] for kind in near)), near[0][1] if near else image)] if joined else []
    if len(kinds) != 2 or len(kinds[0][0]) != len(kinds[1][0]) or len(kinds[0][0]) < 2:
        return []
    values = list(dataset.classes)
    shown = [f"{', '.join(str(values[label]) for label in sorted(kind))} as in {image!r}" for kind, image in kinds]
    what = f"some masks hold {shown[0]}, the others {shown[1]}, and none both"
    setting = f"if these are the same classes, save all masks alike; if not, name the classes in {NAME}"
    return [Finding("masks", "warning", what, setting, True)]


def _rare(dataset: Dataset, pixels: Mapping[str, Sequence[int]]) -> list[Finding]:
    """A warning for every class that a single image holds or that has just a few pixels, and one for absent classes."""
    absent = [name for label, name in enumerate(dataset.names) if not any(counts[label] for counts in pixels.values())]
    what = f"no mask holds {len(absent)} of the {len(dataset.names)} classes: {some(absent)}"
    findings = [Finding(NAME, "warning", what, "remove them, or correct their values", True)] if absent else []
    for label, (value, name) in enumerate(dataset.classes.items()):
        holders = [image for image, counts in pixels.items() if counts[label]]
        total = sum(counts[label] for counts in pixels.values())
        if len(holders) == 1 < len(pixels):
            what = f"the class {name!r} (value {value}) is in this mask alone, with {total:,} pixels"
            setting = "correct the mask; or add images with the class: one image cannot be trained and tested on"
            findings.append(Finding(holders[0], "warning", what, setting))
        elif 0 < total < FEW_PIXELS:
            what = f"the class {name!r} (value {value}) has {total} pixels in all masks: {some(holders)}"
            findings.append(Finding("masks", "warning", what, "correct the masks if nobody meant it", True))
    return findings


def photometric_warnings(kind: str, inverted: Mapping[str, bool], *, usual: bool = True) -> list[Finding]:
    """A warning if some files store white as 0 and others black, or all white as 0 where that is unusual.

    Args:
        kind: "images" or "masks".
        inverted: id → whether the file stores white as 0.
        usual: whether files of this kind often store white as 0: images, and masks of one bit.
    """
    counts = Counter(inverted.values())
    if not counts[True] or (usual and not counts[False]):
        return []
    rare = counts[True] <= counts[False] or not counts[False]
    names = [name for name, white in inverted.items() if white == rare]
    stored = "white as 0 (PhotometricInterpretation WhiteIsZero)" if rare else "black as 0"
    others = ", the others do not" if counts[False] else ""
    what = f"{len(names)} of {len(inverted)} {kind} store {stored}{others}: {some(names)}"
    setting = "all are read as viewers show them, black as 0, which reverses the numbers of files that store white as 0"
    setting += "; if it is wrong on the contact sheet, save all files with black as 0"
    return [Finding(kind, "warning", what, setting, True)]


def boolean_mask_findings(masks: Mapping[str, StoredValues], dataset: Dataset, one: int) -> list[Finding]:
    """An error, or a warning if classes are named, for masks of one bit whose True viewers show as black.

    Args:
        masks: id → values.
        dataset: dataset.yaml as the user wrote it.
        one: the value that a set bit stands for.
    """
    names = [name for name, values in masks.items() if values.inverted_booleans]
    if not names:
        return []
    what = f"{len(names)} mask(s) store white as 0, as tifffile (scikit-image, imageio) does with boolean arrays: "
    shown = f"classes: {{0: background, {one}: foreground}}"
    true = f"classes: {{0: foreground, {one}: background}}"
    setting = f"if the foreground is what viewers show as white, in {NAME}: {shown}; if it is True in the array: {true}"
    if dataset.classes:
        return [
            Finding("masks", "warning", f"{what}read as viewers show them, True as 0: {some(names)}", setting, True)
        ]
    return [Finding("masks", "error", f"{what}is the foreground True or white? {some(names)}", setting, True)]
