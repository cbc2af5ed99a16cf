"""What the values in the masks mean: from dataset.yaml, or worked out where only one reading is possible."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.data.dataset import IGNORE, NAME, Dataset
from src.data.pairs import Finding
from src.params import validate

MOST_NAMED = 5  # values for which a message names a mask
MOST_INFERRED = 32  # classes; more different values than that are not taken for class indices without a dataset.yaml


def resolve(dataset: Dataset, histograms: dict[str, NDArray[np.int64]]) -> tuple[Dataset, list[Finding]]:
    """The data set with its classes filled in, and an error for every mask (by id) that holds an unknown value.

    Without `classes`, values 0 and 255, or 0 and 1, are background and foreground, and 0, 1, … K - 1 are K classes.
    histograms: id → int64 [256], how many pixels of the mask hold each stored value.
    """
    present = np.flatnonzero(np.sum(list(histograms.values()), axis=0)).tolist()
    if not dataset.classes:
        inferred = _infer([value for value in present if value != dataset.ignore])
        if inferred is None:
            return dataset, [_unclear(present, histograms)]
        background = dataset.background or ("background" if len(inferred) == 2 else None)
        content = dataset.model_dump() | {"classes": inferred, "background": background}
        dataset = validate(Dataset, content, Path(NAME))
    known = set(dataset.classes) | ({dataset.ignore} if dataset.ignore is not None else set())
    unknown = sorted(set(present) - known)
    if not unknown:
        return dataset, []
    findings = []
    for image_id, histogram in histograms.items():
        held = [value for value in unknown if histogram[value]]
        if held:
            what = f"the mask holds value(s) {_some(held)}, which are none of {_some(sorted(known))}"
            findings.append(
                Finding(image_id, "error", what, f"name the value under classes in {NAME}, or correct the mask")
            )
    return dataset, findings


def class_lookup(dataset: Dataset) -> NDArray[np.uint8]:
    """uint8 [256]: stored value → class index; values that are no class → IGNORE."""
    lookup = np.full(256, IGNORE, np.uint8)
    lookup[list(dataset.classes)] = np.arange(len(dataset.classes))
    return lookup


def _infer(values: list[int]) -> dict[int, str] | None:
    """The classes behind the values found in all masks; None if more than one reading is possible."""
    if values in ([0, 255], [0, 1]):
        return {0: "background", values[1]: "foreground"}
    if values == list(range(len(values))) and 2 < len(values) <= MOST_INFERRED:
        return {value: f"class_{value}" for value in values}
    return None


def _unclear(values: list[int], histograms: dict[str, NDArray[np.int64]]) -> Finding:
    """The error for values with more than one reading; it names a mask for each of the rarest values."""
    held = {value: [image_id for image_id, histogram in histograms.items() if histogram[value]] for value in values}
    rarest = sorted(values, key=lambda value: len(held[value]))[:MOST_NAMED]
    examples = ", ".join(f"{value} in {len(held[value])}, as in {held[value][0]!r}" for value in rarest)
    what = (
        f"the {len(histograms)} masks hold the values {_some(values)}: neither 0 and 255, nor 0, 1, 2 … of at most "
        f"{MOST_INFERRED} classes ({examples})"
    )
    remedy = (
        f"say what each value means under classes in {NAME}, as in `classes: {{0: background, 128: cell}}`, or correct "
        "the masks: saved as JPEG or resized smoothly, they hold values that nobody drew"
    )
    return Finding("masks", "error", what, remedy)


def _some(values: list[int]) -> str:
    text = ", ".join(map(str, values[:12]))
    return text if len(values) <= 12 else f"{text} … ({len(values)} values)"
