"""What the network adds to the colour of single pixels, on the same test images and with its interval."""

from collections.abc import Mapping, Sequence

import numpy as np

from src.data.source.dataset import Dataset
from src.evaluation.comparison.verdict import verdict
from src.evaluation.metrics.confusion import Scores, headline, held
from src.evaluation.statistics.bootstrap import difference
from src.files import round_scores

NETWORK, COLOUR = "unet", "colour"  # methods in scores.csv
Rows = Sequence[Mapping[str, str]]


def beside_colour(rows: Rows, dataset: Dataset, resamples: int, seed: int) -> dict[str, float | str]:
    """difference of mean Dice over the foreground classes that the truth holds, its low and high, and the verdict.

    rows: of scores.csv as evaluate writes it, each method with the same images in the same order. Empty if there is no
    such difference.
    """
    columns = _columns(rows)
    network, colour = (_values(columns, method, "dice", dataset) for method in (NETWORK, COLOUR))
    true = np.nan_to_num(_values(columns, NETWORK, "true", dataset)).astype(np.int64)
    groups = np.array([row["group"] for row in columns.get((NETWORK, dataset.names[0]), [])])
    if network.shape != colour.shape or not (foreground := held(true, dataset.foreground)):
        return {}
    first, second = colour[:, foreground], network[:, foreground]
    gain = headline(second, range(len(foreground))) - headline(first, range(len(foreground)))
    bounds = difference(first, second, groups, resamples, seed) if np.isfinite(gain) else None
    said = verdict(gain, bounds, same=False, equal=np.array_equal(first, second, equal_nan=True))
    return round_scores({"difference": gain, "verdict": said} | dict(zip(("low", "high"), bounds or (), strict=False)))


def _columns(rows: Rows) -> dict[tuple[str, str], list[Mapping[str, str]]]:
    """(method, class) → its rows."""
    columns: dict[tuple[str, str], list[Mapping[str, str]]] = {}
    for row in rows:
        columns.setdefault((row["method"], row["class"]), []).append(row)
    return columns


def _values(
    columns: Mapping[tuple[str, str], Sequence[Mapping[str, str]]], method: str, measure: str, dataset: Dataset
) -> Scores:
    """float64 [images, classes], NaN for what is empty."""
    numbers = [[float(row[measure] or "nan") for row in columns.get((method, name), [])] for name in dataset.names]
    return np.array(numbers, np.float64).T
