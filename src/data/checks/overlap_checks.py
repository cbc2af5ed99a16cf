"""Find overlapping classes that look wrong: equal, inverted, or without any overlap."""

from collections import Counter
from collections.abc import Mapping
from itertools import combinations

from src.data.classes.label_format import LabelFormat
from src.data.reading.stored_values import StoredValues
from src.data.reading.unreadable import Finding
from src.data.source.dataset import IGNORE, NAME, Dataset

INVERTED = "if the masks are inverted, save them with 0 outside the class"
COVERED = 0.99  # share of the pixels of all images from which a class may be inverted


def overlap_warnings(dataset: Dataset, masks: Mapping[str, StoredValues]) -> list[Finding]:
    """Compare the classes with each other over all masks.

    Args:
        dataset: The data set with its classes.
        masks: Id of an image → its labels and their numbers of pixels.

    Returns:
        Warnings about classes that cover nearly everything, equal classes, and classes of which no two overlap.
    """
    pixels = Counter[int]()
    for values in masks.values():
        pixels.update({label: count for label, count in values.pixels.items() if label != IGNORE})
    total, names, counts = pixels.total(), dataset.names, LabelFormat.of(dataset).count_values(pixels)
    findings = [
        Finding("masks", "warning", f"the class {name!r} covers {count / total:.1%} of all pixels", INVERTED, True)
        for name, count in zip(names, counts, strict=True)
        if total and count >= COVERED * total
    ]
    for one, other in combinations(range(len(names)), 2):
        if counts[one] and all((label >> one & 1) == (label >> other & 1) for label in pixels):
            what = f"the classes {names[one]!r} and {names[other]!r} have the same pixels in all images"
            findings.append(Finding("masks", "warning", what, "give each its own masks, or leave one out", True))
    if any(counts) and all(label.bit_count() < 2 for label in pixels):
        what = "no pixel is of two classes"
        setting = "if they exclude each other, save one mask with a value for each class, and remove overlap"
        findings.append(Finding(NAME, "warning", what, setting, True))
    return findings
