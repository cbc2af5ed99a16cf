"""The schedule: epochs divide the steps, and the learning rate rises and falls."""

from itertools import chain, pairwise

import numpy as np
import pytest

from src.model.training.schedule import Schedule, remaining_batches
from tests.conftest import changed_params


def course(steps, epochs, **changes):
    return changed_params(**{"train.steps": steps, "train.epochs": epochs}, **changes).train


@pytest.mark.parametrize(("steps", "epochs"), [(1600, 20), (10, 3), (997, 20), (7, 7), (13, 1)])
def test_epochs_divide_the_steps_evenly(steps, epochs):
    params = course(steps, epochs)
    parts = [Schedule(params).steps_of_epoch(epoch) for epoch in range(1, epochs + 1)]
    assert list(chain(*parts)) == list(range(steps))
    assert {len(part) for part in parts} <= {steps // epochs, -(-steps // epochs)}


@pytest.mark.parametrize("first", [0, 3, 5, 9, 10])
def test_remaining_batches_are_numbered_in_each_epoch(first):
    places = [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2), (3, 0), (3, 1), (3, 2), (3, 3)]
    assert list(remaining_batches(first, course(10, 3))) == places[first:]


def test_the_learning_rate_warms_up_and_falls_to_zero():
    params = course(1000, 3, **{"train.warmup": 0.1, "train.lr": 0.01})
    rates = np.array([Schedule(params).learning_rate(step) for step in range(1000)])
    assert rates.argmax() == 100 and rates.max() == pytest.approx(0.01)
    assert all(before < after for before, after in pairwise(rates[:101]))
    assert (np.diff(rates[100:]) <= 0).all() and 0 < rates[0] < 0.001 and rates[-1] < 1e-6


@pytest.mark.parametrize("after", [1, 7, 99, 100, 449, 450, 500, 908])
def test_a_shortened_training_ends_after_a_tenth_more_steps(after):
    planned, shortened = (Schedule(course(1000, 20), number) for number in (0, after))
    assert shortened.steps == after + -(-after // 10)
    parts = [shortened.steps_of_epoch(epoch) for epoch in range(1, shortened.epochs + 1)]
    assert list(chain(*parts)) == list(range(shortened.steps))
    assert parts[:-1] == [planned.steps_of_epoch(epoch) for epoch in range(1, shortened.epochs)]
    assert after in parts[-1]


@pytest.mark.parametrize("after", [5, 300])
def test_the_learning_rate_of_a_shortened_training_falls_linearly_to_zero(after):
    params = course(1000, 20, **{"train.warmup": 0.1})
    planned, shortened = Schedule(params), Schedule(params, after)
    rates = [shortened.learning_rate(step) for step in range(shortened.steps)]
    assert rates[: after + 1] == [planned.learning_rate(step) for step in range(after + 1)]
    fall = np.append(rates[after:], 0)
    np.testing.assert_allclose(fall, np.linspace(rates[after], 0, len(fall)))


def test_a_training_with_fewer_steps_left_ends_as_planned():
    assert Schedule(course(1000, 20), 950).steps == 1000 and Schedule(course(1000, 20), 1000).epochs == 20
