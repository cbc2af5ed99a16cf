"""The schedule of a training: the steps of each epoch, and the learning rate of each step; planned or shortened."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from src.params import PlannedTrain

# Share of the steps so far in which the learning rate of a shortened training falls to 0; such a fall is called
# cooldown in Hägele et al., https://arxiv.org/abs/2405.18392.
FINISH = 0.1


@dataclass(frozen=True)
class Schedule:
    """The steps, epochs and learning rates of a training. Steps count from 0 over all epochs, epochs from 1.

    A training is shortened after some of its steps: the learning rate falls linearly to 0 in `FINISH` times as many
    further steps. They all belong to the epoch of the first of them, which becomes the last epoch. The batches stay
    those that were planned for these steps.

    Attributes:
        params: the planned settings.
        shortened_after: steps after which the training was shortened; 0: it was not.
    """

    params: PlannedTrain
    shortened_after: int = 0

    @property
    def steps(self) -> int:
        """The number of steps of the whole training, at most as many as planned."""
        if not self.shortened_after:
            return self.params.steps
        return min(self.shortened_after + math.ceil(FINISH * self.shortened_after), self.params.steps)

    @property
    def epochs(self) -> int:
        """The number of epochs."""
        if not self.shortened_after:
            return self.params.epochs
        return self._epoch_of(min(self.shortened_after, self.params.steps - 1))

    def steps_of_epoch(self, epoch: int) -> range:
        """Return the steps of an epoch. Epochs differ in length by one step if steps is no multiple of epochs.

        Args:
            epoch: from 1 to `epochs`.
        """
        planned = self._planned(epoch)
        return range(planned.start, self.steps) if epoch == self.epochs else planned

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of a step: linear warm-up to train.lr, then half a cosine down to 0.

        Args:
            step: from 0 to `steps` - 1.
        """
        if self.shortened_after and step >= self.shortened_after:
            left = (self.steps - step) / (self.steps - self.shortened_after)
            return planned_rate(self.shortened_after, self.params) * left
        return planned_rate(step, self.params)

    def _planned(self, epoch: int) -> range:
        steps, epochs = self.params.steps, self.params.epochs
        return range((epoch - 1) * steps // epochs, epoch * steps // epochs)

    def _epoch_of(self, step: int) -> int:
        return next(epoch for epoch in range(1, self.params.epochs + 1) if step in self._planned(epoch))


def planned_rate(step: int, params: PlannedTrain) -> float:
    """Return the learning rate of a step in a training that is not shortened.

    Args:
        step: from 0.
        params: its lr, warmup and steps.
    """
    warmup = round(params.warmup * params.steps)
    if step < warmup:
        return params.lr * (step + 1) / (warmup + 1)
    return params.lr * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(params.steps - warmup, 1)))


def remaining_batches(first: int, params: PlannedTrain) -> Iterator[tuple[int, int]]:
    """Iterate over the planned batches from step `first` on.

    Args:
        first: number of a step, from 0.
        params: its steps and epochs.

    Yields:
        The epoch for which each batch is planned, from 1, and its number within this epoch, from 0.
    """
    schedule = Schedule(params)
    epochs = range(1, params.epochs + 1)
    every = ((epoch, number) for epoch in epochs for number in range(len(schedule.steps_of_epoch(epoch))))
    return islice(every, first, None)
