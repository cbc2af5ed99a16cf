"""What was measured on the test images to metrics/test.json, and to the table of classes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from src.data.source.dataset import Dataset
from src.evaluation.metrics.confusion import RATIOS, Scores, accuracy, class_means, headline, held, overlap
from src.evaluation.metrics.objects import object_ratios
from src.evaluation.scoring.measure import MEASURES, OBJECTS, Results
from src.evaluation.statistics.bootstrap import difference, interval
from src.files import round_scores
from src.params import Evaluate

HEADLINES = ("dice", "iou", "surface_dice", "hd95", "object_f1")  # with an interval in metrics/test.json
SHOWN = ("dice", "iou", "precision", "recall", "surface_dice", "hd95", "object_f1")  # of each class there
POOLED = ("dice", "iou")
CLASSES = ["class", "measure", "mean", "low", "high", "images", "pooled"]
CONFUSION = ["actual", "predicted", "pixels"]
LIMITS = {"hd95": (0.0, np.inf), "assd": (0.0, np.inf)}  # of the measures that are no shares


def summary(results: Results, dataset: Dataset, params: Evaluate, seed: int) -> dict[str, Any]:
    """Scores as nested plain numbers of six decimals; what cannot be told (NaN, no interval) is left out.

    dice, iou, surface_dice, hd95, object_f1: mean over the foreground classes that the truth holds, of their per-image
    means, and its 95 % interval over groups. classes: per-image means of each class, and for how many images and groups
    it counts; pooled: counts of all images added first. empty: of each foreground class, see `_empty`. accuracy: share
    of all pixels whose class is right. images, groups: how many hold a pixel that counts; left_out: how many of them
    are too large for boundaries and objects.
    """
    scored = _scored(results, dataset, params)
    foreground = held(results.pixels.true, dataset.foreground)
    together = overlap(results.confusion)
    scores: dict[str, Any] = {name: _mean(name, scored[name], results, foreground, params, seed) for name in HEADLINES}
    means = {name: class_means(scored[name]) for name in SHOWN}
    counted = ~np.isnan(scored["dice"])
    pooled = {name: RATIOS[name](together) for name in POOLED}
    labels = dict(enumerate(dataset.names))
    scores["classes"] = {
        name: {measure: float(mean[label]) for measure, mean in means.items()}
        | {"images": int(counted[:, label].sum()), "groups": len(set(np.array(results.groups)[counted[:, label]]))}
        for label, name in labels.items()
    }
    scores["pooled"] = {
        name: {measure: float(value[label]) for measure, value in pooled.items()} for label, name in labels.items()
    }
    scores["empty"] = {labels[label]: _empty(results, label) for label in dataset.foreground}
    scores["accuracy"] = float(accuracy(together))
    some = results.pixels.counted[:, 0] > 0
    scores |= {"images": int(some.sum()), "groups": len(set(np.array(results.groups)[some]))}
    return round_scores(scores | ({"left_out": results.left_out} if results.left_out else {}))


def brief(scores: Mapping[str, Any]) -> dict[str, Any]:
    """What a baseline is compared by: of a `summary` Dice, IoU and accuracy alone."""
    classes = {
        name: {key: value for key, value in values.items() if key in POOLED}
        for name, values in scores["classes"].items()
    }
    kept = {key: scores[key] for key in (*POOLED, "pooled", "accuracy") if key in scores}
    return kept | {"classes": classes}


def class_rows(results: Results, dataset: Dataset, params: Evaluate, seed: int) -> Iterator[dict[str, Any]]:
    """A row of `CLASSES` for each class and measure: mean over images with its interval, and pooled over all pixels.

    Pooled over all objects, of those scores. Of boundaries nothing is pooled.
    """
    scored = _scored(results, dataset, params)
    together = overlap(results.confusion)
    pooled = {name: score(together) for name, score in RATIOS.items()}
    told = np.maximum(results.objects, 0).sum(axis=0)
    pooled |= dict(zip(OBJECTS, object_ratios(told), strict=True))
    for label, name in enumerate(dataset.names):
        for measure in MEASURES:
            images = int((~np.isnan(scored[measure][:, label])).sum())
            if images:
                mean = _mean(measure, scored[measure], results, [label], params, seed)
                whole = {"pooled": float(pooled[measure][label])} if measure in pooled else {}
                yield {"class": name, "measure": measure} | round_scores(mean | {"images": images} | whole)


def confusion_rows(results: Results, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """How many pixels of each class were taken for each class, over all images."""
    for actual, row in zip(names, results.confusion.tolist(), strict=True):
        for predicted, pixels in zip(names, row, strict=True):
            yield {"actual": actual, "predicted": predicted, "pixels": pixels}


def gain(before: Results, after: Results, dataset: Dataset, params: Evaluate, seed: int) -> dict[str, float]:
    """What the second brings over the first in mean Dice on the same images, and its 95 % interval over groups."""
    foreground = held(after.pixels.true, dataset.foreground)
    tables = [results.values["dice"][:, foreground] for results in (before, after)]
    means = [headline(table, range(table.shape[1])) for table in tables]
    bounds = difference(tables[0], tables[1], np.array(after.groups), params.resamples, seed)
    return {"gain": means[1] - means[0]} | dict(zip(("low", "high"), bounds or (), strict=False))


def _scored(results: Results, dataset: Dataset, params: Evaluate) -> dict[str, Scores]:
    """The values, those of objects of the classes alone that consist of separate things."""
    counted = np.isin(range(len(dataset.names)), things(results, params.objects, dataset.foreground))
    return {
        name: np.where(counted, values, np.nan) if name in OBJECTS else values
        for name, values in results.values.items()
    }


def things(results: Results, setting: str, foreground: Sequence[int]) -> list[int]:
    """The classes whose objects are scored, as `evaluate.objects` says; auto judges by the truth alone."""
    if setting != "auto":
        return list(foreground) if setting == "all" else []
    true = results.objects[..., 0]
    numbers = {label: true[true[:, label] > 0, label] for label in foreground}
    return [label for label, several in numbers.items() if several.size and np.median(several) >= 2]


def _mean(
    name: str, scores: Scores, results: Results, labels: Sequence[int], params: Evaluate, seed: int
) -> dict[str, float]:
    bounds = interval(scores[:, labels], np.array(results.groups), params.resamples, seed, LIMITS.get(name, (0.0, 1.0)))
    return {"mean": headline(scores, labels)} | dict(zip(("low", "high"), bounds or (), strict=False))


def _empty(results: Results, label: int) -> dict[str, float]:
    """Images whose truth does not hold the class, how many of them show false alarms, and the mean share of pixels.

    An image without a pixel that counts is none of them.
    """
    pixels = results.pixels
    images = (pixels.true[:, label] == 0) & (pixels.counted[:, label] > 0)
    if not images.any():
        return {}
    shares = pixels.predicted[images, label] / pixels.counted[images, label]
    return {"images": int(images.sum()), "false_alarms": int((shares > 0).sum()), "area": float(shares.mean())}
