"""Which of several ways to predict is better than the default beyond noise, judged by validation images alone."""

from dataclasses import dataclass

import numpy as np

from src.evaluation.metrics.confusion import Scores, mean_over_classes
from src.evaluation.statistics.bootstrap import difference_interval
from src.evaluation.statistics.group_sums import Groups

RESAMPLES = 2000  # enough to tell a gain from none


@dataclass(frozen=True)
class Selection:
    """The candidate that was selected, and the gain of selecting on held-out images.

    Attributes:
        candidate: Index of the candidate to use.
        gain: Gain in mean score over the default on images that were not used for the selection.
        low: Lower end of the gain's 95 % interval.
        high: Upper end.
    """

    candidate: int
    gain: float
    low: float
    high: float


@dataclass(frozen=True)
class Decision:
    """A decision on one setting of the predictor.

    Attributes:
        value: The value to use; it is the default unless the selection gains beyond noise.
        selection: The gain, with its interval.
    """

    value: float
    selection: Selection

    def numbers(self) -> dict[str, float]:
        """Return the value and the gain with its interval, by the names that the metrics use."""
        gain = self.selection
        return {"value": float(self.value), "gain": gain.gain, "low": gain.low, "high": gain.high}

    def describe(self, name: str) -> str:
        """Return a line for the terminal; `name` is the setting's."""
        gain = self.selection
        measure = "log-likelihood" if name == "temperature" else "Dice"
        if name == "mirror":
            outcome = "kept" if self.value else "left out: worse beyond noise"
        elif gain.low <= 0:
            outcome = f"stays {self.value:.4g}: no gain beyond noise"
        else:
            outcome = f"changed to {self.value:.4g}"
        return f"{name}: {outcome}; {measure} {gain.gain:+.4f} (95 % interval {gain.low:+.4f} – {gain.high:+.4f})"


def select_candidate(scores: Scores, groups: Groups, default: int, seed: int) -> Selection | None:
    """Select the candidate with the highest mean score if that gains beyond noise, else the default.

    The best of many candidates looks better than it is, so the gain is measured by two-fold cross-validation over
    groups: on each half by the candidate that is best on the other half. The best candidate is selected if the 95 %
    interval of this gain is above 0. (Leaving out single groups instead would find a gain where there is none in up to
    a third of the cases, since nearly all of the folds select the same luckiest candidate.)

    Args:
        scores: float64 [candidates, images, classes]; NaN where an image does not count for a class.
        groups: The group of each image, [images].
        default: Index of the default candidate.
        seed: Seed of the halves and of the bootstrap.

    Returns:
        The selection; None if there are too few groups for an interval.
    """
    names, group = np.unique(groups, return_inverse=True)
    half = np.random.default_rng(seed).permutation(len(names)) % 2
    best = np.array([_best(scores[:, half[group] != one], default) for one in (0, 1)])
    held_out = scores[best[half[group]], np.arange(len(group))]
    bounds = difference_interval(scores[default], held_out, groups, RESAMPLES, seed, limits=(-np.inf, np.inf))
    if bounds is None:
        return None
    before, after = (mean_over_classes(values, range(scores.shape[2])) for values in (scores[default], held_out))
    return Selection(_best(scores, default) if bounds[0] > 0 else default, after - before, *bounds)


def reject_if_worse(before: Scores, after: Scores, groups: Groups, seed: int) -> Selection | None:
    """Select candidate 1, a single change from `before` to `after`, unless it is worse beyond noise; then 0.

    With one candidate there is no selection bias, so all images serve for the gain.

    Args:
        before: Scores without the change, float64 [images, classes]; NaN where an image does not count for a class.
        after: Scores with the change, same shape.
        groups: The group of each image, [images].
        seed: Seed of the bootstrap.

    Returns:
        The selection; None if there are too few groups for an interval.
    """
    bounds = difference_interval(before, after, groups, RESAMPLES, seed, limits=(-np.inf, np.inf))
    if bounds is None:
        return None
    gain = mean_over_classes(after, range(after.shape[1])) - mean_over_classes(before, range(before.shape[1]))
    return Selection(int(bounds[1] >= 0), gain, *bounds)


def _best(scores: Scores, default: int) -> int:
    """The candidate with the highest mean score; of equal ones the nearest to the default."""
    means = [mean_over_classes(values, range(scores.shape[2])) for values in scores]
    order = np.argsort(np.abs(np.arange(len(scores)) - default), kind="stable")
    return int(order[np.nan_to_num(np.array(means), nan=-np.inf)[order].argmax()])
