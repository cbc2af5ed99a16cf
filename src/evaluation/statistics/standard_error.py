"""An estimate from tables of scores, and its linearised standard error over groups of images."""

from collections.abc import Sequence

import numpy as np

from src.evaluation.metrics.confusion import Scores
from src.evaluation.statistics.group_sums import Groups, GroupSums, group_sums, mean_and_influence, root_of_squares


def standard_error(scores: Scores, groups: Groups) -> float:
    """Compute the linearised standard error of a mean: over images first, then over classes, then over seeds.

    It is the root of the sum over groups of the squared influence on the mean. With one class and one image a group, it
    equals s / √n.

    Args:
        scores: float64 [images, classes], or [seeds, images, classes]; NaN where an image does not count for a class.
        groups: The group of each image, [images].

    Returns:
        The standard error; NaN for fewer than two groups.
    """
    return estimate(group_sums([scores], groups, [1.0]))[1]


def standard_error_of_difference(first: Scores, second: Scores, groups: Groups) -> float:
    """Compute the linearised standard error of the second mean minus the first, of the same images.

    Args:
        first: float64 [images, classes], or [seeds, images, classes]; NaN where an image does not count for a class.
        second: The same images and classes; the number of seeds may differ.
        groups: The group of each image, [images].

    Returns:
        The standard error; NaN for fewer than two groups.
    """
    return estimate(group_sums([first, second], groups, [-1.0, 1.0]))[1]


def estimate(tables: Sequence[GroupSums]) -> tuple[float, float]:
    """Compute the estimate, the sum of all means times their factors, and its standard error."""
    estimates, errors = estimates_of_resamples(tables, np.ones((1, len(tables[0].sums))))
    return float(estimates[0]), float(errors[0])


def estimates_of_resamples(tables: Sequence[GroupSums], weights: Scores) -> tuple[Scores, Scores]:
    """Compute the estimate and its linearised standard error in each resample.

    Args:
        tables: The tables.
        weights: How often each group was drawn, float64 [resamples, groups].

    Returns:
        float64 [resamples] each; NaN where a table has no score in the resample.
    """
    estimates, influences = np.zeros(len(weights)), np.zeros(weights.shape)
    for table in tables:
        mean, influence = mean_and_influence(table, weights)
        estimates += mean
        influences += influence
    return estimates, root_of_squares(influences, weights)
