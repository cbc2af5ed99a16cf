"""Estimate the gain from twice the labels and from twice the steps, with intervals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from src.evaluation.statistics.scale import Bounds
from src.learning_curve.curve import Curve
from src.learning_curve.law import Laws, draw_laws
from src.learning_curve.noise import Replicates, Spreads, replicate

DOUBLED = 2.0
SHOWN = 60  # sizes at which the band of the chart is computed


@dataclass(frozen=True)
class Range:
    """An estimate.

    Attributes:
        value: The estimate.
        bounds: Its 95 % interval; None if there are too few groups of validation images.
    """

    value: float
    bounds: Bounds | None

    @property
    def sign(self) -> int:
        """1 or -1 if the whole interval lies above or below 0, else 0."""
        if self.bounds is None:
            return 0
        return int(self.bounds[0] > 0) - int(self.bounds[1] < 0)


@dataclass(frozen=True)
class Band:
    """The fitted law for a chart.

    Attributes:
        images: Numbers of images, float64 [sizes], up to twice as many as there are.
        middle: The fitted score at each, float64 [sizes].
        low: Lower end of its 95 % interval, float64 [sizes].
        high: Upper end.
    """

    images: NDArray[np.float64]
    middle: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """Results of a learning curve.

    Attributes:
        labels: Gain in mean Dice from twice the labelled images.
        longer: Gain from twice the steps on all images; None if they were not trained.
        advantage: `labels` minus `longer`, the values too.
        exponent: The exponent of the power law.
        band: The fitted law.
        spreads: Differences between trainings of a point.
        grew: Whether all images together score higher than the smallest fraction.
    """

    labels: Range
    longer: Range | None
    advantage: Range | None
    exponent: Range
    band: Band
    spreads: Spreads
    grew: bool


def estimate(curve: Curve, seed: int = 0) -> Estimate:
    """Fit power laws to replicates of a curve and extrapolate to twice the images.

    Args:
        curve: The curve, with at least three fractions.
        seed: Of all draws.
    """
    rng = np.random.default_rng(seed)
    drawn = replicate(curve, rng)
    laws, enough_groups = fitted(curve, drawn, rng), drawn.enough_groups
    here, there = laws.dice(np.array([1.0, DOUBLED])).T
    gains = there - here
    labels, longer, advantage = _range(gains, enough_groups), None, None
    if curve.longer:
        steps = drawn.dice[:, -1] - drawn.dice[:, -2]
        longer = _range(steps, enough_groups, float(drawn.measured[-1] - drawn.measured[-2]))
        advantage = _range(gains - steps, enough_groups, labels.value - longer.value)
    measured = drawn.measured[: len(curve.points)]
    return Estimate(
        labels,
        longer,
        advantage,
        _range(laws.exponent, enough_groups),
        _band(curve, laws),
        drawn.spreads,
        bool(measured[-1] > measured[0]),
    )


def predict(curve: Curve, size: float, seed: int = 0) -> Range:
    """Predict mean Dice of new trainings at another size, as it would be measured on the same validation images.

    The noise of as many seeds as each point has is included.

    Args:
        curve: The curve, with at least three fractions.
        size: The number of images, relative to that of the last point.
        seed: Of all draws.
    """
    rng = np.random.default_rng(seed)
    drawn = replicate(curve, rng)
    laws, last = fitted(curve, drawn, rng), len(curve.points) - 1
    shared = drawn.of_groups[:, last] - drawn.measured[last]  # how easy the drawn groups are: the images stay the same
    new = drawn.spreads.whole.draw(len(shared), 1, len(curve.seeds), rng)[:, 0]
    dice = laws.dice(np.array([size]))[:, 0] - shared + new
    return _range(np.minimum(dice, 1.0), drawn.enough_groups)


def fitted(curve: Curve, drawn: Replicates, rng: np.random.Generator) -> Laws:
    """Fit a power law to each replicate.

    Args:
        curve: The curve.
        drawn: Its replicates.
        rng: Draws the exponents.
    """
    dice = drawn.dice[:, : len(curve.points)]
    apart = dice - dice.mean(axis=1, keepdims=True)  # without what all points share
    # Half the width of the central 68 %, which is the standard deviation of normal noise. That of Student's t with two
    # degrees of freedom is infinite.
    low, high = np.quantile(apart, ndtr([-1, 1]), axis=0)
    noise = float(np.sqrt(np.sum(((high - low) / 2) ** 2) / (len(curve.points) - 1)))
    return draw_laws(curve.sizes, dice, noise, rng)


def _range(values: NDArray[np.float64], enough_groups: bool, value: float | None = None) -> Range:
    low, high = np.quantile(values, [0.025, 0.975])
    bounds = (float(low), float(high)) if enough_groups else None
    return Range(float(np.median(values)) if value is None else value, bounds)


def _band(curve: Curve, laws: Laws) -> Band:
    sizes = np.geomspace(curve.sizes[0], DOUBLED, SHOWN)
    low, middle, high = np.quantile(laws.dice(sizes), [0.025, 0.5, 0.975], axis=0)
    return Band(sizes * curve.points[-1].images, middle, low, high)
