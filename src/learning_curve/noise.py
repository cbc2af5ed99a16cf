"""The noise of a learning curve: what its points would be with other validation groups, seeds and draws."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from src.data.store.subsets import FEWEST_GROUPS
from src.evaluation.statistics.bootstrap import GroupSums, draws, fewest_groups, group_sums, mean_and_influence
from src.learning_curve.curve import Curve

RESAMPLES = 2000
ASSUMED = 0.005  # standard deviation between seeds where there is one; two seeds differ by up to 0.01 (recipe.md)


@dataclass(frozen=True)
class Spread:
    """How much trainings of a point differ.

    Attributes:
        deviation: Standard deviation of mean Dice between seeds and draws of the images, pooled over the points.
        freedom: Its degrees of freedom; 0 if there is one seed, and the deviation is assumed.
    """

    deviation: float
    freedom: int

    @classmethod
    def of(cls, curve: Curve) -> "Spread":
        """Measure it, or assume `ASSUMED` where there is one seed."""
        away = [point.means - point.means.mean() for point in curve.columns]
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
class Replicates:
    """Curves as they could have been, one a row.

    Attributes:
        measured: Mean Dice of each point, float64 [points]; the longer trainings last.
        of_groups: The same with other validation groups, float64 [rows, points].
        dice: The same with other validation groups, seeds and draws, float64 [rows, points].
        enough_groups: Whether there are enough groups to tell what others would give. If not, `of_groups` repeats
            `measured`.
        spread: How much trainings of a point differ.
    """

    measured: NDArray[np.float64]
    of_groups: NDArray[np.float64]
    dice: NDArray[np.float64]
    enough_groups: bool
    spread: Spread


def replicate(curve: Curve, rng: np.random.Generator) -> Replicates:
    """Draw replicates of a curve.

    Groups are drawn jointly for all points (src/evaluation/statistics/bootstrap.py). The bootstrap of few groups is too
    narrow; its deviations are multiplied by what Student's interval of a mean is wider (Hesterberg 2015,
    https://doi.org/10.1080/00031305.2015.1089789).

    Args:
        curve: The curve.
        rng: The generator.
    """
    measured, spread = np.array([point.mean for point in curve.columns]), Spread.of(curve)
    tables = group_sums([point.together for point in curve.columns], np.array(curve.groups), [1.0] * len(measured))
    freedom, enough = len(tables[0].sums) - 1, min(map(fewest_groups, tables)) >= FEWEST_GROUPS
    of_groups = np.tile(measured, (RESAMPLES, 1))
    if enough:
        means = resampled_means(tables, RESAMPLES, int(rng.integers(2**32)))
        wider = np.sqrt(1 + 1 / freedom) * stdtrit(freedom, 0.975) / ndtri(0.975)
        of_groups = measured + wider * (means - measured)
    noise = spread.draw(len(of_groups), len(measured), len(curve.seeds), rng)
    return Replicates(measured, of_groups, of_groups + noise, enough, spread)


def resampled_means(tables: Sequence[GroupSums], resamples: int, seed: int) -> NDArray[np.float64]:
    """Compute the means of several tables of the same images in resamples of their groups (joint bootstrap).

    Every resample draws the same groups for all tables, so what makes images hard for all of them is shared.

    Args:
        tables: From `group_sums`, with the sign 1.
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
