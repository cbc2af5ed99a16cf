"""The scale on which an interval of a score is symmetric."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from src.evaluation.metrics.confusion import Scores

Bounds = tuple[float, float]  # the lower and the upper end of an interval


@dataclass(frozen=True)
class Scale:
    """A transform of scores to all real numbers: the logit between two limits, the log above one, or the identity.

    Attributes:
        low: Lower limit of a score, or -inf.
        high: Upper limit of a score, or inf.
    """

    low: float
    high: float

    def transform(self, values: Scores) -> Scores:
        """Return the values on the scale; a limit itself becomes infinite."""
        with np.errstate(divide="ignore"):
            above = np.log(values - self.low) if np.isfinite(self.low) else values
            return above - np.log(self.high - values) if np.isfinite(self.high) else above

    def derivative(self, values: Scores) -> Scores:
        """Return the derivative of `transform` at the values (delta method)."""
        if not np.isfinite(self.low):
            return np.ones_like(values)
        with np.errstate(divide="ignore"):
            return 1 / (values - self.low) + 1 / (self.high - values)

    def inverse(self, values: Scores) -> Scores:
        """Return the scores whose `transform` the values are."""
        if not np.isfinite(self.low):
            return values
        return self.low + ((self.high - self.low) * expit(values) if np.isfinite(self.high) else np.exp(values))

    def clip(self, values: Scores, tolerance: float) -> Scores:
        """Move values that rounding put outside of the limits back to them.

        Args:
            values: Scores.
            tolerance: How far outside of a limit is a rounding error.

        Raises:
            ValueError: A value lies further outside.
        """
        if np.any(values < self.low - tolerance) or np.any(values > self.high + tolerance):
            raise ValueError(f"a mean lies outside of its limits, {self.low} and {self.high}")
        return np.clip(values, self.low, self.high)


def bounds(middle: Scores, error: float, multiplier: float, scale: Scale) -> Bounds:
    """Return the interval around an estimate.

    Args:
        middle: The estimate, float64 [].
        error: Its standard error.
        multiplier: Half the width of the interval on the scale, in standard errors.
        scale: The scale on which the interval is symmetric.
    """
    ends = scale.transform(middle) + multiplier * error * scale.derivative(middle) * np.array([-1, 1])
    low, high = scale.inverse(ends)
    return float(low), float(high)
