"""Confusions of the test images to metrics/test.json and to a table of every image."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

from src.data.dataset import Dataset
from src.data.store import Store
from src.evaluation.bootstrap import interval
from src.evaluation.confusion import accuracy, class_means, confusion, dice, headline, iou
from src.files import atomic

RATIOS: dict[str, Callable[[NDArray[np.int64]], NDArray[np.float64]]] = {"dice": dice, "iou": iou}
COLUMNS = ["id", "group", "method", "class", "true", "predicted", "overlap", *RATIOS]
Predicted = tuple[int, NDArray[np.uint8]]  # position in the store, class indices [height, width]


def count(store: Store, predictions: Iterable[Predicted]) -> NDArray[np.int64]:
    """The confusion of each prediction with its mask, at the image's own resolution: [images, classes, classes]."""
    classes = len(store.dataset.names)
    return np.stack([confusion(store.mask(position), found, classes) for position, found in predictions])


def summary(
    counts: NDArray[np.int64], groups: Sequence[str], dataset: Dataset, resamples: int, seed: int
) -> dict[str, Any]:
    """Scores as nested plain numbers of six decimals; what cannot be told (NaN, no interval) is left out.

    dice, iou: mean over the foreground classes of the per-image means, and its 95 % interval over groups;
    classes: per-image mean of each class, and how many images it counts for; pooled: counts of all images added first;
    accuracy: share of all pixels whose class is right.
    """
    scores: dict[str, Any] = {}
    by_class: dict[str, dict[str, float]] = {name: {} for name in dataset.names}
    pooled: dict[str, dict[str, float]] = {name: {} for name in dataset.names}
    for measure, ratio in RATIOS.items():
        values = ratio(counts)
        scores[measure] = {"mean": headline(values, dataset.foreground)}
        bounds = interval(values[:, dataset.foreground], np.array(groups), resamples, seed)
        if bounds:
            scores[measure] |= {"low": bounds[0], "high": bounds[1]}
        means, together = class_means(values), ratio(counts.sum(axis=0))
        for name, mean, whole in zip(dataset.names, means, together, strict=True):
            by_class[name][measure] = float(mean)
            pooled[name][measure] = float(whole)
    for name, number in zip(dataset.names, (~np.isnan(dice(counts))).sum(axis=0), strict=True):
        by_class[name]["images"] = int(number)
    scores |= {"classes": by_class, "pooled": pooled, "accuracy": float(accuracy(counts.sum(axis=0)))}
    return plain(scores)


def plain(scores: dict[str, Any]) -> dict[str, Any]:
    """Rounded to six decimals, without NaN and without the objects that are empty for it."""
    rounded: dict[str, Any] = {}
    for key, value in scores.items():
        if isinstance(value, dict):
            value = plain(value)
        elif isinstance(value, float):
            value = round(value, 6) if np.isfinite(value) else None
        if value is not None and value != {}:
            rounded[key] = value
    return rounded


def image_rows(
    counts: NDArray[np.int64], group_of: Mapping[str, str], dataset: Dataset, method: str
) -> Iterator[dict[str, Any]]:
    """A row for each image and class: pixels in truth, prediction and both; Dice and IoU, empty if it is in neither.

    group_of: id → group of the images, in the order of `counts`.
    """
    values = {name: ratio(counts) for name, ratio in RATIOS.items()}
    for number, (image, group) in enumerate(group_of.items()):
        for label, name in enumerate(dataset.names):
            pixels = {
                "true": int(counts[number, label].sum()),
                "predicted": int(counts[number, :, label].sum()),
                "overlap": int(counts[number, label, label]),
            }
            ratios = {
                key: "" if np.isnan(v[number, label]) else round(v[number, label], 6) for key, v in values.items()
            }
            yield {"id": image, "group": group, "method": method, "class": name} | pixels | ratios


def keep(path: Path, predictions: Iterable[Predicted]) -> Iterator[Predicted]:
    """Pass predictions on while writing each to one .npz file, under its image's position in the store."""
    with atomic(path) as temporary, ZipFile(temporary, "w") as archive:
        for position, prediction in predictions:
            member = ZipInfo(f"{position}.npy")  # of a fixed date: equal predictions are equal files
            member.compress_type = ZIP_DEFLATED
            with archive.open(member, "w") as file:
                np.lib.format.write_array(file, prediction, allow_pickle=False)
            yield position, prediction
