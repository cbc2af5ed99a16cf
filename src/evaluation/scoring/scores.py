"""Measurements of a subset become the scores in metrics/test.json and the rows of classes.csv and confusion.csv."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from src.data.classes.label_format import LabelFormat
from src.data.source.dataset import Dataset
from src.evaluation.metrics.confusion import (
    RATIOS,
    Scores,
    accuracy,
    class_means,
    classes_present,
    decided_together,
    mean_over_classes,
)
from src.evaluation.scoring.measure import Results
from src.evaluation.scoring.object_values import AP, OBJECTS, PRECISIONS, object_values
from src.evaluation.statistics.bootstrap import difference_interval, mean_interval
from src.evaluation.statistics.group_sums import Groups
from src.files import round_scores
from src.params import Evaluate

SUMMARIZED = ("dice", "iou", "surface_dice", "hd95", "object_f1")  # with an interval in metrics/test.json
CLASS_MEASURES = ("dice", "iou", "precision", "recall", "surface_dice", "hd95", "object_f1")  # of each class there
PRECISION = (AP, f"{AP}_50", f"{AP}_75", f"{AP}_90")  # likewise, where masks number their objects
POOLED = ("dice", "iou")
CLASSES = ["class", "measure", "mean", "low", "high", "images", "pooled"]
CONFUSION = ["actual", "predicted", "pixels"]
LIMITS = {"hd95": (0.0, np.inf), "assd": (0.0, np.inf)}  # ranges of the measures that are not from 0 to 1

Metrics = dict[str, Any]  # Any: nested objects of numbers, as in metrics/test.json


@dataclass(frozen=True)
class Scoring:
    """The settings that turn measurements into scores.

    Attributes:
        dataset: The resolved data set, whose classes were measured.
        evaluate: The section `evaluate` of the parameters.
        seed: Seed of the bootstrap.
    """

    dataset: Dataset
    evaluate: Evaluate
    seed: int


def summary(results: Results, scoring: Scoring) -> Metrics:
    """Summarise the measurements of one method for metrics/test.json.

    Args:
        results: The measurements.
        scoring: Classes and settings.

    Returns:
        Nested plain numbers of six decimals; undefined ones (NaN, no interval) are missing:
        dice, iou, surface_dice, hd95, object_f1: mean over the foreground classes that the truth holds of their means
            over images (mean), and its 95 % interval over groups (low, high).
        object_ap, object_ap_50, object_ap_75, object_ap_90: the same, where masks number their objects.
        classes.<name>: means of each class over images, and the numbers of images and groups that count for it.
        pooled.<name>: Dice and IoU of each class from the pixel counts of all images together.
        empty.<name>: false alarms of each foreground class, see `_false_alarms`.
        accuracy: fraction of all pixels whose class is right; of overlapping classes the mean over classes.
        images, groups: how many hold a pixel that counts.
        left_out: number of images that are too large for boundaries and objects.
    """
    dataset, scored = scoring.dataset, _scored(results, scoring)
    foreground = classes_present(results.pixels.true, dataset.foreground)
    together, groups = results.pooled, np.array(results.groups)
    precision = [name for name in PRECISION if name in scored]
    names = [*SUMMARIZED, *precision]
    scores: Metrics = {name: _mean(name, scored[name], groups, foreground, scoring) for name in names}
    means = {name: class_means(scored[name]) for name in (*CLASS_MEASURES, *precision)}
    counted = ~np.isnan(scored["dice"])
    pooled = {name: RATIOS[name](together) for name in POOLED}
    labels = dict(enumerate(dataset.names))
    scores["classes"] = {
        name: {measure: float(mean[label]) for measure, mean in means.items()}
        | {"images": int(counted[:, label].sum()), "groups": len(set(groups[counted[:, label]]))}
        for label, name in labels.items()
    }
    scores["pooled"] = {
        name: {measure: float(value[label]) for measure, value in pooled.items()} for label, name in labels.items()
    }
    scores["empty"] = {labels[label]: _false_alarms(results, label) for label in dataset.foreground}
    scores["accuracy"] = float(accuracy(together, LabelFormat.of(dataset)))
    some = results.pixels.counted[:, 0] > 0
    scores |= {"images": int(some.sum()), "groups": len(set(groups[some]))}
    return round_scores(scores | ({"left_out": results.left_out} if results.left_out else {}))


def pixel_scores(scores: Metrics) -> Metrics:
    """Return Dice, IoU and accuracy of a `summary`: what a baseline is compared by."""
    classes = {
        name: {key: value for key, value in values.items() if key in POOLED}
        for name, values in scores["classes"].items()
    }
    kept = {key: scores[key] for key in (*POOLED, "pooled", "accuracy") if key in scores}
    return kept | {"classes": classes}


def class_rows(results: Results, scoring: Scoring) -> Iterator[dict[str, object]]:
    """Yield a row of `CLASSES` for each class and measure that counts for any image.

    Args:
        results: The measurements.
        scoring: Classes and settings.

    Yields:
        The mean over images with its interval, and the pooled value: from all pixels, or from all objects for scores of
        objects. Boundary measures have no pooled value.
    """
    scored, groups, together = _scored(results, scoring), np.array(results.groups), results.pooled
    pooled = {name: score(together) for name, score in RATIOS.items()}
    objects = np.maximum(results.objects, 0).sum(axis=0)
    pooled |= object_values(objects, results.numbered)
    for label, name in enumerate(scoring.dataset.names):
        for measure in scored:
            images = int((~np.isnan(scored[measure][:, label])).sum())
            if images:
                mean = _mean(measure, scored[measure], groups, [label], scoring)
                whole = {"pooled": float(pooled[measure][label])} if measure in pooled else {}
                row: dict[str, object] = {"class": name, "measure": measure}
                yield row | round_scores(mean | {"images": images} | whole)


def confusion_rows(results: Results, dataset: Dataset) -> Iterator[dict[str, object]]:
    """Yield a row of `CONFUSION` for each pair of classes: the confusion matrix over all images.

    For overlapping classes there is a matrix of each class and its absence.

    Args:
        results: The measurements.
        dataset: The resolved data set.
    """
    for names, matrix in _matrices(results, dataset):
        for actual, row in zip(names, matrix, strict=True):
            for predicted, pixels in zip(names, row, strict=True):
                yield {"actual": actual, "predicted": predicted, "pixels": pixels}


def _matrices(results: Results, dataset: Dataset) -> Iterator[tuple[list[str], list[list[int]]]]:
    """Confusion matrices, each with the names of its rows."""
    if not dataset.overlap:
        yield dataset.names, results.confusion.tolist()
        return
    choices = decided_together(results.pooled, LabelFormat.of(dataset))
    for name, true, predicted, both in zip(dataset.names, choices.true, choices.predicted, choices.both, strict=True):
        (absent, present), (_, found) = both.tolist(), predicted.tolist()
        yield [f"not {name}", name], [[absent, found - present], [int(true[1]) - present, present]]


def dice_gain(before: Results, after: Results, scoring: Scoring) -> dict[str, float]:
    """Compute the gain in mean Dice of one method over another on the same images.

    Args:
        before: The measurements of the first method.
        after: The measurements of the second method, of the same images in the same order.
        scoring: Classes and settings.

    Returns:
        gain, and low and high of its 95 % interval over groups, which are missing if there are too few groups.
    """
    foreground = classes_present(after.pixels.true, scoring.dataset.foreground)
    tables = [results.values["dice"][:, foreground] for results in (before, after)]
    means = [mean_over_classes(table, range(table.shape[1])) for table in tables]
    groups, resamples = np.array(after.groups), scoring.evaluate.resamples
    bounds = difference_interval(tables[0], tables[1], groups, resamples, scoring.seed)
    return {"gain": means[1] - means[0]} | dict(zip(("low", "high"), bounds or (), strict=False))


def classes_with_objects(results: Results, setting: str, foreground: Sequence[int]) -> list[int]:
    """Select the classes whose objects are scored.

    Args:
        results: The measurements.
        setting: The setting `evaluate.objects`. "auto" selects the classes whose objects the masks number, and those
            that have a median of two or more objects in the images whose truth holds them; "all" selects every
            foreground class, any other value none.
        foreground: Indices of the foreground classes.

    Returns:
        The indices of the selected classes.
    """
    if setting != "auto":
        return list(foreground) if setting == "all" else []
    true = results.objects[..., 0]
    numbers = {label: true[true[:, label] > 0, label] for label in foreground}
    return [
        label
        for label, several in numbers.items()
        if several.size and (label in results.numbered or np.median(several) >= 2)
    ]


def _scored(results: Results, scoring: Scoring) -> dict[str, Scores]:
    """The measured values; NaN for scores of objects of classes that do not consist of separate objects."""
    dataset = scoring.dataset
    separate = classes_with_objects(results, scoring.evaluate.objects, dataset.foreground)
    counted = np.isin(range(len(dataset.names)), separate)
    return {
        name: np.where(counted, values, np.nan) if name in (*OBJECTS, AP, *PRECISIONS) else values
        for name, values in results.values.items()
    }


def _mean(name: str, scores: Scores, groups: Groups, labels: Sequence[int], scoring: Scoring) -> dict[str, float]:
    """The mean of a measure over classes, and its interval."""
    limits = LIMITS.get(name, (0.0, 1.0))
    bounds = mean_interval(scores[:, labels], groups, scoring.evaluate.resamples, scoring.seed, limits)
    return {"mean": mean_over_classes(scores, labels)} | dict(zip(("low", "high"), bounds or (), strict=False))


def _false_alarms(results: Results, label: int) -> dict[str, float]:
    """Predictions of a class in images whose truth does not hold it; images without counted pixels are left out.

    images: number of such images; false_alarms: how many have predicted pixels of the class; area: the mean fraction of
    their pixels that is predicted as the class. Empty if there is no such image.
    """
    pixels = results.pixels
    images = (pixels.true[:, label] == 0) & (pixels.counted[:, label] > 0)
    if not images.any():
        return {}
    shares = pixels.predicted[images, label] / pixels.counted[images, label]
    return {"images": int(images.sum()), "false_alarms": int((shares > 0).sum()), "area": float(shares.mean())}
