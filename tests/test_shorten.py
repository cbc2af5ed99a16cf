"""Shortened trainings: by the user, after a number of steps, and when validation stops improving."""

import re
from argparse import Namespace
from itertools import count

import numpy as np
import pytest

import src.model.training.loop as loop
from src.errors import UserError
from src.model.training.checkpoints import Checkpoint
from src.trainings import OWNER, RunningTraining, running_trainings
from tests.test_resume import Killed, interrupted, kill  # noqa: F401
from tests.test_train import float32, train_small  # noqa: F401
from tools.finish import main as finish

LONG = {"train.epochs": 4, "train.steps": 40}  # 10 steps each
AFTER = 13  # steps; 2 more follow


def request_finish(store):
    """Ask the training of this store, which runs in this process, to finish."""
    folders = (store.folder.parent / "checkpoints").iterdir()
    RunningTraining.read(max(folders, key=lambda folder: (folder / OWNER).stat().st_mtime_ns)).request_finish()


def acting(made, actions):
    """Let `training_step` make steps after which the action of their number, from 0, is called."""

    def make(*arguments):
        step, numbers = made(*arguments), count()

        def act(*batch):
            found = step(*batch)
            actions.get(next(numbers), lambda: None)()
            return found

        return act

    return make


@pytest.fixture
def finished(store, interrupted):  # noqa: F811
    """A training that was asked to finish after `AFTER` steps."""
    interrupted(AFTER - 1, lambda: request_finish(store))
    training = train_small(store, **LONG)
    training.checkpoint.discard()
    interrupted(1000, kill)
    return training


def test_a_training_that_is_asked_to_finish_is_shortened(finished):
    assert finished.step == 15 and finished.shortened_after == AFTER and len(finished.history) == 2
    assert finished.history[-1]["lr"] < 0.6 * finished.history[0]["lr"]
    metrics = finished.metrics({})
    assert (metrics["shortened_after"], metrics["shortened_by"]) == (AFTER, "tools.finish")
    planned = finished.project.plan["train.steps"]
    assert planned.value == 15 and planned.why == "40 were planned; shortened after step 13"
    assert not finished.checkpoint.finish_requested()


def test_finish_after_repeats_a_training_that_was_asked_to_finish(store, finished):
    again = train_small(store, **LONG, **{"train.finish_after": AFTER})
    assert again.shortened_by == "train.finish_after"
    again.shortened_by = "tools.finish"
    assert again.to_bytes() == finished.to_bytes()


@pytest.mark.parametrize("killed_in", [AFTER - 2, AFTER, AFTER + 1])
def test_a_shortened_training_that_is_killed_ends_with_the_same_bits(store, finished, interrupted, killed_in):  # noqa: F811
    interrupted(killed_in, kill)
    with pytest.raises(Killed):
        train_small(store, **LONG, **{"train.finish_after": AFTER})
    interrupted(1000, kill)
    again = train_small(store, **LONG, **{"train.finish_after": AFTER})
    assert again.history == finished.history
    for weight, expected in zip(again.best_weights, finished.best_weights, strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_a_request_survives_a_kill_in_the_last_steps(store, finished, monkeypatch):
    actions = {AFTER - 1: lambda: request_finish(store), AFTER + 1: kill}
    monkeypatch.setattr(loop, "training_step", acting(loop.training_step, actions))
    with pytest.raises(Killed):
        train_small(store, **LONG)
    monkeypatch.undo()
    training = train_small(store, **LONG)
    assert training.timed_steps < 3 and training.to_bytes() == finished.to_bytes()


def test_patience_shortens_a_training_whose_validation_does_not_improve(store, monkeypatch):
    rows = iter([0.5, 0.4, 0.5, 0.6])
    measures = loop.epoch_measures
    monkeypatch.setattr(loop, "epoch_measures", lambda *given: measures(*given) | {"dice": next(validated)})
    validated = (value for row in rows for value in (0.0, row))  # of the patches, then of the images
    training = train_small(store, **LONG, **{"train.patience": 2})
    assert training.shortened_after == 30 and training.step == 33 and len(training.history) == 4


def test_a_training_that_is_nearly_done_is_not_shortened(store, interrupted, capsys):  # noqa: F811
    interrupted(37, lambda: request_finish(store))
    training = train_small(store, **LONG)
    assert training.step == 40 and "shortened_after" not in training.metrics({})
    assert capsys.readouterr().out.count("not shortened by tools.finish") == 1


def test_a_request_of_an_earlier_process_is_forgotten(tmp_path):
    checkpoint = Checkpoint(tmp_path / "one")
    with checkpoint.locked():
        RunningTraining.read(checkpoint.folder).request_finish()
        assert checkpoint.finish_requested()
    with checkpoint.locked():
        assert not checkpoint.finish_requested()


def test_running_trainings_are_those_whose_lock_is_held(tmp_path):
    one, other = (Checkpoint(tmp_path / ".dvc/tmp/checkpoints" / name) for name in ("one", "other"))
    with other.locked():
        pass
    with one.locked():
        (running,) = running_trainings(tmp_path)
        assert running.folder == one.folder
    assert running_trainings(tmp_path) == []


def test_tools_finish_asks_the_training_that_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one, other = (Checkpoint(tmp_path / ".dvc/tmp/checkpoints" / name) for name in ("one", "other"))
    with pytest.raises(UserError, match="no training is running"):
        finish(Namespace(process=None))
    with one.locked():
        with pytest.raises(UserError, match=r"process 1 is not a training; running are:\n  process \d+ in "):
            finish(Namespace(process=1))
        finish(Namespace(process=None))
        assert one.finish_requested() and not other.finish_requested()
        with other.locked(), pytest.raises(UserError, match="several trainings are running; choose one by --process"):
            finish(Namespace(process=None))


def test_finish_after_the_last_step_is_refused(store):
    with pytest.raises(UserError, match=re.escape("train.finish_after (40) must be less than train.steps (40)")):
        train_small(store, **LONG, **{"train.finish_after": 40})
