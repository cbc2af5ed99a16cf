"""A 95 % interval for a mean score, or for the difference of two, by resampling whole groups of images.

The method is the symmetric bootstrap-t (Hall 1988, Journal of the Royal Statistical Society B 50, 35-45). Student's
quantile is replaced by the 95 % quantile of |estimate of a resample - estimate| / standard error in that resample. It
is computed on the logit or logarithmic scale that the limits of a score suggest: scores near a limit are skewed, and
the interval is longer on the other side. `python -m benchmarks.coverage` measures how often the interval holds the
truth.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, stdtrit

from src.data.store.subsets import FEWEST_GROUPS
from src.evaluation.metrics.confusion import Scores

LEVEL = 0.95
# Multipliers far above Student's quantile come from resamples almost without spread: they add width, hardly coverage.
# The cap is this multiple of Student's quantile or, if larger, that quantile at half the degrees of freedom.
MOST_STUDENTS = 1.25
MOST_DRAWN = 2**20  # group weights held at a time; bounds the memory for any number of groups
NEGLIGIBLE = 1e-10  # fraction of the largest score; a standard error below it is a rounding error

Bounds = tuple[float, float]  # the lower and the upper end of an interval
Groups = NDArray[np.generic]  # the group of each image, [images], numbers or names


def mean_interval(
    scores: Scores, groups: Groups, resamples: int, seed: int, limits: Bounds = (0.0, 1.0)
) -> Bounds | None:
    """Compute the 95 % interval of a mean: over images first, then over classes.

    Groups are drawn with replacement, since images of one group are not independent evidence. A class that counts for
    no image of a resample is left out of that resample's mean.

    Args:
        scores: float64 [images, classes]; NaN where an image does not count for a class.
        groups: The group of each image, [images] of numbers or names.
        resamples: Number of resamples.
        seed: Seed of the resampling.
        limits: The range of a score; (0, inf) for a distance.

    Returns:
        The bounds. None if a class counts in fewer than `FEWEST_GROUPS` groups, if no class counts, or if all groups
        score alike.

    Raises:
        ValueError: A mean lies outside of the limits.
    """
    return _interval(group_sums([scores], groups, [1.0]), resamples, seed, Scale(*limits), LEVEL)


def difference_interval(
    first: Scores,
    second: Scores,
    groups: Groups,
    resamples: int,
    seed: int,
    *,
    limits: Bounds = (-1.0, 1.0),
    level: float = LEVEL,
) -> Bounds | None:
    """Compute the interval of the second mean minus the first, of two tables of the same images (paired bootstrap).

    Each mean is over the images that count in its own table. Both are of the same drawn groups, so that what makes
    images hard for both cancels.

    Args:
        first: float64 [images, classes]; NaN where an image does not count for a class.
        second: The same shape, for the same images and classes.
        groups: The group of each image, [images] of numbers or names.
        resamples: Number of resamples.
        seed: Seed of the resampling.
        limits: The range of the difference; (-inf, inf) for distances.
        level: Confidence level, between 0 and 1.

    Returns:
        The bounds, both equal to the difference if it is the same in all groups. None if a class of a table counts in
        fewer than `FEWEST_GROUPS` groups, or if no class counts.

    Raises:
        ValueError: A difference lies outside of the limits.
    """
    return _interval(group_sums([first, second], groups, [-1.0, 1.0]), resamples, seed, Scale(*limits), level)


def standard_error(scores: Scores, groups: Groups) -> float:
    """Compute the linearised standard error of the mean that `mean_interval` describes.

    It is the root of the sum over groups of the squared influence on the mean. With one class and one image a group, it
    equals s / √n.

    Args:
        scores: float64 [images, classes]; NaN where an image does not count for a class.
        groups: The group of each image, [images].

    Returns:
        The standard error; NaN for fewer than two groups.
    """
    return _estimate(group_sums([scores], groups, [1.0]))[1]


def standard_error_of_difference(first: Scores, second: Scores, groups: Groups) -> float:
    """Compute the linearised standard error of the difference that `difference_interval` describes.

    Args:
        first: float64 [images, classes]; NaN where an image does not count for a class.
        second: The same shape, for the same images and classes.
        groups: The group of each image, [images].

    Returns:
        The standard error; NaN for fewer than two groups.
    """
    return _estimate(group_sums([first, second], groups, [-1.0, 1.0]))[1]


@dataclass(frozen=True)
class GroupSums:
    """A table of scores, added up by group.

    Attributes:
        sums: The sum of the scores, float64 [groups, classes].
        counts: The number of images that count, float64 [groups, classes].
        sign: 1, or -1 for a table that is subtracted.
    """

    sums: Scores
    counts: Scores
    sign: float


@dataclass(frozen=True)
class Scale:
    """A transform of scores to all real numbers: the logit between two limits, the log above one, or the identity.

    Attributes:
        low: Lower limit of a score, or -inf.
        high: Upper limit of a score, or inf.
    """

    low: float
    high: float

    def transform(self, values: Scores) -> Scores:
        """Return the values on the scale; a limit itself becomes infinite."""
        with np.errstate(divide="ignore"):
            above = np.log(values - self.low) if np.isfinite(self.low) else values
            return above - np.log(self.high - values) if np.isfinite(self.high) else above

    def derivative(self, values: Scores) -> Scores:
        """Return the derivative of `transform` at the values (delta method)."""
        if not np.isfinite(self.low):
            return np.ones_like(values)
        with np.errstate(divide="ignore"):
            return 1 / (values - self.low) + 1 / (self.high - values)

    def inverse(self, values: Scores) -> Scores:
        """Return the scores whose `transform` the values are."""
        if not np.isfinite(self.low):
            return values
        return self.low + ((self.high - self.low) * expit(values) if np.isfinite(self.high) else np.exp(values))

    def clip(self, values: Scores, tolerance: float) -> Scores:
        """Move values that rounding put outside of the limits back to them.

        Args:
            values: Scores.
            tolerance: How far outside of a limit is a rounding error.

        Raises:
            ValueError: A value lies further outside.
        """
        if np.any(values < self.low - tolerance) or np.any(values > self.high + tolerance):
            raise ValueError(f"a mean lies outside of its limits, {self.low} and {self.high}")
        return np.clip(values, self.low, self.high)


def group_sums(tables: Sequence[Scores], groups: Groups, signs: Sequence[float]) -> list[GroupSums]:
    """Add up tables of the same images by group. Groups that count in no table are left out.

    Args:
        tables: float64 [images, classes] each; NaN where an image does not count for a class.
        groups: The group of each image, [images].
        signs: For each table 1, or -1 if it is subtracted.
    """
    names, group = np.unique(groups, return_inverse=True)
    counted = [_added(~np.isnan(table), group, len(names)) for table in tables]
    used = np.any([counts.any(axis=1) for counts in counted], axis=0)
    return [
        GroupSums(_added(np.nan_to_num(table), group, len(names))[used], counts[used], sign)
        for table, counts, sign in zip(tables, counted, signs, strict=True)
    ]


def _added(values: Scores | NDArray[np.bool_], group: NDArray[np.intp], groups: int) -> Scores:
    sums = np.zeros((groups, values.shape[1]))
    np.add.at(sums, group, values)
    return sums


def _interval(tables: list[GroupSums], resamples: int, seed: int, scale: Scale, level: float) -> Bounds | None:
    if min(map(fewest_groups, tables)) < FEWEST_GROUPS:
        return None
    estimate, error = _estimate(tables)
    rounding = rounding_error(tables)
    middle = scale.clip(np.array(estimate), rounding)
    if error <= rounding:
        # All groups are alike. They agree on a difference, but do not show how much the scores of other groups vary.
        return (float(middle), float(middle)) if len(tables) == 2 else None
    estimates, errors = _replicates(tables, resamples, seed)
    ratios = standardised(scale.clip(estimates, rounding), errors, middle, scale, rounding)
    most = largest_multiplier(len(tables[0].sums) - 1, level)
    return bounds(middle, error, min(float(np.quantile(ratios, level, method="inverted_cdf")), most), scale)


def bounds(middle: Scores, error: float, multiplier: float, scale: Scale) -> Bounds:
    """Return the interval around an estimate.

    Args:
        middle: The estimate, float64 [].
        error: Its standard error.
        multiplier: Half the width of the interval on the scale, in standard errors.
        scale: The scale on which the interval is symmetric.
    """
    ends = scale.transform(middle) + multiplier * error * scale.derivative(middle) * np.array([-1, 1])
    low, high = scale.inverse(ends)
    return float(low), float(high)


def largest_multiplier(freedom: int, level: float) -> float:
    """Return the cap of the multiplier, see `MOST_STUDENTS`.

    Args:
        freedom: Degrees of freedom, the number of groups less one.
        level: Confidence level, between 0 and 1.
    """
    return float(max(MOST_STUDENTS * stdtrit(freedom, (1 + level) / 2), stdtrit(freedom / 2, (1 + level) / 2)))


def rounding_error(tables: Sequence[GroupSums]) -> float:
    """Return the difference of scores below which it is a rounding error."""
    return NEGLIGIBLE * max(float(np.max(np.abs(table.sums) / np.maximum(table.counts, 1))) for table in tables)


def fewest_groups(table: GroupSums) -> int:
    """Return the number of groups that count for the class with the fewest; 0 if no class counts."""
    groups = np.count_nonzero(table.counts, axis=0)
    return int(groups[groups > 0].min()) if groups.any() else 0


def standardised(estimates: Scores, errors: Scores, middle: Scores, scale: Scale, rounding: float) -> Scores:
    """Return the distance of each resample's estimate from the estimate, on the scale and in standard errors.

    Args:
        estimates: float64 [resamples].
        errors: The standard error of each, float64 [resamples].
        middle: The estimate, float64 [].
        scale: The scale.
        rounding: Differences and errors up to it count as 0.

    Returns:
        float64 [resamples]; inf where the estimate differs and has no standard error, 0 where it is undefined.
    """
    away, spread = np.abs(estimates - middle) > rounding, errors > rounding
    ratios, both = np.where(away, np.inf, 0.0), away & spread
    distances = np.abs(scale.transform(estimates[both]) - scale.transform(middle))
    ratios[both] = distances / (errors[both] * scale.derivative(estimates[both]))
    return ratios


def _replicates(tables: list[GroupSums], resamples: int, seed: int) -> tuple[Scores, Scores]:
    """Estimates and standard errors of the resamples in which every table has a score, at most [resamples] of each."""
    total, classes = tables[0].sums.shape
    found = [np.stack(_resampled(tables, drawn)) for drawn in draws(total, resamples, seed, max(total, classes))]
    estimates, errors = np.concatenate(found, axis=1)
    defined = ~np.isnan(estimates)
    return estimates[defined], errors[defined]


def draws(total: int, resamples: int, seed: int, width: int) -> Iterator[Scores]:
    """Draw groups with replacement.

    Args:
        total: Number of groups.
        resamples: Number of resamples.
        seed: Seed of the draws.
        width: Numbers that the caller needs for a resample; it decides how many resamples are drawn at a time, and
            has no effect on them.

    Yields:
        How often each group is drawn, float64 [some resamples, groups].
    """
    rng = np.random.default_rng(seed)
    step = max(1, MOST_DRAWN // width)
    for start in range(0, resamples, step):
        yield rng.multinomial(total, np.full(total, 1 / total), size=min(step, resamples - start)).astype(float)


def _estimate(tables: list[GroupSums]) -> tuple[float, float]:
    """The estimate and its standard error, with every group once."""
    estimates, errors = _resampled(tables, np.ones((1, len(tables[0].sums))))
    return float(estimates[0]), float(errors[0])


def _resampled(tables: list[GroupSums], weights: Scores) -> tuple[Scores, Scores]:
    """The estimate and linearised standard error in each resample, [resamples]; NaN where a table has no score in it.

    weights: how often each group was drawn, float64 [resamples, groups].
    """
    estimates, influences = np.zeros(len(weights)), np.zeros(weights.shape)
    for table in tables:
        mean, influence = mean_and_influence(table, weights)
        estimates += mean
        influences += influence
    return estimates, root_of_squares(influences, weights)


def mean_and_influence(table: GroupSums, weights: Scores) -> tuple[Scores, Scores]:
    """Compute a table's mean in each resample, and the influence of each group on it, both times its sign.

    A class mean is a ratio of two sums, R = S / N. A group with the sums s and n has the influence (s - R n) / N on it.

    Args:
        table: The table.
        weights: How often each group was drawn, float64 [resamples, groups].

    Returns:
        float64 [resamples], NaN where no class counts; and float64 [resamples, groups].
    """
    counts, sums = weights @ table.counts, weights @ table.sums
    each = np.divide(1, counts, out=np.zeros(counts.shape), where=counts > 0)  # 0: a class left out
    with np.errstate(invalid="ignore"):
        share = table.sign * each / (counts > 0).sum(axis=1, keepdims=True)
    return (share * sums).sum(axis=1), share @ table.sums.T - (share * sums * each) @ table.counts.T


def root_of_squares(influences: Scores, weights: Scores) -> Scores:
    """Compute the linearised standard error from the influences of the groups.

    Args:
        influences: float64 [resamples, groups].
        weights: How often each group was drawn, float64 [resamples, groups].

    Returns:
        float64 [resamples]; NaN for a single group.
    """
    total = weights.shape[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt((weights * influences**2).sum(axis=1) * np.divide(total, total - 1))
