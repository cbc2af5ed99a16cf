"""A 95 % interval for the mean score, by resampling whole groups of images."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from src.evaluation.confusion import Scores

FEWEST_GROUPS = 5  # below it no bootstrap covers what it promises, so no interval is given
TAILS = np.array([0.025, 0.975])


def interval(scores: Scores, groups: NDArray[Any], resamples: int, seed: int) -> tuple[float, float] | None:
    """BCa bootstrap interval of the mean over classes of the mean over images; None below `FEWEST_GROUPS` groups.

    scores: float64 [images, classes], NaN where an image does not count for a class; groups: [images], the name or number of each image's.
    Groups are drawn with replacement, since images of one group are no independent evidence. BCa (Efron 1987,
    https://doi.org/10.1080/01621459.1987.10478410) corrects the plain percentiles for bias and skewness.
    """
    _, group = np.unique(groups, return_inverse=True)
    counted = ~np.isnan(scores)
    membership = np.eye(group.max() + 1)[:, group]  # [group, image]
    sums, counts = membership @ np.nan_to_num(scores), membership @ counted
    informative = counts.any(axis=1)  # a group that counts for no class says nothing
    sums, counts = sums[informative], counts[informative]
    total = len(sums)
    if total < FEWEST_GROUPS:
        return None
    drawn = np.random.default_rng(seed).multinomial(total, np.full(total, 1 / total), size=resamples).astype(float)
    replicates = _statistic(drawn, sums, counts)
    estimate = _statistic(np.ones((1, total)), sums, counts)[0]
    jackknife = _statistic(1 - np.eye(total), sums, counts)
    low, high = np.quantile(replicates, _bca_levels(estimate, replicates, jackknife))
    return float(low), float(high)


def _statistic(weights: NDArray[np.float64], sums: Scores, counts: Scores) -> Scores:
    """The mean over classes of the mean over images for each row of group weights [n, groups] → [n]."""
    weighted = weights @ counts
    means = np.divide(weights @ sums, weighted, out=np.zeros(weighted.shape), where=weighted > 0)
    return means.sum(axis=1) / (weighted > 0).sum(axis=1)


def _bca_levels(estimate: float, replicates: Scores, jackknife: Scores) -> Scores:
    """Which quantiles of the replicates bound the interval: `TAILS`, corrected for bias and skewness."""
    below = (np.mean(replicates < estimate) + np.mean(replicates <= estimate)) / 2
    bias = ndtri(np.clip(below, 1 / len(replicates), 1 - 1 / len(replicates)))
    deviation = jackknife.mean() - jackknife
    spread = np.sum(deviation**2) ** 1.5
    acceleration = np.sum(deviation**3) / (6 * spread) if spread > 0 else 0.0
    shifted = bias + ndtri(TAILS)
    return np.asarray(ndtr(bias + shifted / (1 - acceleration * shifted)))
