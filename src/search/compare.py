"""Compare trials of equal time: differences with intervals, and which candidate is best."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from src.data.store.subsets import FEWEST_GROUPS
from src.evaluation.metrics.confusion import Scores, mean_over_classes
from src.evaluation.statistics.bootstrap import difference_interval
from src.evaluation.statistics.scale import Bounds
from src.search.trial import Trial

RESAMPLES = 2000
# Two seeds differ by up to this much in short trainings (benchmarks/recipe.md). An interval over images knows nothing
# of seeds, so smaller differences are never told apart.
SEEDS = 0.01
WITHOUT_INTERVAL = 2 * SEEDS  # difference that counts where there are too few groups for an interval
FEWEST_POINTS = 3  # trainings of different length from which a trend is read
FURTHEST = 3.0  # doublings of the time over which a trend is continued


@dataclass(frozen=True)
class Difference:
    """A difference of mean Dice between two trials, paired by image.

    Attributes:
        value: Mean Dice of the first minus that of the second.
        bounds: Its 95 % interval; None if there are too few groups.
    """

    value: float
    bounds: Bounds | None

    @property
    def better(self) -> bool:
        """Whether the first is better beyond noise."""
        if self.bounds is None:
            return self.value >= WITHOUT_INTERVAL
        return self.value >= SEEDS and self.bounds[0] > 0


def difference(first: Trial, second: Trial, groups: Sequence[str]) -> Difference:
    """Compare two trials of the same validation images.

    Classes that count in too few groups have no interval of their own. They are left out of the difference and of its
    interval, unless all classes are of this kind: then there is no interval.

    Args:
        first: A trial.
        second: Another trial.
        groups: The group of each scored image.
    """
    value = first.dice - second.dice
    if first.scores is None or second.scores is None:
        return Difference(value, None)
    usable = [
        label
        for label in range(first.scores.shape[1])
        if min(_groups(scores[:, label], groups) for scores in (first.scores, second.scores)) >= FEWEST_GROUPS
    ]
    if not usable:
        return Difference(value, None)
    before, after, limits = second.scores[:, usable], first.scores[:, usable], (-np.inf, np.inf)
    value = mean_over_classes(first.scores, usable) - mean_over_classes(second.scores, usable)
    return Difference(value, difference_interval(before, after, np.array(groups), RESAMPLES, 0, limits=limits))


def told_apart(first: Sequence[Trial], second: Sequence[Trial], groups: Sequence[str]) -> bool:
    """Tell whether one candidate is better than another one beyond noise, by its last trial and the one before.

    Before a network has learned much, all candidates score alike, and small differences come and go. So the mean of
    the last two differences must exceed the noise of seeds, too.

    Args:
        first: Trials of the candidate.
        second: Trials of the other one, of the same lengths.
        groups: The group of each scored image.
    """
    gaps = [one.dice - other.dice for one, other in zip(first[-2:], second[-2:], strict=True)]
    return difference(first[-1], second[-1], groups).better and float(np.mean(gaps)) >= SEEDS


def overtakes(leader: Sequence[Trial], other: Sequence[Trial], horizon: float) -> bool:
    """Tell whether a candidate that is behind will probably be ahead at the end of the training proper.

    Small images and trained encoders lead early and not always late. The gap between two candidates is continued in
    the logarithm of time, if it has become smaller in each of at least `FEWEST_POINTS` trainings. The slope of the
    trend is the smallest that was seen, and it is continued over at most `FURTHEST` doublings.

    Args:
        leader: Trials of the leader, each longer than the one before.
        other: Trials of the other candidate, of the same lengths.
        horizon: Seconds of the training proper.
    """
    gaps = [ahead.dice - behind.dice for ahead, behind in zip(leader, other, strict=True)]
    doubled = [math.log2(after.given / before.given) for before, after in pairwise(leader)]
    closed = [(before - after) / times for (before, after), times in zip(pairwise(gaps), doubled, strict=True)]
    if len(gaps) < FEWEST_POINTS or min(closed) <= 0:
        return False
    doublings = min(math.log2(max(horizon / leader[-1].given, 1)), FURTHEST)
    return gaps[-1] - min(closed) * doublings < 0


def _groups(scores: Scores, groups: Sequence[str]) -> int:
    return len({group for group, score in zip(groups, scores, strict=True) if not np.isnan(score)})
