"""tools.learning_curve: what it trains, keeps, writes and refuses."""

import os
import sys
import time
from argparse import Namespace
from dataclasses import replace

import numpy as np
import pytest

import src.model.learning_curve.run_trainings as run_trainings
import src.report.learning_curve.chart as chart
import tools.learning_curve
from src.data.store.store import Store
from src.errors import UserError
from src.files import read_csv, write_yaml
from src.learning_curve.images import read_images
from src.model.learning_curve.task import Task
from src.model.training.checkpoints import ABANDONED
from src.params import load
from src.plan.facts import Facts
from src.plan.plan import plan_training
from src.search.trial import Cost, NotPossible, Trial
from tests.closure import ROOT, closure
from tests.test_tool_plan import made, project, with_values  # noqa: F401
from tests.test_train import float32  # noqa: F401

KEPT = ".dvc/tmp/learning-curve"


class Device:
    """A trainer that takes no time; its Dice grows with images and steps."""

    trained: list[tuple[int, int, int]]  # seed, images and steps of each training
    problem: BaseException | None  # of the training after `good` ones
    good: int
    finite: bool

    def __init__(self, space, trained, validated, tick):
        self.space, self.images, self.validated = space, len(trained), validated

    def prepare(self, candidate):
        return Cost(1.0, 0.01, 0.001)

    def train(self, candidate, given, steps, images):
        if self.problem and len(Device.trained) == Device.good:
            raise self.problem
        plan, seed = self.space.plan(candidate), self.space.params.seed
        assert plan.train.lr == self.space.plan(candidate).train.lr and given == float("inf")
        assert images == len(self.validated)
        Device.trained.append((seed, self.images, steps))
        dice = 0.5 + 0.01 * self.images + 1e-4 * steps + 0.001 * seed
        return Trial(candidate, given, steps, 0.01, 0.001, np.full((images, 1), dice) if self.finite else None)


@pytest.fixture
def device(monkeypatch):
    Device.trained, Device.problem, Device.good, Device.finite = [], None, 0, True
    monkeypatch.setattr(run_trainings, "DeviceTrainer", Device)
    monkeypatch.setattr(run_trainings.gc, "collect", lambda: 0)  # slow, and there is nothing to free
    monkeypatch.setattr(chart, "draw_learning_curve", lambda path, *_: path.write_bytes(b""))
    return Device


def curve(fractions=(0.25, 0.5, 1.0), seeds=(0, 1), steps=100, minutes=None):
    tools.learning_curve.main(Namespace(fractions=list(fractions), seeds=list(seeds), steps=steps, minutes=minutes))


def files(project):  # noqa: F811
    return {path for path in project.rglob("*") if path.is_file() and KEPT not in str(path)}


def test_every_seed_trains_on_each_fraction_and_once_longer_and_nothing_else_changes(project, device, capsys):  # noqa: F811
    before = {path: path.read_bytes() for path in files(project)}
    curve()
    sizes = sorted({images for _, images, _ in device.trained})
    one = [(sizes[0], 100), (sizes[1], 100), (sizes[2], 100), (sizes[2], 200)]
    assert device.trained == [(seed, *each) for seed in (0, 1) for each in one]
    rows = read_csv(project / "plots/learning_curve.csv")
    assert len(rows) == 8 and [int(row["images"]) for row in rows[::2]] == [images for images, _ in one]
    assert rows[0]["fraction"] == "0.25" and rows[7]["dice"] == f"{0.521 + 0.01 * sizes[2]:.3f}"
    assert {path.name for path in files(project) - set(before)} == {"learning_curve.csv", "learning_curve.png"}
    assert all(path.read_bytes() == content for path, content in before.items())
    printed = capsys.readouterr().out
    assert printed.startswith("8 trainings of 100 steps or twice as many: about ")
    assert "Twice the labels: Dice +" in printed and "The trainings have 100 steps, the plan has " in printed


def test_an_interrupted_run_continues_after_its_last_finished_training(project, device, capsys):  # noqa: F811
    device.problem, device.good = KeyboardInterrupt(), 5
    with pytest.raises(UserError, match="stopped; finished trainings are kept, and the same command continues"):
        curve()
    assert len(device.trained) == 5 and not (project / "plots/learning_curve.csv").exists()
    assert len(list((project / KEPT).glob("*.json"))) == 6  # five trainings and the cost
    device.problem = None
    capsys.readouterr()
    curve(steps=6000)  # other trainings do not count as kept
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("8 trainings of 6000 steps or twice as many: about ")
    del device.trained[5:]
    curve(steps=100)
    assert ", 5 of them kept from an earlier run: about " in capsys.readouterr().out
    assert len(device.trained) == 8 == len(set(device.trained))
    assert len(list((project / KEPT).glob("*.json"))) == 16  # the cost is deleted when all trainings have finished
    written = (project / "plots/learning_curve.csv").read_bytes()
    for path in (project / KEPT).glob("*.json"):
        path.unlink()
    curve()
    assert len(device.trained) == 16 and (project / "plots/learning_curve.csv").read_bytes() == written


def test_trainings_are_shared_by_commands_and_made_anew_for_other_settings(project, device):  # noqa: F811
    curve(seeds=[0])
    curve(seeds=[0, 7])
    assert [seed for seed, _, _ in device.trained] == [0] * 4 + [7] * 4
    path = project / "params.yaml"
    path.write_text(with_values(path.read_text(), lr="0.0001"))
    curve(seeds=[0])
    assert len(device.trained) == 12


def test_abandoned_trainings_are_deleted(project, device):  # noqa: F811
    old = project / KEPT / "old.json"
    old.parent.mkdir(parents=True)
    old.write_text("{}")
    os.utime(old, (0, time.time() - ABANDONED - 60))
    curve(seeds=[0])
    assert not old.exists()


def test_failed_trainings_end_with_one_message(project, device):  # noqa: F811
    device.finite = False
    with pytest.raises(UserError, match=r"the loss became infinite .* 0\.25 of the images, seed 0: lower train\.lr"):
        curve()
    device.problem, device.good = NotPossible("the device ran out of memory"), 1
    with pytest.raises(UserError, match="the device ran out of memory"):
        curve(steps=50)


def test_minutes_are_divided_among_all_trainings(project, device, capsys):  # noqa: F811
    curve(steps=None, minutes=2)
    (steps,) = {steps for _, images, steps in device.trained[:3]}
    images = len(device.trained) * 3 * 0.001  # three validation images
    assert 2 * 3 * 1.0 + images + 2 * 5 * steps * 0.01 == pytest.approx(120, abs=2 * 5 * 0.01 + 0.1)
    with pytest.raises(UserError, match=r"--minutes 0\.1: too few for trainings of 50 steps: give 1 or more, or fewer"):
        curve(steps=None, minutes=0.1)


def test_missing_and_stale_inputs_name_the_command_to_run(project, device):  # noqa: F811
    path = project / "params.yaml"
    shipped = path.read_text()
    recorded = {"params": {"params.yaml": {"data.source": "data/set", "data.masks": {"threshold": 0}}}}
    write_yaml(project / "dvc.lock", {"schema": "2.0", "stages": {"prepare": recorded}})
    path.write_text(shipped.replace("threshold: 0", "threshold: 7", 1))
    with pytest.raises(UserError, match=r"run `dvc repro split`\n  data\.masks\.threshold: 0, now 7\.0"):
        curve()
    path.write_text(with_values(shipped, validation="0.4"))
    with pytest.raises(UserError, match=r"data/splits\.csv: is not what .* give now; run `dvc repro split`"):
        curve()
    path.write_text(shipped)
    (project / "data/splits.csv").unlink()
    with pytest.raises(UserError, match="there is no split yet"):
        curve()
    assert device.trained == []


def test_the_time_is_that_of_the_trainings_that_are_missing(project, device):  # noqa: F811
    read, store = load(project / "params.yaml"), Store(project / "data/prepared")
    images = read_images(store, project / "data/splits.csv", read.split, (0.25, 0.5, 1.0), [0, 1])
    plan = plan_training(Facts.of(images.trained, images.validated), read.data, read.augment, read.model, read.train)
    task, cost = Task(read, plan, images.fractions, images.validated, 10, project / "kept"), Cost(5.0, 0.5, 0.25)
    whole = run_trainings.remaining(task, cost)
    assert whole.number == 8 and whole.seconds == pytest.approx(task.seconds(cost, 10))
    device.problem, device.good = KeyboardInterrupt(), 5
    with pytest.raises(UserError, match="stopped"):
        run_trainings.run_trainings(task, cost)
    left = run_trainings.remaining(task, cost)  # of the second seed: the two larger fractions, and the longer training
    assert left.number == 3 and left.seconds == pytest.approx(2 * 5 + 4 * 10 * 0.5 + 3 * len(images.validated) * 0.25)


def test_the_number_of_images_of_each_seed_is_kept(project, device):  # noqa: F811
    read, store = load(project / "params.yaml"), Store(project / "data/prepared")
    images = read_images(store, project / "data/splits.csv", read.split, (0.5, 1.0), [0, 1])
    plan = plan_training(Facts.of(images.trained, images.validated), read.data, read.augment, read.model, read.train)
    whole = images.fractions[1][1]
    smaller = replace(images.fractions[1][0], images=whole.images.only(list(whole.images.indices[:1])))
    fractions = {0: images.fractions[0], 1: [smaller, whole]}
    task = Task(read, plan, fractions, images.validated, 10, project / "kept")
    found = run_trainings.run_trainings(task, Cost(0, 0, 0))
    assert list(found.points[0].counts) == [len(images.fractions[0][0].images), 1]
    assert found.points[1].counts == found.longer.counts == [len(images.trained)] * 2


def test_an_initial_model_is_refused(project, device):  # noqa: F811
    path = project / "params.yaml"
    path.write_text(with_values(path.read_text(), initial="models/initial/cells.keras"))
    with pytest.raises(UserError, match=r"train\.initial: models/initial/cells\.keras may .*: set train\.initial"):
        curve()
    assert device.trained == []


def test_finished_trainings_do_not_depend_on_the_code_of_the_estimate(project, monkeypatch):  # noqa: F811
    """The modules that are imported before the trainings start are hashed in the names of their files."""
    later = [f"src.learning_curve.{name}" for name in ("estimate", "law", "noise")]
    later += [f"src.report.learning_curve.{name}" for name in ("chart", "text")]
    for name in later:
        monkeypatch.delitem(sys.modules, name, raising=False)

    def stopped(*_):
        raise UserError(" ".join(name for name in later if name in sys.modules) or "none of them")

    monkeypatch.setattr(tools.learning_curve, "measured", stopped)
    with pytest.raises(UserError, match="none of them"):
        curve()
    assert not closure("src.model.learning_curve.run_trainings") & {
        ROOT / f"{name.replace('.', '/')}.py" for name in later
    }


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--fractions", "0.5", "1"], "argument --fractions: a power law needs 3 or more"),
        (["--fractions", "0.1", "0.2", "0.5"], "the largest must be 1"),
        (["--fractions", "0.5", "0.5", "1"], "name each value once"),
        (["--fractions", "0.5", "1", "2"], "must be a number above 0, at most 1"),
        (["--steps", "5", "--minutes", "5"], "not allowed with"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(options, words, monkeypatch, capsys):
    import runpy

    monkeypatch.setattr(sys, "argv", ["learning_curve", *options])
    monkeypatch.delitem(sys.modules, "tools.learning_curve")
    with pytest.raises(SystemExit) as stop:
        runpy.run_module("tools.learning_curve", run_name="__main__")
    assert stop.value.code == 2 and words in capsys.readouterr().err


def test_the_scores_of_a_training_do_not_depend_on_those_before_it(project):  # noqa: F811
    """Real trainings: a run that continues ends like one that was never interrupted."""
    read, store = load(project / "params.yaml"), Store(project / "data/prepared")
    images = read_images(store, project / "data/splits.csv", read.split, (0.5, 1.0), [3])
    facts = Facts.of(images.trained, images.validated)
    plan = plan_training(facts, read.data, read.augment, read.model, read.train)
    task = Task(read, plan, images.fractions, images.validated, 2, project / "one", compare_longer=False)
    whole = run_trainings.run_trainings(task, Cost(0, 0, 0))
    alone = replace(task, fractions={3: images.fractions[3][1:]}, folder=project / "two")
    last = run_trainings.run_trainings(alone, Cost(0, 0, 0)).points[0]
    assert np.array_equal(whole.points[1].scores[0], last.scores[0], equal_nan=True)
    assert last.scores[0].shape == (len(images.validated), 1) and last.counts == [len(images.trained)]
