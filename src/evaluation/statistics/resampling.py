"""Resamples of groups, and what makes an interval of them: the bootstrap-t."""

from collections.abc import Iterator

import numpy as np
from scipy.special import stdtrit

from src.evaluation.metrics.confusion import Scores
from src.evaluation.statistics.scale import Scale

LEVEL = 0.95
# Multipliers far above Student's quantile come from resamples almost without spread: they add width, hardly coverage.
# The cap is this multiple of Student's quantile or, if larger, that quantile at half the degrees of freedom.
MOST_STUDENTS = 1.25
MOST_DRAWN = 2**20  # group weights held at a time; bounds the memory for any number of groups


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


def largest_multiplier(freedom: int, level: float) -> float:
    """Return the cap of the multiplier, see `MOST_STUDENTS`.

    Args:
        freedom: Degrees of freedom, the number of groups less one.
        level: Confidence level, between 0 and 1.
    """
    return float(max(MOST_STUDENTS * stdtrit(freedom, (1 + level) / 2), stdtrit(freedom / 2, (1 + level) / 2)))
