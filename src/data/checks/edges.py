"""Find masks of class numbers that were resized with interpolation.

Interpolation between 0 and 2 makes 1: a mask that was resized so has a thin line of class 1 wherever 0 meets 2.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from src.data.checks.mask_interpretation import MOST_CLASSES
from src.data.reading.stored_values import Labels
from src.data.reading.unreadable import LARGE_IMAGE_PIXELS

SAMPLE = 128  # rows and columns of a mask that are examined, spread evenly
THIN = 2  # pixels: largest width of a thin line
BORDER = 255  # marks the end of a row between ranks
FEWEST = 20  # thin lines in the whole data set that are needed for a warning
MOSTLY = 0.9  # least share of thin lines whose value lies between those on both sides; drawn classes have fewer
CROSSED = 0.2  # least share of places, where two classes that are not neighbours meet, that have a thin line
OWN = 0.1  # least share of a class's borders that belong to thin lines


@dataclass(frozen=True)
class Edges:
    """Counts of neighbouring stored values along some rows and columns of a mask.

    Attributes:
        contacts: (lower, higher stored value) → number of places where the two meet.
        lines: (value on one side, value, value on the other side) → number of runs of at most `THIN` pixels between
            two different values.
    """

    contacts: Counter[tuple[int, int]] = field(default_factory=Counter)
    lines: Counter[tuple[int, int, int]] = field(default_factory=Counter)


def edges(labels: Labels) -> Edges:
    """Count where the stored values of a mask meet.

    Args:
        labels: The mask: codes uint8 [height, width] and their stored values.

    Returns:
        The counts. They are empty for colours, for fewer than three values or more than `MOST_CLASSES`, and for large
        masks.
    """
    found, values = Edges(), sorted(labels.values.codes)
    number = len(values)
    if (
        labels.values.kind not in ("grey", "grey as RGB")
        or not 3 <= number <= MOST_CLASSES
        or labels.codes.size > LARGE_IMAGE_PIXELS
    ):
        return found
    rank = np.zeros(256, np.uint8)
    rank[[labels.values.codes[value] for value in values]] = np.arange(number)
    for codes in (labels.codes, labels.codes.T):
        runs, lengths = _runs(rank[codes[:: max(1, len(codes) // SAMPLE)]])
        inside = (runs[:-1] != BORDER) & (runs[1:] != BORDER)
        for (a, b), count in _counted(runs[:-1][inside], runs[1:][inside]):
            found.contacts[values[min(a, b)], values[max(a, b)]] += count
        line = inside[:-1] & inside[1:] & (lengths[1:-1] <= THIN) & (runs[:-2] != runs[2:])
        for (a, b, c), count in _counted(runs[:-2][line], runs[1:-1][line], runs[2:][line]):
            found.lines[values[a], values[b], values[c]] += count
    return found


def _runs(rows: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The rank and the length of every run of equal pixels, row by row, with `BORDER` after each row."""
    flat = np.pad(rows, ((0, 0), (0, 1)), constant_values=BORDER).ravel()
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    return flat[starts], np.diff(starts, append=flat.size)


def _counted(*columns: NDArray[np.uint8]) -> Iterable[tuple[tuple[int, ...], int]]:
    """Each combination of ranks that occurs, and its number."""
    sizes = (MOST_CLASSES,) * len(columns)
    counts = np.bincount(np.ravel_multi_index(columns, sizes), minlength=1)
    (found,) = np.nonzero(counts)
    return zip(
        zip(*(place.tolist() for place in np.unravel_index(found, sizes)), strict=True),
        counts[found].tolist(),
        strict=True,
    )


def interpolated_values(found: Iterable[Edges], ignored: int | None) -> Mapping[int, int]:
    """Find stored values that seem to come from interpolation.

    Args:
        found: The edges of all masks.
        ignored: The stored value to ignore, if there is one.

    Returns:
        Stored value → number of thin lines; empty if the masks look as if they were drawn.
    """
    contacts, lines = Counter[tuple[int, int]](), Counter[tuple[int, int, int]]()
    for one in found:
        contacts.update({key: count for key, count in one.contacts.items() if ignored not in key})
        lines.update({key: count for key, count in one.lines.items() if ignored not in key})
    between = Counter[int]()
    for (a, value, b), count in lines.items():
        between[value] += count * (min(a, b) < value < max(a, b))
    total = between.total()
    direct = sum(count for (a, b), count in contacts.items() if any(a < value < b for value in between))
    if total < FEWEST or total < MOSTLY * lines.total() or total < CROSSED * (total + direct):
        return {}
    own = {value: sum(count for pair, count in contacts.items() if value in pair) for value in between}
    return {value: count for value, count in between.items() if count and 2 * count >= OWN * own[value]}
