"""Shortened trainings: by the user, after a number of steps, and when validation stops improving."""

import re
from argparse import Namespace
from itertools import count

import numpy as np
import pytest

import src.model.training.loop as loop
from src.errors import UserError
from src.model.training.checkpoints import Checkpoint
from src.model.training.shorten import check_shortening, shorten_between_epochs
from src.trainings import OWNER, RunningTraining, running_trainings
from tests.small_training import small_params
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
    planned = {key: finished.project.plan[key] for key in ("train.steps", "train.epochs")}
    assert {key: setting.value for key, setting in planned.items()} == {"train.steps": 15, "train.epochs": 2}
    assert planned["train.steps"].why == "40 were planned; shortened after step 13"
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
    assert again.history == finished.history and again.timed_steps < finished.step
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
    assert capsys.readouterr().out.count("not shortened by tools.finish: the planned end") == 1


def test_a_request_that_comes_too_late_is_answered(store, monkeypatch, capsys):
    measure = loop.measure_images

    def late(*arguments):
        request_finish(store)
        return measure(*arguments)

    monkeypatch.setattr(loop, "measure_images", late)
    training = train_small(store, **{"train.epochs": 1, "train.steps": 4})
    assert not training.checkpoint.finish_requested()
    assert "not shortened by tools.finish: the training is at its end" in capsys.readouterr().out


def test_a_request_of_a_process_that_was_killed_holds_for_the_training_that_continues(tmp_path):
    checkpoint = Checkpoint(tmp_path / "one")
    with checkpoint.locked():
        RunningTraining.read(checkpoint.folder).request_finish()
    with checkpoint.locked():
        assert not checkpoint.finish_requested()  # there is no state: the training starts again
        RunningTraining.read(checkpoint.folder).request_finish()
        checkpoint.save(lambda: b"a state")
    with checkpoint.locked():
        assert checkpoint.finish_requested()
    checkpoint.discard()
    assert not checkpoint.finish_requested()


def test_the_first_machine_decides_on_patience():
    """The best epoch of another machine differs, because its scores differ in the last digit."""

    class Machine:
        def __init__(self, chief, best, sent):
            self.workers, self.best, self.sent = self, {"epoch": best}, sent
            self.chief, self.history, self.step = chief, [{}] * 5, 50
            self.shortened_after, self.shortened_by = 0, ""
            self.checkpoint = self

        def from_chief(self, content):
            if self.chief:
                self.sent.append(content)
            return self.sent[-1]

        finish_requested = lambda self: False  # noqa: E731
        save = forget_request = lambda self, *_: None

        def to_bytes(self):
            return b""

    params, sent = small_params(**{"train.epochs": 10, "train.steps": 100, "train.patience": 3}).train, []
    machines = [Machine(True, 2, sent), Machine(False, 5, sent)]
    for machine in machines:
        shorten_between_epochs(machine, params)
    assert [machine.shortened_after for machine in machines] == [50, 50] and sent == [b"train.patience"]


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


@pytest.mark.parametrize(("steps", "refused"), [(35, False), (36, True), (40, True), (99, True)])
def test_finish_after_without_effect_is_refused(steps, refused):
    params = small_params(**LONG, **{"train.finish_after": steps}).train
    if not refused:
        check_shortening(params)
        return
    with pytest.raises(UserError, match=re.escape(f"train.finish_after ({steps}) has no effect: with train.steps 40")):
        check_shortening(params)


def test_patience_without_effect_is_refused(store):
    with pytest.raises(UserError, match=r"train.patience \(4\) has no effect with train.epochs 4: lower it"):
        train_small(store, **LONG, **{"train.patience": 4})
