"""The gain of the network over the colour baseline on the same test images, with its interval."""

from collections.abc import Mapping, Sequence

import numpy as np

from src.data.source.dataset import Dataset
from src.evaluation.comparison.verdict import verdict
from src.evaluation.metrics.confusion import Scores, classes_present, mean_over_classes
from src.evaluation.scoring.methods import COLOUR, NETWORK
from src.evaluation.statistics.bootstrap import difference_interval
from src.files import round_scores

Rows = Sequence[Mapping[str, str]]


def gain_over_colour(rows: Rows, dataset: Dataset, resamples: int, seed: int) -> dict[str, float | str]:
    """Compute the difference of mean Dice between the network and the colour classifier.

    Args:
        rows: Rows of scores.csv as evaluate writes it, with the same images in the same order for both methods.
        dataset: The resolved data set.
        resamples: Number of bootstrap resamples.
        seed: Seed of the bootstrap.

    Returns:
        difference: network minus colour, mean over the foreground classes that the truth holds; low, high: its 95 %
        interval, missing if there are too few groups; verdict: in words. Empty if the images of the methods differ or
        the truth holds no foreground class.
    """
    columns = _columns(rows)
    network, colour = (_values(columns, method, "dice", dataset) for method in (NETWORK, COLOUR))
    true = np.nan_to_num(_values(columns, NETWORK, "true", dataset)).astype(np.int64)
    groups = np.array([row["group"] for row in columns.get((NETWORK, dataset.names[0]), [])])
    if network.shape != colour.shape or not (foreground := classes_present(true, dataset.foreground)):
        return {}
    first, second = colour[:, foreground], network[:, foreground]
    gain = mean_over_classes(second, range(len(foreground))) - mean_over_classes(first, range(len(foreground)))
    bounds = difference_interval(first, second, groups, resamples, seed) if np.isfinite(gain) else None
    words = verdict(gain, bounds, same=False, equal=np.array_equal(first, second, equal_nan=True))
    return round_scores({"difference": gain, "verdict": words} | dict(zip(("low", "high"), bounds or (), strict=False)))


def _columns(rows: Rows) -> dict[tuple[str, str], list[Mapping[str, str]]]:
    """(method, class) → its rows."""
    columns: dict[tuple[str, str], list[Mapping[str, str]]] = {}
    for row in rows:
        columns.setdefault((row["method"], row["class"]), []).append(row)
    return columns


def _values(
    columns: Mapping[tuple[str, str], Sequence[Mapping[str, str]]], method: str, measure: str, dataset: Dataset
) -> Scores:
    """float64 [images, classes]; NaN for an empty cell."""
    numbers = [[float(row[measure] or "nan") for row in columns.get((method, name), [])] for name in dataset.names]
    return np.array(numbers, np.float64).T
