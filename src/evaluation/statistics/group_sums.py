"""Tables of scores, added up by group of images: their means and the influence of each group on these."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from src.evaluation.metrics.confusion import Scores

NEGLIGIBLE = 1e-10  # fraction of the largest score; a standard error below it is a rounding error

Groups = NDArray[np.generic]  # the group of each image, [images], numbers or names


@dataclass(frozen=True)
class GroupSums:
    """A table of scores, added up by group.

    Attributes:
        sums: The sum of the scores, float64 [groups, classes].
        counts: The number of images that count, float64 [groups, classes].
        factor: What the mean of the table is multiplied by in the estimate, such as -1 for one that is subtracted.
    """

    sums: Scores
    counts: Scores
    factor: float


def group_sums(scores: Sequence[Scores], groups: Groups, factors: Sequence[float]) -> list[GroupSums]:
    """Add up tables of the same images by group. Groups that count in no table are left out.

    Args:
        scores: float64 [images, classes] each; NaN where an image does not count for a class. Or [seeds, images,
            classes], one table for each seed: their means are averaged, not their scores, since an image may count for
            some of the seeds only.
        groups: The group of each image, [images].
        factors: What each mean is multiplied by in the estimate.

    Returns:
        A sum for each table; a factor is divided by the number of its tables.
    """
    names, group = np.unique(groups, return_inverse=True)
    stacks = [each if each.ndim == 3 else each[np.newaxis] for each in scores]
    parts = [(table, factor / len(stack)) for stack, factor in zip(stacks, factors, strict=True) for table in stack]
    counted = [_added(~np.isnan(table), group, len(names)) for table, _ in parts]
    used = np.any([counts.any(axis=1) for counts in counted], axis=0)
    return [
        GroupSums(_added(np.nan_to_num(table), group, len(names))[used], counts[used], factor)
        for (table, factor), counts in zip(parts, counted, strict=True)
    ]


def _added(values: Scores | NDArray[np.bool_], group: NDArray[np.intp], groups: int) -> Scores:
    sums = np.zeros((groups, values.shape[1]))
    np.add.at(sums, group, values)
    return sums


def fewest_groups(table: GroupSums) -> int:
    """Return the number of groups that count for the class with the fewest; 0 if no class counts."""
    groups = np.count_nonzero(table.counts, axis=0)
    return int(groups[groups > 0].min()) if groups.any() else 0


def rounding_error(tables: Sequence[GroupSums]) -> float:
    """Return the difference of scores below which it is a rounding error."""
    return NEGLIGIBLE * max(float(np.max(np.abs(table.sums) / np.maximum(table.counts, 1))) for table in tables)


def mean_and_influence(table: GroupSums, weights: Scores) -> tuple[Scores, Scores]:
    """Compute a table's mean in each resample, and the influence of each group on it, both times its factor.

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
        share = table.factor * each / (counts > 0).sum(axis=1, keepdims=True)
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
