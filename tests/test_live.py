"""Files that a training writes while it runs: the history, progress.json, pictures and event files."""

import csv
import errno
import os
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import cv2
import filelock
import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.util.event_pb2 import Event

from src.data.drawing.drawing import blended, shown
from src.data.store.subsets import Subset
from src.errors import Interrupted, UserError
from src.files import write_csv
from src.model.live import pictures
from src.model.live.live_files import LiveFiles, LivePaths
from src.model.live.pictures import ValidationPictures
from src.model.live.speed import Speed
from src.model.training.state import HISTORY
from src.training_progress import TrainingProgress
from src.trainings import is_locked
from src.watch.trainings import find_trainings
from tests.conftest import prepared, write_data_set
from tests.small_training import STEPS, small_params, train_on

EPOCHS = 3


class Recorder(LiveFiles):
    """Keeps what was on disk after each epoch."""

    def __init__(self, project: Path, arguments) -> None:
        super().__init__(LivePaths(project / "logs", project / "plots/history.csv"), *arguments)
        self.project = project
        self.after: list[tuple[list[dict[str, str]], TrainingProgress]] = []

    def epoch_done(self) -> None:
        super().epoch_done()
        with (self.project / "plots/history.csv").open() as file:
            self.after.append((list(csv.DictReader(file)), TrainingProgress.read(self.project / "logs")))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A training without an observer, and the same training with all files."""
    folder, recorders = tmp_path_factory.mktemp("live"), []
    store = prepared(write_data_set(folder / "set", classes=3), folder)

    def recorder(*arguments):
        recorders.append(Recorder(folder, arguments))
        return recorders[-1]

    policy, before = keras.mixed_precision.dtype_policy(), set(folder.iterdir())
    plain = train_on(store, folder / "checkpoints", small_params(**{"train.epochs": EPOCHS}))
    written = set(folder.iterdir()) - before
    plain.checkpoint.discard()
    (folder / "logs/overlays").mkdir(parents=True)
    for name in ("epoch-001.jpg", "epoch-009.jpg"):
        (folder / "logs/overlays" / name).write_bytes(b"of an earlier training")
    params = small_params(**{"train.epochs": EPOCHS, "train.tensorboard": True})
    training = train_on(store, folder / "checkpoints", params, recorder)
    keras.mixed_precision.set_global_policy(policy)
    return SimpleNamespace(folder=folder, plain=plain, written=written, training=training, after=recorders[0].after)


def test_a_training_without_an_observer_writes_only_its_checkpoint(made):
    assert made.written == {made.folder / "checkpoints"}


def test_live_files_change_no_result(made):
    assert made.training.to_bytes() == made.plain.to_bytes()
    assert made.training.checkpoint.folder == made.plain.checkpoint.folder  # so one continues the other


def test_the_history_is_written_after_each_epoch(made, tmp_path):
    write_csv(tmp_path / "whole.csv", made.training.history, HISTORY)
    whole = (tmp_path / "whole.csv").read_text()
    assert (made.folder / "plots/history.csv").read_text() == whole
    rows = [rows for rows, _ in made.after]
    assert [len(part) for part in rows] == [1, 2, 3]
    assert all(part == list(csv.DictReader(whole.splitlines()))[: len(part)] for part in rows)


def test_the_progress_file_holds_step_scores_best_epoch_and_speed(made):
    found = [progress for _, progress in made.after]
    assert [progress.epoch for progress in found] == [2, 3, 3] and {progress.epochs for progress in found} == {EPOCHS}
    assert [progress.step for progress in found] == [STEPS, 2 * STEPS, 3 * STEPS]
    for done, progress in enumerate(found, 1):
        rows = made.training.history[:done]
        best = max(rows, key=lambda row: row["val_dice"])
        assert progress.state == "training" and progress.steps == EPOCHS * STEPS and progress.to_validate == 4
        assert progress.loss == round(rows[-1]["loss"], 6) and progress.val_dice == round(rows[-1]["val_dice"], 6)
        assert (progress.best_epoch, progress.best_val_dice) == (best["epoch"], round(best["val_dice"], 6))
        assert progress.picture == f"overlays/epoch-{done:03d}.jpg"
        assert progress.process == os.getpid() and progress.patches_per_second > 0
    assert found[-1].remaining_seconds == 0
    last = TrainingProgress.read(made.folder / "logs")
    assert last.state == "done" and last.remaining_seconds is None and not is_locked(made.folder / "logs")


def test_each_epoch_has_a_picture_and_those_of_an_earlier_training_are_deleted(made):
    names = sorted(path.name for path in (made.folder / "logs/overlays").iterdir())
    assert names == [f"epoch-{epoch:03d}.jpg" for epoch in range(1, EPOCHS + 1)]


def test_event_files_hold_each_epoch_once_as_tensorboard_expects_it(made):
    (path,) = (made.folder / "logs/tensorboard").iterdir()
    values = {}
    for record in tf.data.TFRecordDataset(str(path)):
        event = Event.FromString(record.numpy())
        for value in event.summary.value:
            assert (value.tag, event.step) not in values
            values[value.tag, event.step] = value
    for row in made.training.history:
        for name in HISTORY[1:]:
            value = values.pop((name, row["epoch"]))
            assert value.metadata.plugin_data.plugin_name == "scalars" and value.metadata.data_class == 1
            assert tf.make_ndarray(value.tensor) == np.float32(row[name])
        picture = values.pop(("validation", row["epoch"]))
        assert picture.metadata.plugin_data.plugin_name == "images" and picture.metadata.data_class == 3
        width, height, content = tf.make_ndarray(picture.tensor).tolist()
        drawn = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        assert drawn.shape == (int(height), int(width), 3)
    assert values == {}


def test_a_picture_shows_masks_above_predictions_assembled_from_windows(store, tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "SIDE", 25)  # every third row and column of these images
    monkeypatch.setattr(pictures, "SMALLEST", 1)
    index, rng = 1, np.random.default_rng(0)
    mask, image = store.mask(index), store.image(index)
    predicted = rng.integers(0, 3, mask.shape, np.uint8)
    drawn = ValidationPictures(tmp_path, store, [index])
    for rows in (slice(0, 31), slice(31, mask.shape[0])):
        for columns in (slice(0, 10), slice(10, None)):
            drawn.add(index, (rows, columns), predicted[rows, columns])
    drawn.add(0, (slice(None), slice(None)), store.mask(0))  # not in the picture
    written = []
    monkeypatch.setattr(pictures, "_encoded", lambda drawing: written.append(drawing) or b"")
    assert drawn.draw(7, "title").name == "epoch-007.jpg"
    (whole,) = written
    small, top = shown(image[::3, ::3]), 2 * pictures.TITLE
    height, width = small.shape[:2]
    expected = [blended(small, part[::3, ::3], store.dataset) for part in (mask, predicted)]
    np.testing.assert_array_equal(whole[top : top + height, :width], expected[0])
    np.testing.assert_array_equal(whole[top + height + pictures.GAP :, :width], expected[1])


def test_pictures_hold_four_images_of_all_classes_whatever_their_sizes_and_names(store, tmp_path):
    drawn = ValidationPictures.of(tmp_path, Subset.ungrouped(store, range(12)))
    assert len(set(drawn.indices)) == 4
    for index in drawn.indices:
        drawn.add(index, (slice(None), slice(None)), store.mask(index))
    path = drawn.draw(1, "Straße " * 99)
    assert cv2.imread(str(path)).shape[1] < 4 * 420 and path.stat().st_size < 200_000


def test_speed_leaves_out_the_first_step_and_counts_validations():
    times = iter([100.0, 101.0, 103.0, 113.0, 115.0])
    speed = Speed(clock=lambda: next(times))
    speed.step_done()
    assert speed.step is None and speed.remaining(5, 1) is None
    speed.step_done()
    speed.step_done()
    assert speed.step == 1.5 and speed.remaining(4, 2) == 6
    speed.validation_done()
    assert speed.validation == 10 and speed.remaining(4, 1.5) == 21
    speed.step_done()
    assert speed.step == pytest.approx((1 + 2 + 2) / 3)


ROWS = [dict.fromkeys(HISTORY, 0.5) | {"epoch": epoch, "val_dice": epoch / 10} for epoch in (1, 2)]


def stub_files(project, store, name="key", done=0, **changes):
    """Files of a training of two epochs that is not run."""
    history = ROWS[:done]
    training = SimpleNamespace(history=history, losses=[], step=4 * done, best=history[-1] if history else None)
    training.checkpoint, training.workers = SimpleNamespace(folder=Path(name)), SimpleNamespace(chief=True)
    training.schedule = lambda params: SimpleNamespace(epochs=2, steps=8)
    settings = SimpleNamespace(batch=4, tensorboard=False)
    vars(training).update(changes)
    paths = LivePaths(project / "logs", project / "plots/history.csv")
    return LiveFiles(paths, training, Subset.ungrouped(store, range(4)), settings)


@pytest.mark.parametrize(("name", "kept"), [("key", ["epoch-001.jpg"]), ("other", [])])
def test_a_continued_training_keeps_its_history_and_pictures(store, tmp_path, name, kept):
    with suppress(UserError), stub_files(tmp_path, store, done=1) as live:
        live.started()
        raise UserError("stopped in epoch 2, after step 5")
    before = TrainingProgress.read(tmp_path / "logs")
    assert before.state == "stopped" and before.message == "stopped in epoch 2, after step 5"
    (tmp_path / "logs/overlays").mkdir()
    for number in (1, 2):
        (tmp_path / f"logs/overlays/epoch-00{number}.jpg").write_bytes(b"")
    (tmp_path / "plots/history.csv").unlink()  # as DVC does before a stage
    with stub_files(tmp_path, store, name, done=1) as live:
        live.started()
        progress = TrainingProgress.read(tmp_path / "logs")
    assert [path.name for path in (tmp_path / "logs/overlays").iterdir()] == kept
    assert progress.epoch == 2 and progress.val_dice == 0.1 and progress.message == ""
    assert progress.picture == (f"overlays/{kept[0]}" if kept else "")
    assert len((tmp_path / "plots/history.csv").read_text().splitlines()) == 2


def test_of_a_long_training_at_most_200_pictures_are_kept_evenly_with_first_best_and_last():
    there, best, rng = set(), 0, np.random.default_rng(0)
    for epoch in range(1, 1001):
        best = epoch if rng.random() < 0.1 else best or 1
        there.add(epoch)
        there &= pictures.shown_epochs(epoch, best)
        assert there == pictures.shown_epochs(epoch, best)  # nothing was deleted that is needed later
        assert len(there) <= 200 and {1, best, epoch} <= there
        assert epoch > 200 or len(there) == epoch
    assert {*range(1, 1001, 8)} <= there and len(there) <= 127
    assert pictures.shown_epochs(0, 0) == {0}


def test_pictures_of_a_long_training_are_deleted_while_it_runs(store, tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MOST", 5)
    monkeypatch.setattr(pictures, "_encoded", lambda _: b"")
    with stub_files(tmp_path, store) as live:
        live.started()
        for index in range(4):
            live._pictures.add(index, (slice(None), slice(None)), store.mask(index))
        for epoch in range(1, 13):
            live._training.history.append(ROWS[0] | {"epoch": epoch})
            live._training.best = live._training.history[min(epoch, 4) - 1]
            live.epoch_done()
    names = sorted(path.name for path in (tmp_path / "logs/overlays").iterdir())
    assert names == [f"epoch-{epoch:03d}.jpg" for epoch in (1, 4, 5, 9, 12)]


def test_a_new_training_deletes_the_history_of_an_earlier_one(store, tmp_path):
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots/history.csv").write_text("of an earlier training")
    with stub_files(tmp_path, store) as live:
        live.started()
        assert not (tmp_path / "plots/history.csv").exists()


def test_files_that_cannot_be_written_do_not_stop_a_training(store, tmp_path, capsys):
    (tmp_path / "logs").write_text("a file where the folder should be")
    with stub_files(tmp_path, store) as live:
        live.started()
        live.step_done()
        live.trained()
    assert capsys.readouterr().out.count("tools.watch may show old values; training continues") == 1


def test_of_several_machines_only_the_first_one_writes(store, tmp_path):
    with stub_files(tmp_path, store, workers=SimpleNamespace(chief=False)) as live:
        live.started()
    assert not (tmp_path / "logs").exists()


def live_files(project: Path) -> dict[Path, bytes]:
    paths = [path for name in ("logs", "plots") for path in (project / name).rglob("*")]
    return {path: path.read_bytes() for path in paths if path.is_file()}


def test_a_second_training_in_a_folder_changes_no_file_of_the_first(store, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("src.training_progress.WAIT", 0.01)
    with stub_files(tmp_path, store, "first", done=2) as first:
        first.started()
        for path in ("logs/overlays/epoch-001.jpg", "logs/tensorboard/events.out.tfevents.1"):
            (tmp_path / path).parent.mkdir()
            (tmp_path / path).write_bytes(b"of the first training")
        before = live_files(tmp_path)
        with stub_files(tmp_path, store, "second", done=1) as second:
            second.started()
            second.step_done()
            second.predicted(0, (slice(None), slice(None)), store.mask(0))
            second.epoch_done()
            second.trained()
        assert live_files(tmp_path) == before and len(before) == 5  # history, progress, picture, event file, lock
    assert "another training writes there" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "can_continue"),
    [
        (Interrupted("stopped in epoch 2, after step 5"), True),
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (KeyboardInterrupt(), True),
        (UserError("epoch 2, step 5: the loss is nan"), False),
        (ValueError("an error of the program"), False),
    ],
)
def test_the_progress_file_tells_if_a_stopped_training_can_continue(store, tmp_path, error, can_continue):
    with suppress(type(error)), stub_files(tmp_path, store, done=1):
        raise error
    progress = TrainingProgress.read(tmp_path / "logs")
    assert progress.state == "stopped" and progress.can_continue == can_continue
    assert progress.message == (str(error) or "KeyboardInterrupt")


def test_history_and_progress_are_written_even_if_pictures_cannot_be_drawn(store, tmp_path, capsys, monkeypatch):
    def fail(*_):
        raise OSError(errno.EACCES, "Permission denied", "overlays")

    for method in ("keep", "draw"):
        monkeypatch.setattr(ValidationPictures, method, fail)
    history = []
    with stub_files(tmp_path, store, history=history) as live:
        live.started()
        assert TrainingProgress.read(tmp_path / "logs").state == "training"
        for dice in (0.1234567891, 0.2345678912):
            history.append(ROWS[0] | {"val_dice": dice})
            live._training.best = history[-1]
            live.epoch_done()
            (found,) = find_trainings(tmp_path, Path("logs"), Path("plots/history.csv"))
            assert found.dice[-1] == dice and found.progress.val_dice == round(dice, 6)  # they belong together
    assert capsys.readouterr().out.count("overlays: Permission denied") == 1


@pytest.mark.parametrize("error", [NotImplementedError("no flock"), PermissionError("of another user")])
def test_a_training_runs_where_files_cannot_be_locked(store, tmp_path, capsys, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(filelock.FileLock, "acquire", fail)
    with stub_files(tmp_path, store) as live:
        live.started()
        live.step_done()
    assert capsys.readouterr().out.count("training continues") == 1
    (tmp_path / "logs/lock").touch()
    assert not is_locked(tmp_path / "logs")


def test_progress_is_written_every_few_seconds_at_most(store, tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(TrainingProgress, "write", lambda progress, folder: written.append(progress.state))
    with stub_files(tmp_path, store) as live:
        live.started()
        for _ in range(100):
            live.step_done()
        live._progress._written -= 3
        live.predicted(0, (slice(None), slice(None)), store.mask(0))
    assert written == ["training", "validating", "done"]


def test_a_file_of_another_version_is_no_progress(tmp_path):
    for content in ('{"state": "training"}', "[]", "null"):
        (tmp_path / "progress.json").write_text(content)
        assert TrainingProgress.read(tmp_path) is None
