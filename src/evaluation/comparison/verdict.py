"""What an interval of a difference says, in words, and how much more it would take to tell."""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

from src.data.store.subsets import FEWEST_GROUPS
from src.evaluation.comparison.table import MEASURES

BETTER, WORSE = "better", "worse"
UNTOLD = "cannot tell with this test set"
FEW = f"cannot tell: fewer than {FEWEST_GROUPS} groups"
FEW_SEEDS = "cannot tell: counts in fewer than 2 seeds"
NONE = "cannot tell: counts for no image"
EQUAL = "equal on every image"
SAME = "same setting"
LEVEL = 0.95

Row = Mapping[str, Any]
Judge = Callable[[str, Sequence[int], float], Row]


def rows(names: Sequence[str], foreground: Sequence[int], judge: Judge) -> dict[str, dict[str, Any]]:
    """measure → mean: its row, classes: name → row, as `judge(measure, class indices, level)` makes them.

    The mean over the foreground is judged at `LEVEL`. One of several classes is easily better by chance, so theirs is
    corrected for the number of foreground classes (Bonferroni): all of their intervals hold at once with 95 %.
    """
    level = 1 - (1 - LEVEL) / max(len(foreground), 1)
    return {
        measure: {
            "mean": judge(measure, foreground, LEVEL),
            "classes": {name: judge(measure, [label], level) for label, name in enumerate(names)},
        }
        for measure in MEASURES
    }


def verdict(difference: float, bounds: tuple[float, float] | None, *, same: bool, equal: bool = False) -> str:
    """In words. same: both are of one setting, so nothing can be claimed; equal: no image scores differently."""
    if not isfinite(difference):
        return NONE
    if same:
        return SAME
    if equal:
        return EQUAL
    if bounds is None:
        return FEW
    return BETTER if bounds[0] > 0 else WORSE if bounds[1] < 0 else UNTOLD


def more(number: int, difference: float, half_width: float, fixed: float = 0.0) -> float | None:
    """How many more it takes until the interval just excludes 0, if the difference stays; None if no number does.

    number: of the images, or runs, there are; half_width: of the interval, the part that shrinks as 1 / sqrt(number);
    fixed: the part of it that stays, added in squares. At that number the chance to tell is even.
    """
    room = difference**2 - fixed**2
    if room <= 0 or not isfinite(half_width):
        return None
    return max(1.0, number * (half_width**2 / room - 1))
