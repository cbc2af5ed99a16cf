"""The scores of objects by name: columns of the tables and keys of metrics/test.json."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from src.data.store.numbers import Numbers
from src.evaluation.metrics.confusion import Counts, Scores
from src.evaluation.metrics.objects import THRESHOLDS, average_precision, object_scores

OBJECTS = ("object_precision", "object_recall", "object_f1")
OBJECT_COUNTS = ("objects_true", "objects_predicted", "objects_matched")
AP = "object_ap"  # mean of the next ones
PRECISIONS = tuple(f"{AP}_{threshold}" for threshold in THRESHOLDS)  # measured where masks number their objects
NumbersOf = Callable[[int], Mapping[int, Numbers]]  # position in the store → numbers of the objects of each class


def no_numbers(position: int) -> Mapping[int, Numbers]:
    """Return the numbers of predicted objects that are connected components: none."""
    return {}


def object_values(counts: Counts, numbered: Sequence[int]) -> dict[str, Scores]:
    """Compute the scores of objects.

    Args:
        counts: Counts of objects as in `Results`, int64 [..., classes, columns]; -1 where they were not counted.
        numbered: Indices of the classes whose objects are those that the masks number. Only these have `AP` and
            `PRECISIONS`, which are missing if there is no such class.

    Returns:
        Measure → float64 [..., classes]; NaN where it is undefined.
    """
    counts = np.maximum(counts, 0)
    values = dict(zip(OBJECTS, object_scores(counts), strict=True))
    if not numbered:
        return values
    has_numbers = np.isin(range(counts.shape[-2]), numbered)
    precisions = np.where(has_numbers[:, None], average_precision(counts), np.nan)
    return values | {AP: precisions.mean(axis=-1)} | dict(zip(PRECISIONS, np.moveaxis(precisions, -1, 0), strict=True))
