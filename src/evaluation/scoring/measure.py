"""All that is measured on each image, at its own resolution, and the rows of scores.csv."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from src.data.store.subsets import Subset
from src.evaluation.metrics.boundary import MEASURES as BOUNDARIES
from src.evaluation.metrics.boundary import boundaries
from src.evaluation.metrics.confusion import RATIOS, Counts, Overlap, Scores, confusion, overlap
from src.evaluation.metrics.objects import object_ratios, objects
from src.evaluation.metrics.regions import LARGEST
from src.progress import parallel_map

OBJECTS = ("object_precision", "object_recall", "object_f1")
FOUND = ("objects_true", "objects_predicted", "objects_matched")
MEASURES = (*RATIOS, *BOUNDARIES, *OBJECTS)
COLUMNS = ["id", "group", "method", "class", "pixels", "true", "predicted", "overlap", *FOUND, *MEASURES]
THREADS = os.cpu_count() or 1
TOGETHER = 2**25  # pixels of the images that are measured at a time: bounds the memory
Mask = NDArray[np.uint8]
Predicted = tuple[int, Mask]  # position in the store, class indices [height, width]


class Measured(NamedTuple):
    """One image: its confusion; boundary scores [classes] by name, and objects [classes, 3], or none and -1."""

    confusion: Counts
    boundaries: dict[str, Scores]
    objects: Counts


@dataclass(frozen=True)
class Results:
    """What one method scores on some images, which are the rows of every array.

    pixels: int64 [images, classes] each; objects: int64 [images, classes, 3], as `FOUND`, -1 where they were left out;
    values: measure → float64 [images, classes], NaN where it cannot be told; confusion: int64 [classes, classes] of all
    images together.
    """

    ids: list[str]
    groups: list[str]
    pixels: Overlap
    objects: Counts
    values: dict[str, Scores]
    confusion: Counts

    @property
    def left_out(self) -> int:
        """The number of images without boundaries and objects."""
        return int((self.objects[:, 0, 0] < 0).sum())


def measure(
    truth: Mask, prediction: Mask, classes: int, spacing: tuple[float, float], tolerance: float | None
) -> Measured:
    """truth, prediction: class indices [height, width]; spacing, tolerance: see boundary.py, None for counts alone."""
    counts = confusion(truth, prediction, classes)
    if tolerance is None or truth.size > LARGEST:
        return Measured(counts, {}, np.full((classes, 3), -1))
    found = boundaries(truth, prediction, classes, spacing, tolerance)
    return Measured(counts, found, objects(truth, prediction, classes))


def measure_all(subset: Subset, predictions: Iterable[Predicted], tolerance: float | None) -> Results:
    """Measure each prediction against its mask.

    subset: the images that are predicted, in the same order; tolerance: None for counts alone.

    Several images are measured at a time if they are not large, which changes no number: each is by itself, and they
    are put together in order.
    """
    store = subset.store
    largest = max((record.height * record.width for record in store.records), default=1)
    threads = min(THREADS, max(1, TOGETHER // largest))
    classes, spacing = len(store.dataset.names), store.dataset.pixel

    def one(predicted: Predicted) -> tuple[str, Measured]:
        position, classes_found = predicted
        return store.records[position].id, measure(store.mask(position), classes_found, classes, spacing, tolerance)

    together, parts = np.zeros((classes, classes), np.int64), []
    for image, found in parallel_map(one, predictions, threads, threads):
        together += found.confusion
        pixels = Overlap(*(part.astype(np.int64) for part in overlap(found.confusion)))
        parts.append((image, pixels, found.objects, found.boundaries))
    ids, overlaps, things, edges = zip(*parts, strict=True)
    pixels, counted = Overlap(*map(np.stack, zip(*overlaps, strict=True))), np.stack(things)
    values = {name: ratio(pixels) for name, ratio in RATIOS.items()}
    nothing = np.full(classes, np.nan)
    values |= {name: np.stack([edge.get(name, nothing) for edge in edges]) for name in BOUNDARIES}
    values |= dict(zip(OBJECTS, object_ratios(np.maximum(counted, 0)), strict=True))
    return Results(list(ids), list(subset.groups), pixels, counted, values, together)


def image_rows(results: Results, names: Sequence[str], method: str) -> Iterator[dict[str, Any]]:
    """A row of `COLUMNS` for each image and class; what cannot be told is empty."""
    for image, (id_, group) in enumerate(zip(results.ids, results.groups, strict=True)):
        for label, name in enumerate(names):
            true, predicted, both, counted = (int(part[image, label]) for part in results.pixels)
            row: dict[str, Any] = {"id": id_, "group": group, "method": method, "class": name, "pixels": counted}
            row |= {"true": true, "predicted": predicted, "overlap": both}
            row |= dict(zip(FOUND, _told(results.objects[image, label]), strict=True))
            yield row | {key: _rounded(values[image, label]) for key, values in results.values.items()}


def _told(counts: Counts) -> list[int | str]:
    return [int(count) if count >= 0 else "" for count in counts]


def _rounded(value: float) -> float | str:
    return "" if np.isnan(value) else round(float(value), 6)
