"""tools.suspects: what it trains, keeps, writes and refuses."""

import os
import shutil
import sys
import time
from argparse import Namespace
from dataclasses import replace

import numpy as np
import pytest

import src.model.suspects.train_folds as train_folds
import tools.suspects
from src.data.classes.label_format import LabelFormat
from src.data.store.store import Store
from src.data.store.subsets import read_subset
from src.errors import UserError
from src.evaluation.metrics.outputs import Outputs
from src.files import read_csv
from src.learning_curve.images import current_split
from src.model.suspects.fold_task import FoldTask
from src.model.training.checkpoints import ABANDONED
from src.params import load
from src.plan.facts import Facts
from src.plan.plan import plan_training
from src.search.trial import Cost, NotPossible, Trial
from src.suspects.folds import make_folds
from tests.closure import ROOT, closure
from tests.test_tool_plan import made, project, with_values  # noqa: F401
from tests.test_train import float32  # noqa: F401

KEPT, FOUND = ".dvc/tmp/suspects", "plots/suspects"


class Device:
    """A trainer that takes no time; its networks call bright pixels foreground."""

    trained: list[tuple[list[int], int]]  # images and steps of each training
    problem: BaseException | None  # of the training after `good` ones
    good: int
    finite: bool

    def __init__(self, space, trained, validated, tick):
        self.space, self.images, self.held_out = space, list(trained.indices), list(validated.indices)
        self.outputs = Outputs(LabelFormat(2))

    def prepare(self, candidate):
        return Cost(1.0, 0.01, 0.001)

    def train(self, candidate, given, steps, images):
        if self.problem and len(Device.trained) == Device.good:
            raise self.problem
        assert not set(self.images) & set(self.held_out) and given == float("inf")
        Device.trained.append((self.images, steps))
        return Trial(candidate, given, steps, 0.01, 0.001, np.ones((images, 1)) if self.finite else None)

    def predictor(self, candidate):
        return self

    def logits(self, image):
        return (image.mean(axis=2, keepdims=True).astype(np.float32) - 80) / 8


@pytest.fixture
def device(monkeypatch):
    Device.trained, Device.problem, Device.good, Device.finite = [], None, 0, True
    monkeypatch.setattr(train_folds, "DeviceTrainer", Device)
    monkeypatch.setattr(train_folds.gc, "collect", lambda: 0)  # slow, and there is nothing to free
    return Device


def suspects(folds=3, steps=100, minutes=None, pictures=1):
    tools.suspects.main(Namespace(folds=folds, steps=steps, minutes=minutes, pictures=pictures))


def files(project):  # noqa: F811
    return {path for path in project.rglob("*") if path.is_file() and KEPT not in str(path)}


def used(project):  # noqa: F811
    """The images that are not tested, and their store."""
    store = Store(project / "data/prepared")
    return [row["id"] for row in read_csv(project / "data/splits.csv") if row["subset"] != "test"], store


def task_of(project, steps=2, folds=2):  # noqa: F811
    read, store = load(project / "params.yaml"), Store(project / "data/prepared")
    rows = current_split(store, project / "data/splits.csv", read.split)
    trained, validated = (read_subset(project / "data/splits.csv", store, name) for name in ("train", "validation"))
    plan = plan_training(Facts.of(trained, validated), read.data, read.augment, read.model, read.train)
    return FoldTask(read, plan, make_folds(trained, rows, folds, "classes", 0), steps, project / "kept")


def test_every_image_but_test_images_is_judged_by_a_network_that_has_not_seen_it(project, device, capsys):  # noqa: F811
    before = {path: path.read_bytes() for path in files(project)}
    suspects()
    ids, store = used(project)
    positions = sorted(store.position[name] for name in ids)
    assert len(device.trained) == 3 and {steps for _, steps in device.trained} == {100}
    held_out = [set(positions) - set(images) for images, _ in device.trained]
    assert sorted(index for part in held_out for index in part) == positions
    assert {path.relative_to(project / FOUND).as_posix() for path in files(project) - set(before)} <= {
        "suspects.csv",
        "index.html",
        "001.png",
    }
    assert all(path.read_bytes() == content for path, content in before.items())
    printed = capsys.readouterr().out
    assert printed.startswith(f"3 trainings of 100 steps for {len(ids)} masks: about ")
    assert f"written: {FOUND}/suspects.csv, {FOUND}/index.html" in printed


def test_a_mask_of_another_image_is_found_and_no_longer_once_it_is_corrected(project, device, capsys):  # noqa: F811
    """A corrected mask makes all trainings anew, also if its pixel counts stay."""
    ids, store = used(project)
    (one, other) = [name for name in ids if (store.records[store.position[name]].height == 70)][:2]
    path = project / "data/prepared/masks.bin"
    right, masks = path.read_bytes(), np.fromfile(path, np.uint8)
    starts = [store.records[store.position[name]].mask_at for name in (one, other)]
    size = store.records[store.position[one]].height * store.records[store.position[one]].width
    first, second = (masks[start : start + size].copy() for start in starts)
    masks[starts[0] : starts[0] + size], masks[starts[1] : starts[1] + size] = second, first
    masks.tofile(path)
    suspects()
    rows = read_csv(project / FOUND / "suspects.csv")
    assert {row["image"] for row in rows[:2]} == {one, other} and {row["kind"] for row in rows[:2]} == {"swapped"}
    path.write_bytes(right)
    suspects()
    assert len(device.trained) == 6
    assert all(float(row["score"]) < 0.5 for row in read_csv(project / FOUND / "suspects.csv"))


def test_an_interrupted_run_continues_after_its_last_finished_fold(project, device, capsys):  # noqa: F811
    device.problem, device.good = KeyboardInterrupt(), 2
    with pytest.raises(UserError, match="stopped; finished folds are kept, and the same command continues after them"):
        suspects()
    assert len(device.trained) == 2 and not (project / FOUND).exists()
    device.problem = None
    suspects(steps=200)  # other trainings do not count as kept
    assert "kept" not in capsys.readouterr().out
    del device.trained[2:]
    suspects()
    assert ", 2 of them kept from an earlier run: about " in capsys.readouterr().out and len(device.trained) == 3
    written = {path.name: path.read_bytes() for path in (project / FOUND).iterdir()}
    suspects()
    assert len(device.trained) == 3
    shutil.rmtree(project / KEPT)
    suspects()
    assert len(device.trained) == 6
    assert {path.name: path.read_bytes() for path in (project / FOUND).iterdir()} == written


def test_abandoned_predictions_are_deleted(project, device):  # noqa: F811
    old = project / KEPT / "old.npz"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"")
    os.utime(old, (0, time.time() - ABANDONED - 60))
    suspects()
    assert not old.exists() and len(list((project / KEPT).iterdir())) == 3


def test_failed_trainings_end_with_one_message(project, device):  # noqa: F811
    device.finite = False
    with pytest.raises(UserError, match=r"the loss became infinite in the training of fold 0: lower train\.lr \(0\."):
        suspects()
    device.problem, device.good = NotPossible("the device ran out of memory"), 1
    with pytest.raises(UserError, match="the device ran out of memory"):
        suspects(steps=50)
    assert not (project / FOUND).exists()


def test_minutes_are_divided_among_all_folds(project, device):  # noqa: F811
    suspects(steps=None, minutes=1)
    (steps,) = {steps for _, steps in device.trained}
    ids, _ = used(project)
    assert 3 * (1.0 + 0.01 * steps) + len(ids) * 0.001 == pytest.approx(60, abs=3 * 0.01)
    with pytest.raises(UserError, match=r"--minutes 0\.05: too few for trainings of 50 steps: give 1 or more, or"):
        suspects(steps=None, minutes=0.05)


def test_the_time_is_that_of_the_folds_that_are_missing(project):  # noqa: F811
    task, cost = task_of(project, steps=10), Cost(5.0, 0.5, 0.25)
    sizes = [len(fold.held_out) for fold in task.folds]
    assert task.seconds(cost) == 2 * (5 + 10 * 0.5) + sum(sizes) * 0.25
    assert task.seconds(cost, task.folds[1:]) == 5 + 10 * 0.5 + sizes[1] * 0.25


def test_stale_inputs_and_an_initial_model_are_refused_before_any_work(project, device):  # noqa: F811
    path = project / "params.yaml"
    shipped = path.read_text()
    path.write_text(with_values(shipped, initial="models/initial/cells.keras"))
    with pytest.raises(UserError, match=r"train\.initial: models/initial/cells\.keras may .*: set train\.initial"):
        suspects()
    path.write_text(with_values(shipped, validation="0.4"))
    with pytest.raises(UserError, match=r"data/splits\.csv: is not what .* give now; run `dvc repro split`"):
        suspects()
    path.write_text(shipped)
    with pytest.raises(UserError, match=r"group\(s\) of images cannot make 99 folds"):
        suspects(folds=99)
    assert device.trained == [] and not (project / FOUND).exists()


def test_finished_folds_do_not_depend_on_the_code_that_judges():
    """The modules that are imported before the trainings start are hashed in the names of their files."""
    later = [f"src/suspects/{name}.py" for name in ("changes", "components", "evidence", "judge", "ranking", "swap")]
    assert not closure("src.model.suspects.train_folds") & {ROOT / name for name in later}


def test_arguments_that_do_not_go_together_are_refused(monkeypatch, capsys):
    import runpy

    refused = {"must be 2 or more": ["--folds", "1"], "not allowed": ["--steps", "5", "--minutes", "5"]}
    for words, options in refused.items():
        monkeypatch.setattr(sys, "argv", ["suspects", *options])
        monkeypatch.delitem(sys.modules, "tools.suspects", raising=False)
        with pytest.raises(SystemExit) as stop:
            runpy.run_module("tools.suspects", run_name="__main__")
        assert stop.value.code == 2 and words in capsys.readouterr().err


def test_a_real_network_predicts_each_image_of_its_fold(project):  # noqa: F811
    task = task_of(project, steps=1)
    fold = task.folds[1]
    (path,) = train_folds.predict_folds(replace(task, folds=[fold]), Cost(0, 0, 0))
    with np.load(path) as kept:
        assert set(kept.files) == {str(index) for index in fold.held_out.indices}
        for index in fold.held_out.indices:
            record = fold.held_out.store.records[index]
            assert kept[str(index)].shape == (record.height, record.width, 1) and kept[str(index)].dtype == np.uint8


@pytest.mark.slow
def test_the_predictions_of_a_fold_do_not_depend_on_the_folds_before_it(project):  # noqa: F811
    """A run that continues ends like one that was never interrupted."""
    task = task_of(project)
    whole = train_folds.predict_folds(task, Cost(0, 0, 0))
    alone = replace(task, folds=task.folds[1:], folder=project / "again")
    (last,) = train_folds.predict_folds(alone, Cost(0, 0, 0))
    assert last.name == whole[1].name and last.read_bytes() == whole[1].read_bytes()
