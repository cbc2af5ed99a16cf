"""The noise of a learning curve: replicates with other validation groups, seeds and draws."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from src.data.store.subsets import FEWEST_GROUPS
from src.evaluation.statistics.group_sums import GroupSums, fewest_groups, group_sums, mean_and_influence
from src.evaluation.statistics.resampling import draws
from src.learning_curve.curve import Curve, Point

RESAMPLES = 2000
ASSUMED = 0.005  # standard deviation between seeds where there is one; two seeds differ by up to 0.01 (recipe.md)


@dataclass(frozen=True)
class Spread:
    """Differences between trainings of a point.

    Attributes:
        deviation: Standard deviation of mean Dice between trainings, pooled over some points.
        freedom: Its degrees of freedom; 0 if there is one seed, and the deviation is assumed.
    """

    deviation: float
    freedom: int

    @classmethod
    def of(cls, points: Sequence[Point]) -> "Spread":
        """Measure it, or assume `ASSUMED` where there is one seed."""
        away = [point.means - point.mean for point in points]
        freedom = sum(len(means) - 1 for means in away)
        if not freedom:
            return cls(ASSUMED, 0)
        return cls(float(np.sqrt(np.sum(np.square(away)) / freedom)), freedom)

    def draw(self, rows: int, points: int, seeds: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the noise of means over seeds, with the uncertainty of the deviation (Student's t).

        Args:
            rows: Number of draws.
            points: Number of points in each.
            seeds: Number of seeds that each mean is over.
            rng: The generator.

        Returns:
            float64 [rows, points].
        """
        wide = np.sqrt(self.freedom / rng.chisquare(self.freedom, (rows, 1))) if self.freedom else 1.0
        return self.deviation / np.sqrt(seeds) * wide * rng.standard_normal((rows, points))


@dataclass(frozen=True)
class Spreads:
    """The spread of the trainings of a curve. At fraction 1, all seeds have the same images; below 1 they do not.

    Attributes:
        parts: The spread below fraction 1, between seeds and draws of the images.
        whole: The spread on all images, twice the steps included, between seeds. Without a fraction 1, that of `parts`.
    """

    parts: Spread
    whole: Spread

    @classmethod
    def of(cls, curve: Curve) -> "Spreads":
        """Measure both."""
        parts = Spread.of([point for point in curve.columns if point.share < 1])
        whole = [point for point in curve.columns if point.share == 1]
        return cls(parts, Spread.of(whole) if whole else parts)

    def draw(self, curve: Curve, rows: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the noise of each point's mean.

        Args:
            curve: The curve.
            rows: Number of draws.
            rng: The generator.

        Returns:
            float64 [rows, points], in the order of `Curve.columns`.
        """
        below = sum(point.share < 1 for point in curve.columns)
        counts = ((self.parts, below), (self.whole, len(curve.columns) - below))
        return np.hstack([spread.draw(rows, points, len(curve.seeds), rng) for spread, points in counts])


@dataclass(frozen=True)
class Replicates:
    """Replicates of a curve, one a row.

    Attributes:
        measured: Mean Dice of each point, float64 [points]; the longer trainings last.
        of_groups: The same with other validation groups, float64 [rows, points].
        dice: The same with other validation groups, seeds and draws, float64 [rows, points].
        enough_groups: Whether there are enough groups for an interval. If not, `of_groups` repeats `measured`.
        spreads: Differences between trainings of a point.
    """

    measured: NDArray[np.float64]
    of_groups: NDArray[np.float64]
    dice: NDArray[np.float64]
    enough_groups: bool
    spreads: Spreads


def replicate(curve: Curve, rng: np.random.Generator) -> Replicates:
    """Draw replicates of a curve.

    Groups are drawn jointly for all trainings (src/evaluation/statistics), and the means of a point's
    trainings are averaged. The bootstrap of few groups is too narrow, so its deviations are multiplied by the ratio of
    Student's and the normal quantile, and by the root of n / (n - 1) for n groups (Hesterberg 2015,
    https://doi.org/10.1080/00031305.2015.1089789).

    Args:
        curve: The curve.
        rng: The generator.
    """
    measured, spreads = np.array([point.mean for point in curve.columns]), Spreads.of(curve)
    scores = [one for point in curve.columns for one in point.scores]
    tables = group_sums(scores, np.array(curve.groups), [1.0] * len(scores))
    freedom, enough = len(tables[0].sums) - 1, min(map(fewest_groups, tables)) >= FEWEST_GROUPS
    of_groups = np.tile(measured, (RESAMPLES, 1))
    if enough:
        each = resampled_means(tables, RESAMPLES, int(rng.integers(2**32)))
        means = each.reshape(len(each), len(measured), -1).mean(axis=2)
        wider = np.sqrt(1 + 1 / freedom) * stdtrit(freedom, 0.975) / ndtri(0.975)
        of_groups = measured + wider * (means - measured)
    noise = spreads.draw(curve, len(of_groups), rng)
    return Replicates(measured, of_groups, of_groups + noise, enough, spreads)


def resampled_means(tables: Sequence[GroupSums], resamples: int, seed: int) -> NDArray[np.float64]:
    """Compute the means of several tables of the same images in resamples of their groups (joint bootstrap).

    Every resample draws the same groups for all tables, so what makes images hard for all of them is shared.

    Args:
        tables: From `group_sums`, with the factor 1.
        resamples: Number of resamples.
        seed: Seed of the resampling.

    Returns:
        float64 [at most resamples, tables]: means over images, then over classes. Resamples in which a table has no
        score are left out.
    """
    total, classes = tables[0].sums.shape
    parts = draws(total, resamples, seed, max(total, classes))
    means = [np.stack([mean_and_influence(table, drawn)[0] for table in tables], axis=1) for drawn in parts]
    found = np.concatenate(means)
    return found[~np.isnan(found).any(axis=1)]
