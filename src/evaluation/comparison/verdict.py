"""The verdict on a difference, in words, and how many more images or seeds it would take for one."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from src.data.store.subsets import FEWEST_GROUPS
from src.evaluation.comparison.table import MEASURES
from src.evaluation.statistics.scale import Bounds

BETTER, WORSE = "better", "worse"
UNTOLD = "cannot tell with this test set"
FEW = f"cannot tell: fewer than {FEWEST_GROUPS} groups"
FEW_SEEDS = "cannot tell: counts in fewer than 2 seeds"
NONE = "cannot tell: counts for no image"
EQUAL = "equal on every image"
SAME = "same setting"
LEVEL = 0.95

Compared = dict[str, Any]  # Any: nested plain values, which `tools.compare --json` writes


@dataclass(frozen=True)
class Judgement:
    """The comparison of B (second) with A (first) by one measure over some classes. None: undefined or not needed.

    Attributes:
        first: Mean score of A, or the mean over its seeds.
        second: The same of B.
        difference: second - first; NaN if a mean is undefined.
        level: Confidence level of the interval.
        verdict: In words, one of the constants of this module.
        seeds: Standard error of the difference from the seeds.
        images: Standard error of the difference from the choice of test images.
        low: Lower end of the interval of the difference.
        high: Upper end.
        more_images: Additional images after which the interval would just exclude 0.
        more_seeds: Additional seeds of each side after which it would.
    """

    first: float
    second: float
    difference: float
    level: float
    verdict: str
    seeds: float | None = None
    images: float | None = None
    low: float | None = None
    high: float | None = None
    more_images: float | None = None
    more_seeds: float | None = None


@dataclass(frozen=True)
class SeedSpread:
    """How much one measure of a setting varies by seeds and by images.

    Attributes:
        mean: Mean over seeds.
        seeds: Standard deviation between seeds; NaN for one seed.
        images: Standard error over groups of images; NaN if there are too few groups.
        seeds_needed: Number of seeds from which the seeds' part of the mean's uncertainty is the smaller one.
    """

    mean: float
    seeds: float
    images: float
    seeds_needed: int | None


Judge = Callable[[str, Sequence[int], float], Judgement | SeedSpread]


def judge_classes(names: Sequence[str], foreground: Sequence[int], judge: Judge) -> Compared:
    """Judge the mean over the foreground classes and every single class, by every measure.

    The mean is judged at `LEVEL`. Among several classes one easily looks better by chance, so the level of single
    classes is corrected for the number of foreground classes (Bonferroni): all their intervals together hold with 95 %.

    Args:
        names: Names of all classes.
        foreground: Indices of the foreground classes.
        judge: Called with a measure, class indices and a confidence level.

    Returns:
        measure → {"mean": its fields, "classes": {name: its fields}}; fields that are None are missing.
    """
    level = 1 - (1 - LEVEL) / max(len(foreground), 1)
    return {
        measure: {
            "mean": _fields(judge(measure, foreground, LEVEL)),
            "classes": {name: _fields(judge(measure, [label], level)) for label, name in enumerate(names)},
        }
        for measure in MEASURES
    }


def _fields(row: Judgement | SeedSpread) -> Compared:
    return {key: value for key, value in asdict(row).items() if value is not None}


def verdict(difference: float, bounds: Bounds | None, *, same: bool, equal: bool = False) -> str:
    """Put a difference into words.

    Args:
        difference: Score of B minus score of A.
        bounds: Its interval; None if there are too few groups.
        same: Both sides are one setting, so no difference is claimed.
        equal: No image scores differently.
    """
    if not isfinite(difference):
        return NONE
    if same:
        return SAME
    if equal:
        return EQUAL
    if bounds is None:
        return FEW
    return BETTER if bounds[0] > 0 else WORSE if bounds[1] < 0 else UNTOLD


def additional_needed(number: int, difference: float, half_width: float, fixed: float = 0.0) -> float | None:
    """Estimate how many more images or seeds it takes until the interval just excludes 0.

    The difference is assumed to stay as it is. With that number, the chance of a verdict is 50 %.

    Args:
        number: Present number of images or seeds.
        difference: Score of B minus score of A.
        half_width: The part of the interval's half width that shrinks as 1 / sqrt(number).
        fixed: The part that does not shrink; the squares of both parts add up.

    Returns:
        The additional number, at least 1; None if no number is enough.
    """
    room = difference**2 - fixed**2
    if room <= 0 or not isfinite(half_width):
        return None
    return max(1.0, number * (half_width**2 / room - 1))
