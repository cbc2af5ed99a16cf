"""Interrupted trainings continue bit for bit, or stop with a message."""

import errno
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

import src.model.training.loop as train
from src.errors import UserError
from src.model.training.checkpoints import ABANDONED, Checkpoint, checkpoint_key
from src.trainings import trainings_folder
from tests.test_train import float32, train_small  # noqa: F401

LONG = {"train.epochs": 4}  # 4 steps each
UNEVEN = {"train.epochs": 3, "train.steps": 10}  # 3, 3 and 4 steps


class Killed(Exception):
    """Stands for SIGKILL: nothing is saved when it is raised."""


@pytest.fixture
def interrupted(monkeypatch):
    """interrupted(n, action): call action() after step n of the next training, counted from 0."""

    def prepare(number, action):
        def broken(*arguments):
            step, calls = made(*arguments), iter(range(1000))

            def counting(*batch):
                found = step(*batch)
                if next(calls) == number:
                    action()
                return found

            return counting

        monkeypatch.setattr(train, "training_step", broken)

    made = train.training_step
    return prepare


def kill():
    raise Killed


def test_a_repeatedly_killed_training_ends_with_the_same_bits(store, interrupted):
    reference = train_small(store, **LONG)
    reference.checkpoint.discard()
    rng = np.random.default_rng(0)
    for _ in range(10):
        interrupted(int(rng.integers(0, 5)), kill)
        try:
            train_small(store, **LONG)
        except Killed:
            continue
        break
    interrupted(1000, kill)
    training = train_small(store, **LONG)
    assert training.to_bytes() == reference.to_bytes()
    assert training.timed_steps < 16  # it did go on, not begin anew


@pytest.mark.parametrize("number", [2, 7])
def test_a_training_with_epochs_of_unequal_length_continues_with_the_same_bits(store, interrupted, number):
    """After the last step of an epoch, and within the one that is longer."""
    reference = train_small(store, **UNEVEN)
    reference.checkpoint.discard()
    assert [row["epoch"] for row in reference.history] == [1, 2, 3] and reference.step == reference.timed_steps == 10
    interrupted(number, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(UserError, match=rf"after step {number + 1};"):
        train_small(store, **UNEVEN)
    interrupted(1000, kill)
    training = train_small(store, **UNEVEN)
    assert training.timed_steps == 9 - number and training.to_bytes() == reference.to_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_signal_loses_no_step(store, interrupted, number):
    reference = train_small(store, **LONG)
    reference.checkpoint.discard()
    interrupted(5, lambda: os.kill(os.getpid(), number))
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(
        UserError, match=r"stopped in epoch 2, after step 6; all of it is kept; the same command continues"
    ):
        train_small(store, **LONG)
    assert handlers == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))
    interrupted(1000, kill)
    training = train_small(store, **LONG)
    assert training.timed_steps == 10 and training.to_bytes() == reference.to_bytes()


def test_a_full_disk_keeps_the_last_good_checkpoint(store, interrupted, monkeypatch):
    reference = train_small(store, **LONG)
    reference.checkpoint.discard()

    def full(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Checkpoint, "due", lambda self: True)
    interrupted(5, lambda: monkeypatch.setattr(os, "fsync", full))
    with pytest.raises(
        UserError, match=r"checkpoint could not be written: .*state: No space.*free some space.*continues from it"
    ):
        train_small(store, **LONG)
    monkeypatch.undo()
    training = train_small(store, **LONG)
    assert training.timed_steps == 11 and training.to_bytes() == reference.to_bytes()
    assert not list(training.checkpoint.folder.glob(".tmp-*"))


def test_two_trainings_never_share_a_checkpoint(tmp_path):
    with Checkpoint(tmp_path / "one").locked():
        with pytest.raises(UserError, match=rf"process {os.getpid()} is training .*`kill {os.getpid()}`, which saves"):
            Checkpoint(tmp_path / "one").locked().__enter__()
        with Checkpoint(tmp_path / "other").locked():
            pass
    with Checkpoint(tmp_path / "one").locked():
        pass


def test_a_changed_setting_ignores_the_checkpoint(store, interrupted):
    for changes in (
        {},
        {"train.lr": 0.02},
        {"seed": 1},
        {"augment.rotate": 5},
        {"data.oversample_rare": 0.2},
        {"model.filters": 5},
    ):
        interrupted(5, lambda: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(UserError, match="after step 6"):
            train_small(store, **LONG, **changes)


def test_the_checkpoint_key_depends_on_settings_and_file_contents_but_not_on_paths(tmp_path):
    for name, content in (("a", "1"), ("b", "1"), ("c", "2")):
        (tmp_path / name).write_text(content)
    keys = [
        checkpoint_key({"seed": seed}, [tmp_path / name]) for seed, name in ((0, "a"), (0, "b"), (0, "c"), (1, "a"))
    ]
    assert keys[0] == keys[1] and len(set(keys)) == 3


def test_changed_data_ignores_the_checkpoint(store, interrupted):
    interrupted(5, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(UserError):
        train_small(store, **LONG)
    content = bytearray((store.folder / "masks.bin").read_bytes())
    content[0] ^= 1
    (store.folder / "masks.bin").write_bytes(content)
    interrupted(1000, kill)
    assert train_small(store, **LONG).timed_steps == 16


def test_a_damaged_checkpoint_is_ignored_with_a_message(tmp_path, capsys):
    checkpoint = Checkpoint(tmp_path)
    assert checkpoint.read() == b""
    checkpoint.save(lambda: b"all that was learned")
    assert checkpoint.read() == b"all that was learned"
    checkpoint.path.write_bytes(checkpoint.path.read_bytes()[:-1])
    assert checkpoint.read() == b"" and "is damaged; the training starts again from step 0" in capsys.readouterr().out


def test_checkpoints_take_a_small_share_of_the_time(tmp_path):
    checkpoint = Checkpoint(tmp_path)
    assert checkpoint.due()
    checkpoint.save(lambda: time.sleep(0.01) or b"")
    assert not checkpoint.due()  # for more than a second


def test_abandoned_checkpoints_are_deleted(tmp_path):
    for name in ("old", "new"):
        Checkpoint(tmp_path / name).folder.mkdir()
        Checkpoint(tmp_path / name).save(lambda: b"")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/.tmp-1-state").write_bytes(b"half")
    for name in ("old", "mine"):
        os.utime(tmp_path / name, (0, time.time() - ABANDONED - 60))
    with Checkpoint(tmp_path / "mine").locked():
        assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "new"]
        assert not (tmp_path / "mine/.tmp-1-state").exists()


def test_experiments_in_a_copy_use_the_checkpoints_of_their_repository():
    home = Path("/home/me/project")
    assert (
        trainings_folder(home)
        == trainings_folder(home / ".dvc/tmp/exps/standalone/tmpabc")
        == home / ".dvc/tmp/checkpoints"
    )
