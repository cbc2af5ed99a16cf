"""A 95 % interval for a mean score, or for the difference of two, by resampling whole groups of images.

The method is the symmetric bootstrap-t (Hall 1988, Journal of the Royal Statistical Society B 50, 35-45). Student's
quantile is replaced by the 95 % quantile of |estimate of a resample - estimate| / standard error in that resample. It
is computed on the logit or logarithmic scale that the limits of a score suggest: scores near a limit are skewed, and
the interval is longer on the other side. `python -m benchmarks.coverage` measures how often the interval holds the
truth.
"""

from collections.abc import Sequence

import numpy as np

from src.data.store.subsets import FEWEST_GROUPS
from src.evaluation.metrics.confusion import Scores
from src.evaluation.statistics.group_sums import Groups, GroupSums, fewest_groups, group_sums, rounding_error
from src.evaluation.statistics.resampling import LEVEL, draws, largest_multiplier, standardised
from src.evaluation.statistics.scale import Bounds, Scale, bounds
from src.evaluation.statistics.standard_error import estimate, estimates_of_resamples


def mean_interval(
    scores: Scores, groups: Groups, resamples: int, seed: int, limits: Bounds = (0.0, 1.0)
) -> Bounds | None:
    """Compute the 95 % interval of a mean: over images first, then over classes, then over seeds.

    Groups are drawn with replacement, since images of one group are not independent evidence. A class that counts for
    no image of a resample is left out of that resample's mean.

    Args:
        scores: float64 [images, classes], or [seeds, images, classes]; NaN where an image does not count for a class.
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

    Each mean is over the images that count in its own table; of several seeds it is the mean of their means. Both are
    of the same drawn groups, so that what makes images hard for both cancels.

    Args:
        first: float64 [images, classes], or [seeds, images, classes]; NaN where an image does not count for a class.
        second: The same images and classes; the number of seeds may differ.
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


def _interval(tables: Sequence[GroupSums], resamples: int, seed: int, scale: Scale, level: float) -> Bounds | None:
    if min(map(fewest_groups, tables)) < FEWEST_GROUPS:
        return None
    found, error = estimate(tables)
    rounding = rounding_error(tables)
    middle = scale.clip(np.array(found), rounding)
    if error <= rounding:
        # All groups are alike. They agree on a difference, but do not show how much the scores of other groups vary.
        return (float(middle), float(middle)) if any(table.factor < 0 for table in tables) else None
    estimates, errors = _replicates(tables, resamples, seed)
    ratios = standardised(scale.clip(estimates, rounding), errors, middle, scale, rounding)
    most = largest_multiplier(len(tables[0].sums) - 1, level)
    return bounds(middle, error, min(float(np.quantile(ratios, level, method="inverted_cdf")), most), scale)


def _replicates(tables: Sequence[GroupSums], resamples: int, seed: int) -> tuple[Scores, Scores]:
    """Estimates and standard errors of the resamples in which every table has a score, at most [resamples] of each."""
    total, classes = tables[0].sums.shape
    parts = draws(total, resamples, seed, max(total, classes))
    found = [np.stack(estimates_of_resamples(tables, drawn)) for drawn in parts]
    estimates, errors = np.concatenate(found, axis=1)
    defined = ~np.isnan(estimates)
    return estimates[defined], errors[defined]
