"""The course of a training: the steps of each epoch, and the learning rate of each step."""

import math
from collections.abc import Iterator
from itertools import islice

from src.params import PlannedTrain


def steps_of_epoch(epoch: int, params: PlannedTrain) -> range:
    """The steps of an epoch. Epochs differ in length by one step if params.steps is no multiple of params.epochs.

    Args:
        epoch: from 1.
        params: its steps and epochs.

    Returns:
        Numbers of steps, which count from 0 over all epochs.
    """
    return range((epoch - 1) * params.steps // params.epochs, epoch * params.steps // params.epochs)


def remaining_steps(first: int, params: PlannedTrain) -> Iterator[tuple[int, int]]:
    """Iterate over the steps from step `first` on.

    Args:
        first: number of a step, from 0.
        params: its steps and epochs.

    Yields:
        The epoch of each step, from 1, and the step's number within this epoch, from 0.
    """
    epochs = range(1, params.epochs + 1)
    every = ((epoch, number) for epoch in epochs for number in range(len(steps_of_epoch(epoch, params))))
    return islice(every, first, None)


def learning_rate(step: int, params: PlannedTrain) -> float:
    """The learning rate of a step: linear warm-up to params.lr, then half a cosine down to 0.

    Args:
        step: from 0.
        params: its lr, warmup and steps.
    """
    warmup = round(params.warmup * params.steps)
    if step < warmup:
        return params.lr * (step + 1) / (warmup + 1)
    return params.lr * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(params.steps - warmup, 1)))
