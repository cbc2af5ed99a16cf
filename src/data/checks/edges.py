"""Where the classes of a mask meet, and lines between two classes that smooth resizing leaves there.

A mask of class numbers that was resized with interpolation holds, where 0 meets 2, a line of 1, which nobody drew.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from src.data.checks.mask_interpretation import MOST_CLASSES
from src.data.reading.masks import Labels
from src.data.reading.unreadable import LARGE_IMAGE_PIXELS

SAMPLE = 128  # rows and columns of a mask that are looked at, spread evenly
THIN = 2  # pixels: the width of such a line
BORDER = 255  # in place of a rank: the end of a row
FEWEST = 20  # lines of pixels in the whole set
MOSTLY = 0.9  # share of the thin lines whose value lies between those on both sides; of drawn classes it is by chance
CROSSED = 0.2  # share of the places where two classes with others between them meet by such a line
OWN = 0.1  # share of a class's borders that are those of such lines


@dataclass(frozen=True)
class Edges:
    """Along some rows and columns, counts of what lies beside each other; all keys are stored values.

    Attributes:
        contacts: (lower, higher) → places where the two meet.
        lines: (one side, value, other side) → runs of at most `THIN` pixels between two different values.
    """

    contacts: Counter[tuple[int, int]] = field(default_factory=Counter)
    lines: Counter[tuple[int, int, int]] = field(default_factory=Counter)


def edges(labels: Labels) -> Edges:
    """The edges of a mask of grey values; empty for colours, for fewer than three values, or for far too many."""
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
    """The value and the length of every run of equal pixels, row after row, with `BORDER` between the rows."""
    flat = np.pad(rows, ((0, 0), (0, 1)), constant_values=BORDER).ravel()
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    return flat[starts], np.diff(starts, append=flat.size)


def _counted(*columns: NDArray[np.uint8]) -> Iterable[tuple[tuple[int, ...], int]]:
    """Each combination of ranks that occurs, and how often."""
    sizes = (MOST_CLASSES,) * len(columns)
    counts = np.bincount(np.ravel_multi_index(columns, sizes), minlength=1)
    (found,) = np.nonzero(counts)
    return zip(
        zip(*(place.tolist() for place in np.unravel_index(found, sizes)), strict=True),
        counts[found].tolist(),
        strict=True,
    )


def interpolated_values(found: Iterable[Edges], ignored: int | None) -> Mapping[int, int]:
    """Values that seem to come from smooth resizing → lines of pixels of each; empty if nothing speaks for it.

    Args:
        found: the edges of all masks.
        ignored: the value to ignore, which is no class.
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
