"""The schedule: epochs divide the steps, and the learning rate rises and falls."""

from itertools import chain, pairwise

import numpy as np
import pytest

from src.model.training.schedule import learning_rate, remaining_steps, steps_of_epoch
from tests.conftest import changed_params


def course(steps, epochs, **changes):
    return changed_params(**{"train.steps": steps, "train.epochs": epochs}, **changes).train


@pytest.mark.parametrize(("steps", "epochs"), [(1600, 20), (10, 3), (997, 20), (7, 7), (13, 1)])
def test_epochs_divide_the_steps_evenly(steps, epochs):
    params = course(steps, epochs)
    parts = [steps_of_epoch(epoch, params) for epoch in range(1, epochs + 1)]
    assert list(chain(*parts)) == list(range(steps))
    assert {len(part) for part in parts} <= {steps // epochs, -(-steps // epochs)}


@pytest.mark.parametrize("first", [0, 3, 5, 9, 10])
def test_remaining_steps_number_the_steps_of_each_epoch(first):
    places = [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2), (3, 0), (3, 1), (3, 2), (3, 3)]
    assert list(remaining_steps(first, course(10, 3))) == places[first:]


def test_the_learning_rate_warms_up_and_falls_to_zero():
    params = course(1000, 3, **{"train.warmup": 0.1, "train.lr": 0.01})
    rates = np.array([learning_rate(step, params) for step in range(1000)])
    assert rates.argmax() == 100 and rates.max() == pytest.approx(0.01)
    assert all(before < after for before, after in pairwise(rates[:101]))
    assert (np.diff(rates[100:]) <= 0).all() and 0 < rates[0] < 0.001 and rates[-1] < 1e-6
