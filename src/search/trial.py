"""What a search measures of a candidate, and what it needs to measure it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from src.evaluation.metrics.confusion import Scores, mean_over_classes
from src.search.candidate import Candidate


class NotPossible(Exception):
    """A candidate cannot be trained on this device. The text says why."""


@dataclass(frozen=True)
class Cost:
    """Seconds that a candidate takes on this device.

    Attributes:
        start: Until the first step and the first predicted image are done, which builds the graphs. A candidate whose
            graphs exist already has the seconds that they took.
        step: Every later step.
        image: Predicting and scoring a validation image.
    """

    start: float
    step: float
    image: float


@dataclass(frozen=True)
class Trial:
    """A short training and its scores.

    Attributes:
        candidate: The candidate.
        given: Seconds for which its steps were planned.
        steps: The number of steps.
        step: Seconds of a step, as measured.
        image: Seconds of predicting and scoring an image, as measured.
        scores: Dice, float64 [images, classes], NaN where an image does not count for a class. None if the loss became
            infinite or NaN.
    """

    candidate: Candidate
    given: float
    steps: int
    step: float
    image: float
    scores: Scores | None

    @property
    def dice(self) -> float:
        """Mean over images, then over classes; -1 if the training failed, 0 if no image has foreground."""
        if self.scores is None:
            return -1.0
        return mean_over_classes(self.scores, range(self.scores.shape[1])) if self.counts else 0.0

    @property
    def counts(self) -> bool:
        """Whether there is a Dice: the training did not fail, and an image has foreground."""
        return self.scores is not None and not np.isnan(self.scores).all()


class Trainer(Protocol):
    """Trains candidates on a device."""

    def prepare(self, candidate: Candidate) -> Cost:
        """Build a candidate and measure a few steps and an image, without keeping what was learned.

        Raises:
            NotPossible: The device cannot carry it.
        """
        ...

    def train(self, candidate: Candidate, given: float, steps: int, images: int) -> Trial:
        """Train a candidate from the start, with a learning rate that falls to 0, and score it.

        Args:
            candidate: The candidate.
            given: Seconds for the steps.
            steps: The number of steps; fewer if the device turns out to be much slower.
            images: The number of validation images to score.

        Raises:
            NotPossible: The device cannot carry it.
        """
        ...

    def groups(self, images: int) -> Sequence[str]:
        """Return the groups of the validation images that `train` scores."""
        ...

    def keep(self, candidates: Iterable[Candidate]) -> None:
        """Free the memory of all other candidates."""
        ...
