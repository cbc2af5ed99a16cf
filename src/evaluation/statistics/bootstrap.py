"""A 95 % interval for the mean score, or for the difference of two, by resampling whole groups of images.

It is the symmetric bootstrap-t of Hall (1988, Journal of the Royal Statistical Society B 50, 35-45): in place of
Student's quantile, the 95 % quantile of |estimate of a resample - estimate| / standard error in that resample. It is
taken on the logit or logarithmic scale that the limits of a score suggest: scores near a limit are skewed, and the
interval is longer on the other side. `python -m benchmarks.coverage` shows how often it holds the truth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, stdtrit

from src.data.store.subsets import FEWEST_GROUPS
from src.evaluation.metrics.confusion import Scores

LEVEL = 0.95
# A multiplier far above Student's quantile comes of resamples almost without spread: it adds width, hardly coverage.
MOST_STUDENTS = 1.25  # times as much at most, or if that is more, Student's quantile of half the degrees of freedom
MOST_DRAWN = 2**20  # group weights held at a time: bounds the memory, whatever the number of groups
NEGLIGIBLE = 1e-10  # of the largest score: a standard error below it is one of rounding


def interval(
    scores: Scores, groups: NDArray[Any], resamples: int, seed: int, limits: tuple[float, float] = (0.0, 1.0)
) -> tuple[float, float] | None:
    """The 95 % interval of the mean over classes of the mean over images, or None where it cannot be told.

    That is where any of the classes counts in fewer than `FEWEST_GROUPS` groups, or where all groups score alike.

    scores: float64 [images, classes], NaN where an image does not count for a class; groups: the group of each image,
    [images] of numbers or names. Groups are drawn with replacement, since images of one group are no independent
    evidence; a class that no image of a resample counts for is left out of that resample's mean. limits: of a score;
    (0, inf) for a distance. ValueError for a mean outside them.
    """
    return _interval(_sides([scores], groups), resamples, seed, Scale(*limits))


def difference(
    first: Scores,
    second: Scores,
    groups: NDArray[Any],
    resamples: int,
    seed: int,
    limits: tuple[float, float] = (-1.0, 1.0),
    level: float = LEVEL,
) -> tuple[float, float] | None:
    """The interval of the second mean less the first, of two tables [images, classes] of the same images.

    Each mean is over the images that its own table counts; both are of the same drawn groups, so that what makes images
    hard for both cancels. None where a class counts in too few groups. limits: of the difference, (-inf,
    inf) for distances. level: of confidence. Otherwise as `interval`.
    """
    return _interval(_sides([first, second], groups), resamples, seed, Scale(*limits), level)


def error(scores: Scores, groups: NDArray[Any]) -> float:
    """Linearised standard error of the mean over classes of the mean over images; NaN below two groups.

    Each group's influence on the mean, squared and added up. With one class and one image a group, that is s / √n.
    """
    return _estimate(_sides([scores], groups))[1]


def error_of_difference(first: Scores, second: Scores, groups: NDArray[Any]) -> float:
    """As `error`, of the difference of two tables of the same images."""
    return _estimate(_sides([first, second], groups))[1]


@dataclass(frozen=True)
class Side:
    """One table by group: sums of its scores and numbers of images that count, float64 [groups, classes]; its sign."""

    sums: Scores
    counts: Scores
    sign: float


@dataclass(frozen=True)
class Scale:
    """From values between two limits to all real numbers and back: logit between two, log above one, else the same."""

    low: float
    high: float

    def of(self, values: Scores) -> Scores:
        with np.errstate(divide="ignore"):  # a limit itself is at infinity
            above = np.log(values - self.low) if np.isfinite(self.low) else values
            return above - np.log(self.high - values) if np.isfinite(self.high) else above

    def slope(self, values: Scores) -> Scores:
        """By how much `of` grows with its values."""
        if not np.isfinite(self.low):
            return np.ones_like(values)
        with np.errstate(divide="ignore"):
            return 1 / (values - self.low) + 1 / (self.high - values)

    def back(self, values: Scores) -> Scores:
        if not np.isfinite(self.low):
            return values
        return self.low + ((self.high - self.low) * expit(values) if np.isfinite(self.high) else np.exp(values))

    def inside(self, values: Scores, tolerance: float) -> Scores:
        """The values, those that rounding pushed over a limit put back on it; ValueError for others outside."""
        if np.any(values < self.low - tolerance) or np.any(values > self.high + tolerance):
            raise ValueError(f"a mean lies outside of its limits, {self.low} and {self.high}")
        return np.clip(values, self.low, self.high)


def _sides(tables: Sequence[Scores], groups: NDArray[Any]) -> list[Side]:
    """Each table by group, without the groups that count in none of them; of two tables the first is subtracted."""
    names, group = np.unique(groups, return_inverse=True)
    counted = [_added(~np.isnan(table), group, len(names)) for table in tables]
    told = np.any([counts.any(axis=1) for counts in counted], axis=0)
    signs = (1.0,) if len(tables) == 1 else (-1.0, 1.0)
    return [
        Side(_added(np.nan_to_num(table), group, len(names))[told], counts[told], sign)
        for table, counts, sign in zip(tables, counted, signs, strict=True)
    ]


def _added(values: NDArray[Any], group: NDArray[np.intp], groups: int) -> Scores:
    sums = np.zeros((groups, values.shape[1]))
    np.add.at(sums, group, values)
    return sums


def _interval(
    sides: list[Side], resamples: int, seed: int, scale: Scale, level: float = LEVEL
) -> tuple[float, float] | None:
    if min(map(_fewest, sides)) < FEWEST_GROUPS:
        return None
    estimate, error = _estimate(sides)
    rounding = NEGLIGIBLE * max(float(np.max(np.abs(side.sums) / np.maximum(side.counts, 1))) for side in sides)
    middle = scale.inside(np.array(estimate), rounding)
    if error <= rounding:  # all groups alike: they agree on a difference, but do not tell how the scores of others vary
        return (float(middle), float(middle)) if len(sides) == 2 else None
    estimates, errors = _replicates(sides, resamples, seed)
    ratios = _ratios(scale.inside(estimates, rounding), errors, middle, scale, rounding)
    freedom = len(sides[0].sums) - 1
    most = max(MOST_STUDENTS * stdtrit(freedom, (1 + level) / 2), stdtrit(freedom / 2, (1 + level) / 2))
    multiplier = min(float(np.quantile(ratios, level, method="inverted_cdf")), float(most))
    ends = scale.of(middle) + multiplier * error * scale.slope(middle) * np.array([-1, 1])
    low, high = scale.back(ends)
    return float(low), float(high)


def _fewest(side: Side) -> int:
    """How many groups count for the class that the fewest count for; 0 without any class."""
    groups = np.count_nonzero(side.counts, axis=0)
    return int(groups[groups > 0].min()) if groups.any() else 0


def _ratios(estimates: Scores, errors: Scores, middle: Scores, scale: Scale, rounding: float) -> Scores:
    """How many of its own standard errors each estimate lies from `middle` on the scale; infinite if without spread."""
    away, spread = np.abs(estimates - middle) > rounding, errors > rounding
    ratios, both = np.where(away, np.inf, 0.0), away & spread
    distances = np.abs(scale.of(estimates[both]) - scale.of(middle))
    ratios[both] = distances / (errors[both] * scale.slope(estimates[both]))
    return ratios


def _replicates(sides: list[Side], resamples: int, seed: int) -> tuple[Scores, Scores]:
    """Estimates and standard errors of the resamples in which every table has a score, up to [resamples] of each."""
    rng = np.random.default_rng(seed)
    total, classes = sides[0].sums.shape
    step = max(1, MOST_DRAWN // max(total, classes))
    found = []
    for start in range(0, resamples, step):
        drawn = rng.multinomial(total, np.full(total, 1 / total), size=min(step, resamples - start))
        found.append(np.stack(_resampled(sides, drawn.astype(float))))
    estimates, errors = np.concatenate(found, axis=1)
    told = ~np.isnan(estimates)
    return estimates[told], errors[told]


def _estimate(sides: list[Side]) -> tuple[float, float]:
    """The estimate and its standard error, from every group once."""
    estimates, errors = _resampled(sides, np.ones((1, len(sides[0].sums))))
    return float(estimates[0]), float(errors[0])


def _resampled(sides: list[Side], weights: Scores) -> tuple[Scores, Scores]:
    """Estimate and linearised standard error in each resample, [resamples]; NaN where a table has no score in it.

    weights: how often each group was drawn, float64 [resamples, groups]. A class mean is a ratio of two sums R = S / N,
    on which a group of the sums s and n has the influence (s - R n) / N.
    """
    total = weights.shape[1]
    estimates, influences = np.zeros(len(weights)), np.zeros(weights.shape)
    for side in sides:
        counts, sums = weights @ side.counts, weights @ side.sums
        each = np.divide(1, counts, out=np.zeros(counts.shape), where=counts > 0)  # 0: a class left out
        with np.errstate(invalid="ignore"):
            share = side.sign * each / (counts > 0).sum(axis=1, keepdims=True)
        estimates += (share * sums).sum(axis=1)
        influences += share @ side.sums.T - (share * sums * each) @ side.counts.T
    with np.errstate(invalid="ignore", divide="ignore"):
        return estimates, np.sqrt((weights * influences**2).sum(axis=1) * np.divide(total, total - 1))
