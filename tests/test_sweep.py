"""`python -m tools.sweep`: the search space, asking and telling, interruptions, and trials as experiments of DVC."""

import sys
from types import SimpleNamespace

import pytest

from src.errors import UserError
from src.files import read_yaml
from src.sweep import study as of_study
from src.sweep.space import Dimension, parse_space
from src.sweep.study import INSTALL, open_study, search, summary
from src.sweep.trials import Project, run_experiment, validation_dice
from tests.closure import ROOT
from tests.dvc_project import dvc_project
from tools.sweep import arguments, main

CONTENT = read_yaml(ROOT / "params.yaml")
RATES = Dimension("train.lr", (), 1e-4, 1e-2, log=True)


class FakeTrial(SimpleNamespace):
    """A trial that suggests the upper end, or the first choice."""

    def set_user_attr(self, key, value):
        self.user_attrs[key] = value

    def suggest_float(self, name, low, high, *, log):
        return self.params.setdefault(name, high)

    def suggest_int(self, name, low, high, *, log):
        return self.params.setdefault(name, high)

    def suggest_categorical(self, name, choices):
        return self.params.setdefault(name, choices[0])


class FakeStudy:
    """What is used of a study of Optuna."""

    def __init__(self):
        self.trials, self.waiting = [], []

    def ask(self):
        params, attrs = self.waiting.pop(0) if self.waiting else ({}, {})
        state = SimpleNamespace(name="RUNNING")
        self.trials.append(FakeTrial(number=len(self.trials), state=state, params=params, user_attrs=attrs, value=None))
        return self.trials[-1]

    def tell(self, number, value=None, state="COMPLETE"):
        self.trials[number].state.name, self.trials[number].value = state, value

    def enqueue_trial(self, params, user_attrs):
        self.waiting.append((params, user_attrs))

    @property
    def states(self):
        return [trial.state.name for trial in self.trials]


@pytest.fixture
def study(monkeypatch):
    monkeypatch.setattr(of_study, "_failed", lambda: "FAIL")
    return FakeStudy()


def test_a_space_has_ranges_whole_numbers_and_choices():
    texts = ["train.lr=log:1e-4..1e-2", "train.batch=log:2..64", "augment.rotate=0..90.5", "augment.flip=none|both"]
    assert (space := parse_space(texts, CONTENT)) == [
        RATES,
        Dimension("train.batch", (), 2, 64, log=True, whole=True),
        Dimension("augment.rotate", (), 0, 90.5),
        Dimension("augment.flip", ("none", "both")),
    ]
    trial = FakeStudy().ask()
    assert [dimension.suggest(trial) for dimension in space] == ["0.01", "64", "90.5", "none"]


def test_a_wrong_space_is_refused_with_every_error():
    wrong = {
        "train.rate=1..2": "no such setting",
        "train.lr=log:0..1": "not of the form",
        "train.batch=8..4": "not of the form",
        "augment.scale=0..": "not of the form",
        "augment.noise=": "not of the form",
        "augment.shift=1..nan": "not of the form",
        "augment.flip=up|both": "augment.flip",
        "model.depth=-1..3": "model.depth",
        "split.seed=0..9": "other validation images",
        "evaluate.tolerance=1|2": "no effect",
    }
    with pytest.raises(UserError) as error:
        parse_space([*wrong, "seed=1|2", "seed=3|4"], CONTENT)
    lines = str(error.value).splitlines()[1:]
    assert len(lines) == len(wrong) + 1 and "seed=3|4: named twice" in lines[-1]
    assert all(text in line and why in line for (text, why), line in zip(wrong.items(), lines, strict=False))


def test_a_failed_experiment_is_told_as_failed_and_the_sweep_goes_on(study, capsys):
    ran = []

    def run(name, settings):
        ran.append((name, settings))
        return None if len(ran) == 2 else len(ran) / 10

    search(study, "try", [RATES], 3, run)
    assert ran == [(f"try-00{number}", {"train.lr": "0.01"}) for number in range(3)]
    assert study.states == ["COMPLETE", "FAIL", "COMPLETE"] and [t.value for t in study.trials] == [0.1, None, 0.3]
    assert "try-001 failed" in capsys.readouterr().out and "try-002, 0.3000" in summary(study, "try")
    search(study, "try", [RATES], 3, run)
    assert len(ran) == 3
    search(study, "try", [RATES], 4, run)
    assert len(ran) == 4


@pytest.mark.parametrize("killed", [False, True])
def test_an_interrupted_trial_is_repeated_with_its_settings(study, killed):
    space = [Dimension("train.lr", ("0.1", "0.2"))]
    if killed:  # nothing is told; no process has this number
        trial = study.ask()
        trial.params["train.lr"] = "0.2"
        trial.set_user_attr("process", 2**22 + 1)
    else:
        with pytest.raises(KeyboardInterrupt):
            search(study, "try", space, 2, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        study.waiting[0][0]["train.lr"] = "0.2"
    ran = []
    search(study, "try", space, 2, lambda name, settings: ran.append((name, settings["train.lr"])) or 0.5)
    assert ran == [("try-001", "0.2"), ("try-002", "0.1")] and study.states == ["FAIL", "COMPLETE", "COMPLETE"]


def test_a_trial_of_a_running_process_is_left_alone(study):
    study.ask().set_user_attr("process", 1)
    search(study, "try", [RATES], 1, lambda *_: 0.5)
    assert study.states == ["RUNNING", "COMPLETE"] and not study.waiting


def test_without_optuna_the_message_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match=INSTALL):
        open_study(tmp_path / "a.journal", {})
    assert not list(tmp_path.iterdir()) and (ROOT / INSTALL.split()[-1]).exists()


def test_optuna_searches_and_continues_from_its_file(tmp_path):
    pytest.importorskip("optuna")
    file, space = tmp_path / "sweeps/a.journal", [RATES, Dimension("train.batch", ("4", "8"))]

    def dice(_, settings):
        return 1 - (float(settings["train.lr"]) - 0.004) ** 2 if settings["train.batch"] == "8" else None

    def interrupt(*_):
        raise KeyboardInterrupt

    search(open_study(file, {"commit": "abc"}), "a", space, 6, dice)
    with pytest.raises(KeyboardInterrupt):
        search(open_study(file, {"commit": "abc"}), "a", space, 7, interrupt)
    study = open_study(file, {"commit": "abc"})
    search(study, "a", space, 8, dice)
    states = [trial.state.name for trial in study.trials]
    assert len(states) == 9 and states[6] == "FAIL" and "FAIL" in states[:6] and "COMPLETE" in states[:6]
    assert study.trials[7].params == study.trials[6].params
    assert len({trial.params["train.lr"] for trial in study.trials}) == 8
    assert f"a-{study.best_trial.number:03}" in summary(study, "a")
    with pytest.raises(UserError, match="started with another commit"):
        open_study(file, {"commit": "def"})


STAGE = """
import json, os, pathlib, yaml
os.makedirs("data/evaluation"), os.makedirs("data/prepared"), os.makedirs("metrics", exist_ok=True)
rate = yaml.safe_load(open("params.yaml"))["train"]["lr"]
pathlib.Path("metrics/train.json").write_text(json.dumps({"validation": {"dice": rate}}))
"""


def test_a_trial_is_an_experiment_whose_validation_dice_is_read(tmp_path, monkeypatch, capfd):
    call = dvc_project(tmp_path, STAGE, "train: {lr: 0.1}\n")
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics/train.json").write_text("{}")
    call("git", "add", "-A")
    call("git", "commit", "-q", "-m", "metrics")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{sys.exec_prefix}/bin:/usr/bin:/bin")
    assert run_experiment("try-000", {"train.lr": "0.25"}) == 0.25
    assert run_experiment("try-001", {"train.rate": "1"}) is None and "train.rate" in capfd.readouterr().err
    assert validation_dice("nothing") is None and not call("git", "status", "--short")
    project = Project.here()
    assert project.experiments == {"try-000"} and project.head == call("git", "rev-parse", "HEAD").strip()
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    with pytest.raises(UserError, match="try-000 … exist already"):
        main(arguments().parse_args(["train.lr=0.1|0.2", "--name", "try"]))
