"""Speed of a training, and the time that the rest takes."""

import time
from collections.abc import Callable
from dataclasses import dataclass

RECENT = 0.02  # weight of the last step in the mean: it follows a change of speed within about 50 steps


@dataclass
class Speed:
    """Measures steps and validations. The first step is left out, since it builds a graph.

    Attributes:
        step: recent mean of the seconds of a step; None before one was measured.
        validation: seconds of the last validation; None before the first one.
        clock: the time in seconds.
    """

    step: float | None = None
    validation: float | None = None
    clock: Callable[[], float] = time.monotonic
    _measured: int = 0  # steps
    _last: float | None = None  # when the last step or validation ended

    def step_done(self) -> None:
        """Note that a step is done."""
        before, self._last = self._last, self.clock()
        if before is not None:
            self._measured += 1
            mean = self.step or 0.0
            self.step = mean + (self._last - before - mean) * max(1 / self._measured, RECENT)

    def validation_done(self) -> None:
        """Note that a validation is done."""
        before, self._last = self._last, self.clock()
        if before is not None:
            self.validation = self._last - before

    def remaining(self, steps: int, validations: float) -> float | None:
        """Estimate how long the rest takes.

        Args:
            steps: number of steps.
            validations: number of validations, which counts a part of one as a fraction.

        Returns:
            Seconds; None before a step was measured. Validations take no time before one was measured.
        """
        return None if self.step is None else steps * self.step + validations * (self.validation or 0.0)
