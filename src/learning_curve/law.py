"""Power laws of the score: Dice(n) = limit - loss · n^-exponent, where n is the number of images.

The form is the usual one (Hestness et al. 2017, https://arxiv.org/abs/1712.00409; Figueroa et al. 2012,
https://doi.org/10.1186/1472-6947-12-8). Its three parameters leave three points no residual, and its exponent and limit
are strongly correlated for more. But for a given exponent the rest is linear, and the gain of a doubling of n depends
little on the exponent: it is 2^-exponent of the gain of the last doubling. So the limit is fitted, and every exponent
between 0.03, almost a logarithm, and 2 is used, weighted by its likelihood. With the best exponent alone, intervals
would be too narrow (Mahmood et al. 2022, https://arxiv.org/abs/2207.01725).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
EXPONENTS = np.geomspace(0.03, 2.0, 120)  # equally likely a priori: log-uniform


@dataclass(frozen=True)
class Laws:
    """Some power laws.

    Attributes:
        limit: The score for infinitely many images, float64 [laws]. It may lie above 1.
            Only one doubling is extrapolated.
        loss: What is missing at n = 1, float64 [laws]; below 0 for a score that falls.
        exponent: float64 [laws].
    """

    limit: Numbers
    loss: Numbers
    exponent: Numbers

    def dice(self, sizes: Numbers) -> Numbers:
        """Return the scores at some sizes, at most 1: float64 [sizes] → [laws, sizes]."""
        return np.minimum(self.limit[:, None] - self.loss[:, None] * sizes ** -self.exponent[:, None], 1.0)


def draw_laws(sizes: Numbers, dice: Numbers, noise: float, rng: np.random.Generator) -> Laws:
    """Draw a power law for each row of scores.

    The exponent is drawn by its likelihood; limit and loss are fitted by least squares, given the exponent (variable
    projection, Golub and Pereyra 1973, https://doi.org/10.1137/0710036).

    Args:
        sizes: Numbers of images, float64 [points], at least two different ones.
        dice: Scores, float64 [rows, points].
        noise: Standard deviation of a score around the law. If it is 0, the best exponent is taken.
        rng: Draws the exponents.
    """
    powers = sizes[None] ** -EXPONENTS[:, None]  # [exponents, points]
    centred = powers - powers.mean(axis=1, keepdims=True)
    moved = dice - dice.mean(axis=1, keepdims=True)
    loss = -(moved @ centred.T) / np.sum(centred**2, axis=1)  # [rows, exponents]
    residuals = np.sum(moved**2, axis=1, keepdims=True) - loss**2 * np.sum(centred**2, axis=1)
    excess = residuals - residuals.min(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        likelihood = np.where(excess > 0, np.exp(-excess / (2 * noise**2)), 1.0)
    sums = np.cumsum(likelihood, axis=1)
    chosen = np.sum(rng.random((len(dice), 1)) * sums[:, -1:] > sums, axis=1)
    rows = np.arange(len(dice))
    limit = dice.mean(axis=1) + loss[rows, chosen] * powers.mean(axis=1)[chosen]
    return Laws(limit, loss[rows, chosen], EXPONENTS[chosen])
