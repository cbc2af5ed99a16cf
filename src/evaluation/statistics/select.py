"""Which of several ways to predict is better beyond noise, told by validation images alone."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from src.evaluation.metrics.confusion import Scores, mean_over_classes
from src.evaluation.statistics.bootstrap import difference_interval

RESAMPLES = 2000  # enough to tell a gain from none


class Selection(NamedTuple):
    """candidate: the place of the one to keep; gain, low, high: of choosing, on images that had no say in it."""

    candidate: int
    gain: float
    low: float
    high: float


class Decision(NamedTuple):
    """What a decision came to: the value to use, which is the usual one if choosing did not gain beyond noise."""

    value: float
    choice: Selection

    def numbers(self) -> dict[str, float]:
        _, gain, low, high = self.choice
        return {"value": float(self.value), "gain": gain, "low": low, "high": high}

    def words(self, name: str) -> str:
        """A line for the terminal."""
        _, gain, low, high = self.choice
        measure = "log-likelihood" if name == "temperature" else "Dice"
        stays = "stays {:.4g}, no gain beyond noise" if low <= 0 else "changed to {:.4g}"
        if name == "mirror":
            stays = "kept" if self.value else "left out, as worse beyond noise"
        chosen = stays.format(self.value)
        return f"{name}: {chosen}; {measure} {gain:+.4f} (95 % interval {low:+.4f} – {high:+.4f})"


def select_candidate(scores: Scores, groups: NDArray[Any], default: int, seed: int) -> Selection | None:
    """The candidate with the highest mean score if choosing it gains beyond noise, else the default one.

    scores: float64 [candidates, images, classes], NaN where an image does not count for a class; groups: the group of
    each image, [images]. The best of many looks better than it is. So the gain is measured on each half of the groups
    by the candidate that is best on the other half, and has to be positive with its 95 % interval. (Leaving out single
    groups instead would find a gain where there is none in up to a third of the cases: nearly all of them choose the
    same luckiest candidate.) None if there are too few groups to tell.
    """
    names, group = np.unique(groups, return_inverse=True)
    half = np.random.default_rng(seed).permutation(len(names)) % 2
    best = np.array([_best(scores[:, half[group] != one], default) for one in (0, 1)])
    unseen = scores[best[half[group]], np.arange(len(group))]
    bounds = difference_interval(scores[default], unseen, groups, RESAMPLES, seed, (-np.inf, np.inf))
    if bounds is None:
        return None
    before, after = (mean_over_classes(values, range(scores.shape[2])) for values in (scores[default], unseen))
    return Selection(_best(scores, default) if bounds[0] > 0 else default, after - before, *bounds)


def reject_if_worse(before: Scores, after: Scores, groups: NDArray[Any], seed: int) -> Selection | None:
    """Candidate 1, a single change of everything from `before` to `after`, unless it is worse beyond noise; then 0.

    before, after: float64 [images, classes], see `select_candidate`. There is nothing to pick from, so that no images have to be
    kept apart. None if there are too few groups to tell.
    """
    bounds = difference_interval(before, after, groups, RESAMPLES, seed, (-np.inf, np.inf))
    if bounds is None:
        return None
    gain = mean_over_classes(after, range(after.shape[1])) - mean_over_classes(before, range(before.shape[1]))
    return Selection(int(bounds[1] >= 0), gain, *bounds)


def _best(scores: Scores, default: int) -> int:
    """The candidate with the highest mean score, [candidates, images, classes]; of equals the one next to default."""
    means = [mean_over_classes(values, range(scores.shape[2])) for values in scores]
    order = np.argsort(np.abs(np.arange(len(scores)) - default), kind="stable")
    return int(order[np.nan_to_num(np.array(means), nan=-np.inf)[order].argmax()])
