"""The course of a training: which steps each epoch has, and the learning rate of every step."""

import math
from collections.abc import Iterator
from itertools import islice

from src.params import PlannedTrain


def steps_of(epoch: int, params: PlannedTrain) -> range:
    """The steps of an epoch, which counts from 1; they count from 0 over all epochs.

    Epochs are equally long, or differ by one step where params.steps is no multiple of params.epochs.
    """
    return range((epoch - 1) * params.steps // params.epochs, epoch * params.steps // params.epochs)


def steps_from(first: int, params: PlannedTrain) -> Iterator[tuple[int, int]]:
    """Of step `first` and every later one: its epoch, from 1, and its number in that epoch, from 0."""
    epochs = range(1, params.epochs + 1)
    every = ((epoch, number) for epoch in epochs for number in range(len(steps_of(epoch, params))))
    return islice(every, first, None)


def learning_rate(step: int, params: PlannedTrain) -> float:
    """The rate of a step, from 0: linear warm-up to params.lr, then half a cosine down to 0."""
    warmup = round(params.warmup * params.steps)
    if step < warmup:
        return params.lr * (step + 1) / (warmup + 1)
    return params.lr * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(params.steps - warmup, 1)))
