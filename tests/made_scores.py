"""Made score tables, for what compares runs."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from src.data.source.dataset import Dataset
from src.evaluation.comparison.runs import Run

DATASET = Dataset(classes={0: "sky", 1: "cell", 2: "debris"}, background="sky")
PARAMS = {"seed": 0, "split.seed": 0, "train.lr": 0.002, "report.panels": 4}


def make_run(
    name: str,
    dice: ArrayLike,
    params: Mapping[str, Any] | None = MappingProxyType({}),
    *,
    ids: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    true: Any = 4,
    dataset: Dataset = DATASET,
    method: str = "unet",
) -> Run:
    """A run of these Dice scores, [images, classes], NaN where an image does not count; IoU follows from them.

    params: changes to `PARAMS`, None for a run whose parameters are not known; unless `groups` are given, every image
    is one of its own; true: pixels of the class in the truth, of all images and classes or of each.
    """
    scores = np.round(np.asarray(dice, float), 6)
    ids = ids or [f"image {number:03}" for number in range(len(scores))]
    pixels = np.broadcast_to(true, scores.shape)
    rows = [
        {"id": image, "group": group, "method": method, "class": label, "true": str(pixels[i, k]), "new column": "1"}
        | {"dice": text(scores[i, k]), "iou": text(scores[i, k] / (2 - scores[i, k]))}
        for i, (image, group) in enumerate(zip(ids, groups or ids, strict=True))
        for k, label in enumerate(dataset.names)
    ]
    return Run(name, {} if params is None else {**PARAMS, **params}, dataset, rows)


def text(value: float) -> str:
    return "" if np.isnan(value) else str(value)
