"""All measures of each image at its own resolution, and the rows of scores.csv."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from src.data.classes.label_format import LabelFormat
from src.data.store.subsets import Subset
from src.evaluation.metrics.boundary import MEASURES as BOUNDARIES
from src.evaluation.metrics.boundary import boundary_scores
from src.evaluation.metrics.confusion import RATIOS, Counts, PixelCounts, Scores, confusion_matrix, pixel_counts
from src.evaluation.metrics.limits import LARGEST
from src.evaluation.metrics.objects import HALF, NO_NUMBERS, THRESHOLDS, Numbered, count_objects
from src.evaluation.metrics.regions import Mask
from src.evaluation.scoring.object_values import OBJECT_COUNTS, OBJECTS, NumbersOf, no_numbers, object_values
from src.progress import parallel_map

MEASURES = (*RATIOS, *BOUNDARIES, *OBJECTS)
COLUMNS = ["id", "group", "method", "class", "pixels", "true", "predicted", "overlap", *OBJECT_COUNTS, *MEASURES]
THREADS = os.cpu_count() or 1
TOGETHER = 2**25  # pixels of the images that are measured at a time; bounds the memory
Predicted = tuple[int, Mask]  # position in the store, labels [height, width]


@dataclass(frozen=True)
class Measured:
    """The measurements of one image.

    Attributes:
        confusion: Confusion matrix, int64 [labels, labels].
        boundaries: Boundary measure → float64 [classes]; empty if they were not measured.
        objects: Counts of objects as in `Results`, int64 [classes, …]; -1 if they were not counted.
    """

    confusion: Counts
    boundaries: dict[str, Scores]
    objects: Counts


@dataclass(frozen=True)
class Results:
    """The measurements of one method on some images, which are the rows of every array.

    Attributes:
        ids: The id of each image.
        groups: The group of each image.
        pixels: Pixel counts, int64 [images, classes] each.
        objects: Counts of objects as `OBJECT_COUNTS`, int64 [images, classes, 3]; -1 where they were not counted. Where
            masks number their objects, more columns are matched pairs at the other `THRESHOLDS` of the IoU.
        values: Measure → float64 [images, classes]; NaN where it is undefined or was not measured.
        confusion: The sum of the images' confusion matrices, int64 [labels, labels].
        numbered: Indices of the classes whose objects are those that the masks number.
    """

    ids: list[str]
    groups: list[str]
    pixels: PixelCounts
    objects: Counts
    values: dict[str, Scores]
    confusion: Counts
    numbered: Sequence[int] = ()

    @property
    def pooled(self) -> PixelCounts:
        """The pixel counts of all images together, int64 [classes] each."""
        return PixelCounts(*(counts.sum(axis=0) for counts in self.pixels))

    @property
    def left_out(self) -> int:
        """The number of images without boundaries and objects."""
        return int((self.objects[:, 0, 0] < 0).sum())


def measure(
    truth: Mask,
    prediction: Mask,
    labels: LabelFormat,
    spacing: tuple[float, float],
    tolerance: float | None,
    *,
    numbered: Numbered = NO_NUMBERS,
) -> Measured:
    """Measure one prediction.

    Args:
        truth: Labels, uint8 [height, width].
        prediction: Labels, uint8 [height, width].
        labels: The meaning of labels.
        spacing: Height of a row and width of a column, in the data's units.
        tolerance: Tolerance of the surface Dice, in the data's units; None to count pixels only.
        numbered: The numbers of the objects, if the masks number them.

    Returns:
        The measurements. Boundaries and objects are left out for images of more than `LARGEST` pixels.

    Raises:
        ValueError: The shapes differ, or a predicted label does not exist.
    """
    counts = confusion_matrix(truth, prediction, labels.limit)
    thresholds = THRESHOLDS if numbered.true else (HALF,)
    if tolerance is None or truth.size > LARGEST:
        return Measured(counts, {}, np.full((labels.classes, 2 + len(thresholds)), -1))
    boundaries = boundary_scores(truth, prediction, labels, spacing, tolerance)
    objects = count_objects(truth, prediction, labels, numbered, thresholds)
    return Measured(counts, boundaries, objects)


def measure_all(
    subset: Subset, predictions: Iterable[Predicted], tolerance: float | None, numbers: NumbersOf = no_numbers
) -> Results:
    """Measure the prediction of every image of a subset.

    Several images are measured in parallel if they are not large. This changes no number.

    Args:
        subset: The images, at least one.
        predictions: Position in the store and prediction of each image, in the subset's order.
        tolerance: Tolerance of the surface Dice, in the data's units; None to count pixels only.
        numbers: Position in the store → the numbers of the predicted objects of each class that has any.

    Returns:
        The measurements, in the same order.
    """
    store = subset.store
    largest = max((record.height * record.width for record in store.records), default=1)
    threads = min(THREADS, max(1, TOGETHER // largest))
    labels, spacing = LabelFormat.of(store.dataset), store.dataset.pixel
    scored = store.numbered if tolerance is not None else []  # the classes whose numbers are read

    def one(predicted: Predicted) -> tuple[str, Measured]:
        position, prediction = predicted
        numbered = Numbered(store.numbers(position), numbers(position)) if scored else NO_NUMBERS
        part = measure(store.mask(position), prediction, labels, spacing, tolerance, numbered=numbered)
        return store.records[position].id, part

    ids, parts, total = [], [], np.zeros((labels.limit, labels.limit), np.int64)
    for image, part in parallel_map(one, predictions, threads, threads):
        total += part.confusion
        ids.append(image)
        parts.append(part)
    pixels = PixelCounts.stacked([pixel_counts(part.confusion, labels) for part in parts])
    objects = np.stack([part.objects for part in parts])
    values = {name: ratio(pixels) for name, ratio in RATIOS.items()}
    undefined = np.full(labels.classes, np.nan)
    values |= {name: np.stack([part.boundaries.get(name, undefined) for part in parts]) for name in BOUNDARIES}
    values |= object_values(objects, scored)
    return Results(ids, list(subset.groups), pixels, objects, values, total, scored)


def columns(results: Results) -> list[str]:
    """The columns of scores.csv: `COLUMNS`, and the average precisions of objects if they were measured."""
    return [*COLUMNS, *(name for name in results.values if name not in MEASURES)]


def image_rows(results: Results, names: Sequence[str], method: str) -> Iterator[dict[str, object]]:
    """Yield a row of `columns` for each image and class; undefined values are empty.

    Args:
        results: The measurements of a method.
        names: Names of the classes.
        method: Name of the method, for its column.
    """
    for image, (id_, group) in enumerate(zip(results.ids, results.groups, strict=True)):
        for label, name in enumerate(names):
            true, predicted, both, counted = (int(part[image, label]) for part in results.pixels)
            row: dict[str, object] = {"id": id_, "group": group, "method": method, "class": name, "pixels": counted}
            row |= {"true": true, "predicted": predicted, "overlap": both}
            objects = [int(count) if count >= 0 else "" for count in results.objects[image, label, :3]]
            row |= dict(zip(OBJECT_COUNTS, objects, strict=True))
            yield row | {key: _rounded(values[image, label]) for key, values in results.values.items()}


def _rounded(value: float) -> float | str:
    return "" if np.isnan(value) else round(float(value), 6)
