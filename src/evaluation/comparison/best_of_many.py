"""Intervals of the difference of several runs from the best of them, corrected for all comparisons.

Every run is compared with all others. The largest of these differences, each in its own standard errors, has a quantile
that the bootstrap estimates: Dunnett's comparison with a control (1955, Journal of the American Statistical Association
50, 1096-1121), with the maximum over paired resamples in place of his tables, as in Romano and Wolf (2005, Econometrica
73, 1237-1282). It takes into account that runs of a sweep resemble each other, which Bonferroni and Holm do not.

Which run is the best in truth is not known. The run is excluded if its difference from the best one in the sample is
beyond the quantile of its own comparisons. The run that is the best in truth is then excluded with a probability of at
most 5 %, however the best one in the sample was found (Gupta 1965, Technometrics 7, 225-245; Hsu 1981, Annals of
Statistics 9, 1026-1034).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from src.data.store.subsets import FEWEST_GROUPS
from src.evaluation.metrics.confusion import Scores
from src.evaluation.statistics.group_sums import (
    Groups,
    GroupSums,
    fewest_groups,
    group_sums,
    mean_and_influence,
    root_of_squares,
    rounding_error,
)
from src.evaluation.statistics.resampling import LEVEL, MOST_DRAWN, draws, largest_multiplier, standardised
from src.evaluation.statistics.scale import Bounds, Scale, bounds
from src.progress import progress

SCALE = Scale(-1.0, 1.0)  # of a difference of two scores


def intervals_from_best(
    scores: Sequence[Scores], groups: Groups, best: int, resamples: int, seed: int
) -> list[Bounds | None]:
    """Compute the interval of the difference of each run from the best one.

    With two runs, the interval is that of `difference_interval`. The time grows with the square of the number of runs.

    Args:
        scores: For each run float64 [images, classes]; NaN where an image does not count for a class.
        groups: The group of each image, [images].
        best: The index of the best run.
        resamples: Number of resamples.
        seed: Seed of the resampling.

    Returns:
        For each run the bounds of its mean less that of the best run, both equal to the difference if it is the same
        in all groups; (0, 0) for the best run. None for a run in which no class counts, or one of them counts in fewer
        than `FEWEST_GROUPS` groups; it does not affect the others. All None if that is the best run.
    """
    enough = [fewest_groups(table) >= FEWEST_GROUPS for table in group_sums(scores, groups, [1.0] * len(scores))]
    if not enough[best]:
        return [None] * len(scores)
    kept = [table for table, used in zip(scores, enough, strict=True) if used]
    found = iter(_intervals(kept, groups, sum(enough[:best]), resamples, seed))
    return [next(found) if used else None for used in enough]


def _intervals(scores: Sequence[Scores], groups: Groups, best: int, resamples: int, seed: int) -> list[Bounds]:
    """Compute `intervals_from_best` for runs in which every class counts in enough groups."""
    tables = group_sums(scores, groups, [1.0] * len(scores))
    total = len(tables[0].sums)
    once, rounding = np.ones((1, total)), rounding_error(tables)
    means, influences = _parts(tables, once)
    largest = _largest(tables, means[:, 0], resamples, seed)
    cap = largest_multiplier(total - 1, 1 - (1 - LEVEL) / max(len(scores) - 1, 1))  # Bonferroni's level is no smaller
    found: list[Bounds] = []
    for run, ratios in enumerate(largest):
        difference = SCALE.clip(np.array(means[run, 0] - means[best, 0]), rounding)
        error = float(root_of_squares(influences[run] - influences[best], once)[0])
        if error <= rounding:
            found.append((float(difference), float(difference)))
        else:
            quantile = float(np.nanquantile(ratios, LEVEL, method="inverted_cdf"))
            found.append(bounds(difference, error, min(quantile, cap), SCALE))
    return found


def _parts(tables: Sequence[GroupSums], weights: Scores) -> tuple[Scores, Scores]:
    """Compute the means, float64 [runs, resamples], and the influences, float64 [runs, resamples, groups]."""
    parts = [mean_and_influence(table, weights) for table in tables]
    return np.stack([mean for mean, _ in parts]), np.stack([influence for _, influence in parts])


def _largest(tables: Sequence[GroupSums], means: Scores, resamples: int, seed: int) -> NDArray[np.float64]:
    """Compute the largest standardised difference of each run from another one, float64 [runs, resamples].

    It is NaN in resamples in which no difference of the run is defined.
    means: the mean of each run, float64 [runs].
    """
    runs, total = len(tables), len(tables[0].sums)
    rounding, found = rounding_error(tables), []
    width = runs * max(tables[0].sums.shape)
    batches = -(-resamples // max(1, MOST_DRAWN // width))
    for weights in progress(draws(total, resamples, seed, width), batches, "comparing runs"):
        estimates, influences = _parts(tables, weights)
        largest = np.full((runs, len(weights)), np.nan)
        for one in range(runs):
            for other in range(one):
                errors = root_of_squares(influences[one] - influences[other], weights)
                away = SCALE.clip(estimates[one] - estimates[other], rounding)
                middle = SCALE.clip(np.array(means[one] - means[other]), rounding)
                ratios = standardised(away, errors, middle, SCALE, rounding)
                ratios[np.isnan(away)] = np.nan
                largest[[one, other]] = np.fmax(largest[[one, other]], ratios)
        found.append(largest)
    return np.concatenate(found, axis=1)
