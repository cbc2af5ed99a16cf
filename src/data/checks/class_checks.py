"""Find classes that look wrong once the stored values of all masks are known: names, sizes, black and white."""

from collections import Counter
from collections.abc import Mapping, Sequence

from src.data.checks.mask_interpretation import classes_line
from src.data.reading.stored_values import StoredValues
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

FEW_PIXELS = 50  # in the whole data set: a class with fewer pixels may be a drawing error


def unlabelled_objects(dataset: Dataset, masks: Mapping[str, StoredValues]) -> Finding | None:
    """Find numbers in masks of numbered objects that may mean "unlabelled".

    Args:
        dataset: dataset.yaml as the user wrote it.
        masks: Id → stored values.

    Returns:
        An error that lists the numbers; None if there are none, or if dataset.yaml has the key `ignore`.
    """
    first = {value: name for name, values in reversed(list(masks.items())) for value in values.maybe_unlabelled}
    if dataset.ignore is not None or not first:
        return None
    shown = ", ".join(f"{value} (as in {name!r})" for value, name in sorted(first.items()))
    what = f"besides numbered objects, masks hold {shown}: is that an object, or are these pixels unlabelled?"
    setting = f"in {NAME}: ignore: {min(first)}, if they are unlabelled; or, if it is an object: ignore: none"
    return Finding("masks", "error", what, setting, True)


def unlabelled_class(dataset: Dataset) -> list[Finding]:
    """Errors for classes whose name means "unlabelled", unless dataset.yaml has the key `ignore`."""
    if dataset.ignore is not None:
        return []
    findings = []
    for value, name in dataset.classes.items():
        if plain_name(name) in UNLABELLED_NAMES and name != dataset.background:
            what = f"is {name!r} (value {value}) a class to learn, or are these pixels unlabelled?"
            setting = f"in {NAME}: ignore: {as_yaml(value)} in place of the class; or, if it is the background: "
            setting += f"background: {as_yaml(name)}; or, if it is a class: ignore: none"
            findings.append(Finding(NAME, "error", what, setting, True))
    return findings


def class_warnings(described: Dataset, dataset: Dataset, pixels: Mapping[str, Sequence[int]]) -> list[Finding]:
    """Find classes with similar names, few pixels, or a doubtful background, and masks of two kinds.

    Args:
        described: dataset.yaml as the user wrote it.
        dataset: The same with the classes that were found.
        pixels: Id of an image → number of pixels of each class.

    Returns:
        The warnings.
    """
    found = _similar_names(dataset) + _doubtful_background(described, dataset, pixels) + _rare_classes(dataset, pixels)
    return found if described.classes else found + _kinds_of_masks(dataset, pixels)


def name_and_size_warnings(dataset: Dataset, pixels: Mapping[str, Sequence[int]]) -> list[Finding]:
    """Find classes with similar names, without pixels or with few of them.

    Args:
        dataset: The data set with its classes.
        pixels: Id of an image → number of pixels of each class.
    """
    return _similar_names(dataset) + _rare_classes(dataset, pixels)


def _similar_names(dataset: Dataset) -> list[Finding]:
    """Warnings for two classes with nearly the same name."""
    return [
        Finding(NAME, "warning", f"the classes {one!r} and {other!r} have nearly the same name", "correct one", True)
        for one, other in similar_names(dataset.names)
    ]


def _doubtful_background(described: Dataset, dataset: Dataset, pixels: Mapping[str, Sequence[int]]) -> list[Finding]:
    """A warning if the background of two classes follows only from the order of the values, or is the smaller class."""
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


def _kinds_of_masks(dataset: Dataset, pixels: Mapping[str, Sequence[int]]) -> list[Finding]:
    """A warning if the masks form two groups that share only those values which every mask holds.

    Both groups must have the same number of values, as if one group had been saved in another way.
    """
    classes_of = {image: {label for label, count in enumerate(counts) if count} for image, counts in pixels.items()}
    common = set.intersection(*classes_of.values()) if classes_of else set()
    kinds: list[tuple[set[int], str]] = []  # class indices of a group of masks, and one of the masks
    for image, labels in classes_of.items():
        own = labels - common
        overlapping = [kind for kind in kinds if kind[0] & own]
        kinds = [kind for kind in kinds if kind not in overlapping]
        kinds += (
            [(own.union(*(kind[0] for kind in overlapping)), overlapping[0][1] if overlapping else image)]
            if own
            else []
        )
    if len(kinds) != 2 or len(kinds[0][0]) != len(kinds[1][0]) or len(kinds[0][0]) < 2:
        return []
    values = list(dataset.classes)
    shown = [f"{', '.join(str(values[label]) for label in sorted(kind))} as in {image!r}" for kind, image in kinds]
    what = f"some masks hold {shown[0]}, the others {shown[1]}, and no mask holds both"
    setting = f"if these are the same classes, save all masks alike; if not, name the classes in {NAME}"
    return [Finding("masks", "warning", what, setting, True)]


def _rare_classes(dataset: Dataset, pixels: Mapping[str, Sequence[int]]) -> list[Finding]:
    """A warning for each class that is in a single mask or has few pixels, and one for all classes without pixels."""
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
            findings.append(Finding("masks", "warning", what, "correct the masks if it is a mistake", True))
    return findings


def photometric_warnings(kind: str, inverted: Mapping[str, bool], *, usual: bool = True) -> list[Finding]:
    """Find files that store white as 0 (TIFF's PhotometricInterpretation WhiteIsZero) where others do not.

    Args:
        kind: "images" or "masks".
        inverted: Id → whether the file stores white as 0.
        usual: Whether files of this kind often store white as 0 (images, and masks of one bit). If not, there is also a
            warning if all files store white as 0.

    Returns:
        A list with one warning, or an empty list.
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
    """Find masks of one bit that may be boolean arrays whose True is shown as black.

    Args:
        masks: Id → stored values.
        dataset: dataset.yaml as the user wrote it.
        one: The common value of a set bit, see `Encoding`.

    Returns:
        A list with one error, or with one warning if the classes are named; empty if there are no such masks.
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
