"""A 95 % interval for the mean score, by resampling whole groups of images."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from src.evaluation.confusion import Scores, class_means

FEWEST_GROUPS = 5  # below it no bootstrap covers what it promises, so no interval is given
MOST_DRAWN = 2**22  # group weights held at a time: bounds the memory, whatever the number of groups
TAILS = np.array([0.025, 0.975])


def interval(scores: Scores, groups: NDArray[Any], resamples: int, seed: int) -> tuple[float, float] | None:
    """BCa bootstrap interval of the mean over classes of the mean over images; None below `FEWEST_GROUPS` groups.

    scores: float64 [images, classes], NaN where an image does not count for a class; groups: the group of each image,
    [images] of numbers or names. Groups are drawn with replacement, since images of one group are no independent
    evidence. BCa (Efron 1987, https://doi.org/10.1080/01621459.1987.10478410) corrects for bias and skewness.
    """
    sums, counts = _by_group(scores, groups)
    total = len(sums)
    if total < FEWEST_GROUPS:
        return None
    rng = np.random.default_rng(seed)
    replicates = np.empty(resamples)
    step = max(1, MOST_DRAWN // total)
    for start in range(0, resamples, step):
        drawn = rng.multinomial(total, np.full(total, 1 / total), size=min(step, resamples - start)).astype(float)
        replicates[start : start + len(drawn)] = _mean(drawn @ sums, drawn @ counts)
    estimate = float(_mean(sums.sum(axis=0), counts.sum(axis=0)))
    jackknife = _mean(sums.sum(axis=0) - sums, counts.sum(axis=0) - counts)  # each group left out once
    low, high = np.quantile(replicates, _bca_levels(estimate, replicates, jackknife))
    return float(low), float(high)


def difference(
    first: Scores, second: Scores, groups: NDArray[Any], resamples: int, seed: int, level: float = 0.95
) -> tuple[float, float] | None:
    """Placeholder: percentile bootstrap of headline(second) - headline(first), both on the same drawn groups.

    first, second: float64 [images, classes], NaN where an image does not count for a class. None below `FEWEST_GROUPS`
    groups in which an image counts in either.
    """
    both = np.hstack([first, second])
    sums, counts = _by_group(both, groups)
    total, classes = len(sums), first.shape[1]
    if total < FEWEST_GROUPS:
        return None
    drawn = np.random.default_rng(seed).multinomial(total, np.full(total, 1 / total), size=resamples).astype(float)
    sums, counts = drawn @ sums, drawn @ counts
    with np.errstate(invalid="ignore"):
        replicates = _mean(sums[:, classes:], counts[:, classes:]) - _mean(sums[:, :classes], counts[:, :classes])
    low, high = np.nanquantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def error(scores: Scores, groups: NDArray[Any]) -> float:
    """Placeholder: linearised standard error of the mean over classes of the mean over images; NaN below two groups."""
    return _error(_influence(scores, groups))


def error_of_difference(first: Scores, second: Scores, groups: NDArray[Any]) -> float:
    """Placeholder: as `error`, of the difference of two tables of the same images."""
    moved = np.stack([_influence(first, groups), _influence(second, groups)])
    moved = moved[:, ~np.isnan(moved).all(axis=0)]
    return _error(np.nan_to_num(moved[1]) - np.nan_to_num(moved[0]))


def _influence(scores: Scores, groups: NDArray[Any]) -> Scores:
    """How much each group moves the mean: float64 [groups], NaN where no image counts."""
    counted = ~np.isnan(scores)
    number = counted.sum(axis=0)
    share = np.divide(1, number * max((number > 0).sum(), 1), out=np.zeros(len(number)), where=number > 0)
    moved = np.where(counted, scores - class_means(scores), 0) @ share
    group = np.unique(groups, return_inverse=True)[1]
    return np.where(np.bincount(group, counted.any(axis=1)) > 0, np.bincount(group, moved), np.nan)


def _error(moved: Scores) -> float:
    told = moved[~np.isnan(moved)]
    return float(np.sqrt(len(told) / (len(told) - 1) * np.sum(told**2))) if len(told) > 1 else float("nan")


def _by_group(scores: Scores, groups: NDArray[Any]) -> tuple[Scores, Scores]:
    """Sum of the scores and number of images that count, [groups, classes], of the groups that count for any class."""
    names, group = np.unique(groups, return_inverse=True)
    sums, counts = (np.zeros((len(names), scores.shape[1])) for _ in range(2))
    np.add.at(sums, group, np.nan_to_num(scores))
    np.add.at(counts, group, ~np.isnan(scores))
    informative = counts.any(axis=1)
    return sums[informative], counts[informative]


def _mean(sums: Scores, counts: Scores) -> Scores:
    """The mean over the classes that count for any image of their means over images: [..., classes] → [...]."""
    means = np.divide(sums, counts, out=np.zeros(counts.shape), where=counts > 0)
    return np.asarray(means.sum(axis=-1) / (counts > 0).sum(axis=-1))


def _bca_levels(estimate: float, replicates: Scores, jackknife: Scores) -> Scores:
    """Which quantiles of the replicates bound the interval: `TAILS`, corrected for bias and skewness."""
    below = (np.mean(replicates < estimate) + np.mean(replicates <= estimate)) / 2
    bias = ndtri(np.clip(below, 1 / len(replicates), 1 - 1 / len(replicates)))
    deviation = jackknife.mean() - jackknife
    spread = np.sum(deviation**2) ** 1.5
    acceleration = np.sum(deviation**3) / (6 * spread) if spread > 0 else 0.0
    shifted = bias + ndtri(TAILS)
    return np.asarray(ndtr(bias + shifted / (1 - acceleration * shifted)))
