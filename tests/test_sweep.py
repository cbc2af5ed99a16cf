"""`python -m tools.sweep`: the search space, asking and telling, interruptions, and trials as experiments of DVC."""

import json
import os
import signal
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from dvc.utils.cli_parse import to_path_overrides
from dvc.utils.hydra import to_hydra_overrides

from src.errors import UserError
from src.files import read_yaml
from src.reproduction.history import trials as of_trials
from src.reproduction.history.trials import Project, hydra_value, run_experiment, validation_dice
from src.sweep import search as of_search
from src.sweep.search import search, summary
from src.sweep.space import Dimension, parse_space, require_combinations
from src.sweep.study import INSTALL, Sweep, open_sweep
from tests.closure import ROOT
from tests.dvc_project import dvc_project
from tools.sweep import arguments, main

CONTENT = read_yaml(ROOT / "params.yaml")
RATES = Dimension("train.lr", (), 1e-4, 1e-2, log=True)


class FakeTrial(SimpleNamespace):
    """The first trial suggests the upper end, each further one half of that; or the first choice."""

    def set_user_attr(self, key, value):
        self.user_attrs[key] = value

    def suggest_float(self, name, low, high, *, log):
        return self.params.setdefault(name, high / 2**self.number)

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
        if self.trials[number].state.name != "RUNNING":
            raise ValueError("Cannot tell a finished trial")
        self.trials[number].state.name, self.trials[number].value = state, value

    def enqueue_trial(self, params, user_attrs):
        self.waiting.append((params, user_attrs))

    @property
    def states(self):
        return [trial.state.name for trial in self.trials]


@pytest.fixture
def sweep(monkeypatch):
    monkeypatch.setattr(of_search, "_failed", lambda: "FAIL")
    return Sweep(FakeStudy(), nullcontext(), "try", [RATES])


def changed(key, value):
    """CONTENT with another value of train."""
    return {**CONTENT, "train": {**CONTENT["train"], key: value}}


def test_a_space_has_ranges_whole_numbers_and_choices():
    texts = ["train.lr=log:1e-4..1e-2", "train.batch=log:2..64", "augment.rotate=0..90.5", "augment.flip=none|both"]
    assert (space := parse_space(texts, changed("validation_images", 9))) == [
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
        "train.decisions.mirror=true|false": "no effect",
        "train.tensorboard=true|false": "no effect",
        "data.masks.threshold=0..9": "other images or masks",
        "data.on_error=fail|skip": "other images or masks",
        "model.weights=imagenet|models/initial/${x}.h5": "DVC takes ${ for a reference",
    }
    with pytest.raises(UserError) as error:
        parse_space([*wrong, "seed=1|2", "seed=3|4"], changed("validation_images", 9))
    lines = str(error.value).splitlines()[1:]
    assert len(lines) == len(wrong) + 1 and "seed=3|4: named twice" in lines[-1]
    assert all(text in line and why in line for (text, why), line in zip(wrong.items(), lines, strict=False))


@pytest.mark.parametrize("text", ["train.batch=4|8", "train.steps=100..200", "data.crop=64|128", "train.epochs=2..4"])
def test_the_number_of_validation_images_must_not_depend_on_the_trial(text):
    with pytest.raises(UserError, match=r"train\.validation_images: auto, .* set train\.validation_images: N"):
        parse_space([text], changed("validation_images", "auto"))
    assert parse_space([text], changed("validation_images", 9))


def test_whole_numbers_may_be_large():
    assert parse_space(["seed=0..4000000001"], CONTENT)[0].extremes == ("0", "4000000001")


def test_more_trials_than_combinations_are_refused():
    finite = [Dimension("augment.flip", ("none", "both")), Dimension("seed", (), 1, 3, whole=True)]
    require_combinations(finite, 6)
    require_combinations([*finite, RATES], 1000)
    with pytest.raises(UserError, match="only 6 combinations"):
        require_combinations(finite, 7)


def test_a_failed_experiment_is_a_failed_trial_and_the_sweep_continues(sweep, capsys):
    ran = []

    def run(name, settings):
        ran.append((name, settings))
        return None if len(ran) == 2 else len(ran) / 10

    search(sweep, 3, run)
    rates = ["0.01", "0.005", "0.0025"]
    assert ran == [(f"try-00{number}", {"train.lr": rates[number]}) for number in range(3)]
    study = sweep.study
    assert study.states == ["COMPLETE", "FAIL", "COMPLETE"] and [t.value for t in study.trials] == [0.1, None, 0.3]
    assert "try-001 failed" in capsys.readouterr().out and "try-002, 0.3000" in summary(sweep)
    search(sweep, 3, run)
    assert len(ran) == 3
    search(sweep, 4, run)
    assert len(ran) == 4


def test_a_sweep_in_which_all_experiments_fail_ends_with_an_error(sweep):
    with pytest.raises(UserError, match="first 3 experiments failed"):
        search(sweep, 9, lambda *_: None)
    assert sweep.study.states == ["FAIL"] * 3
    search(sweep, 5, lambda *_: None)
    with pytest.raises(UserError, match="no trial has a score"):
        summary(sweep)


def test_equal_settings_are_not_trained_again(sweep, capsys):
    ran, space = [], [Dimension("augment.flip", ("both", "none"))]
    search(Sweep(sweep.study, sweep.lock, "try", space), 2, lambda name, _: ran.append(name) or 0.5)
    assert ran == ["try-000"] and sweep.scores == {0: 0.5, 1: 0.5}
    assert "that of try-000" in capsys.readouterr().out


def test_a_changed_project_stops_the_sweep_before_the_next_trial(sweep):
    checks = iter([None, UserError("changed")])

    def check():
        if error := next(checks):
            raise error

    with pytest.raises(UserError, match="changed"):
        search(sweep, 3, lambda *_: 0.5, check)
    assert sweep.study.states == ["COMPLETE"] and not sweep.study.waiting


@pytest.mark.parametrize("killed", [False, True])
def test_an_interrupted_trial_is_repeated_with_its_settings(sweep, killed):
    study, sweep = sweep.study, Sweep(sweep.study, sweep.lock, "try", [Dimension("train.lr", ("0.1", "0.2"))])
    if killed:  # nothing is told; no process has this number
        trial = study.ask()
        trial.params["train.lr"] = "0.2"
        trial.set_user_attr("process", 2**22 + 1)
    else:
        with pytest.raises(KeyboardInterrupt):
            search(sweep, 2, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        study.waiting[0][0]["train.lr"] = "0.2"
    ran = []
    search(sweep, 2, lambda name, settings: ran.append((name, settings["train.lr"])) or 0.5)
    assert ran == [("try-001", "0.2"), ("try-002", "0.1")] and study.states == ["FAIL", "COMPLETE", "COMPLETE"]


def test_a_trial_of_a_running_process_is_left_alone_and_counts(sweep, monkeypatch):
    study = sweep.study
    study.ask().set_user_attr("process", os.getppid())
    search(sweep, 1, lambda *_: 0.5)
    assert study.states == ["RUNNING"]
    search(sweep, 2, lambda *_: 0.5)
    assert study.states == ["RUNNING", "COMPLETE"] and not study.waiting
    assert "1 trial(s) run in other terminals" in summary(sweep)

    def forbid(*_):
        raise PermissionError

    monkeypatch.setattr(os, "kill", forbid)  # the process of another user
    search(sweep, 2, lambda *_: 0.5)
    assert study.states == ["RUNNING", "COMPLETE"]


def test_a_trial_that_another_process_ended_is_not_ended_twice(sweep):
    def run(*_):
        sweep.study.tell(0, state="FAIL")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(sweep, 1, run)
    assert sweep.study.states == ["FAIL"] and not sweep.study.waiting


def test_without_optuna_the_message_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match=INSTALL):
        open_sweep(tmp_path / "a.journal", {}, [])
    assert not list(tmp_path.iterdir()) and (ROOT / INSTALL.split()[-1]).exists()


def test_optuna_searches_and_continues_from_its_file(tmp_path):
    pytest.importorskip("optuna")
    file, space = tmp_path / "sweeps/a.journal", [RATES, Dimension("train.batch", ("4", "8"))]

    def opened(commit="abc"):
        return open_sweep(file, {"commit": commit}, space)

    def dice(_, settings):
        return 1 - (float(settings["train.lr"]) - 0.004) ** 2 if settings["train.batch"] == "8" else 0.1

    def interrupt(*_):
        raise KeyboardInterrupt

    search(opened(), 5, dice)
    search(opened(), 6, lambda *_: None)
    with pytest.raises(KeyboardInterrupt):
        search(opened(), 7, interrupt)
    sweep = opened()
    search(sweep, 8, dice)
    trials = sweep.study.trials
    assert [trial.state.name for trial in trials] == [*["COMPLETE"] * 5, "FAIL", "FAIL", "COMPLETE", "COMPLETE"]
    assert trials[7].params == trials[6].params
    assert len({trial.params["train.lr"] for trial in trials}) == 8
    assert f"a-{sweep.study.best_trial.number:03}" in summary(sweep)
    with pytest.raises(UserError, match="started with another commit"):
        opened("def")


@pytest.mark.parametrize("content", ["oops\n{}\n", "[]\n", '{"op_code": 0, "worker_id'])
def test_a_damaged_journal_is_refused(tmp_path, content):
    pytest.importorskip("optuna")
    file = tmp_path / "a.journal"
    file.write_text(content)
    with pytest.raises(UserError, match=r"a\.journal: damaged; delete it, or choose another --name"):
        open_sweep(file, {}, [])


@pytest.mark.parametrize(
    "text", ["x(1).h5", "a b", "it's", "C:\\", "\\'", "1e-5", "0o17", "true", "none", '"007"', "a,b"]
)
def test_dvc_reads_the_value_that_was_checked(tmp_path, text):
    (tmp_path / "p.yaml").write_text(f"- {text}\n")
    [override] = to_path_overrides([f"model.weights={hydra_value(text)}"])["params.yaml"]
    assert [to_hydra_overrides([override])[0].value()] == read_yaml(tmp_path / "p.yaml")


METRICS = "metrics/train.json"
STAGE = """
import json, os, pathlib, yaml
os.makedirs("data/evaluation"), os.makedirs("data/prepared"), os.makedirs("metrics", exist_ok=True)
train = yaml.safe_load(open("params.yaml"))["train"]
score = train["lr"] if train["initial"] == "x(1).h5" else None
pathlib.Path("metrics/train.json").write_text(json.dumps({"validation": {"dice": score}}))
"""


@pytest.fixture(scope="module")
def committed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    call = dvc_project(folder, STAGE, "train: {lr: 0.1, initial: none}\n")
    with (folder / "dvc.yaml").open("a") as file:
        file.write("    metrics: [{metrics/train.json: {cache: false}}]\n")
    call("git", "commit", "-q", "-a", "-m", "metrics")
    call("git", "tag", "start")
    return folder, call


@pytest.fixture
def project(committed, monkeypatch):
    """The project is the current directory; returns what runs a command in it."""
    folder, call = committed
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", f"{sys.exec_prefix}/bin:/usr/bin:/bin")
    yield call
    call("git", "reset", "-q", "--hard", "start")


def test_a_trial_is_an_experiment_whose_validation_dice_is_read(project):
    before = Project.here()
    assert run_experiment("try-002", {"train.lr": "0.25", "train.initial": "x(1).h5"}, METRICS) == 0.25
    assert validation_dice("nothing", METRICS) is None and not project("git", "status", "--short")
    before.require_same()
    after = Project.here()
    assert after.experiments == {"try-002"} and after.head == project("git", "rev-parse", "HEAD").strip()
    with pytest.raises(UserError, match="try-002: these experiments exist already"):
        after.require_unused("try")
    after.require_unused("tr")


def test_a_sweep_needs_the_same_commit_without_changes(project):
    before = Project.here()
    Path("untracked").touch()
    before.require_same()
    Path("params.yaml").write_text((ROOT / "params.yaml").read_text())
    with pytest.raises(UserError, match=r"(?s)differ from the commit.*git stash.*continues.*params\.yaml"):
        main(arguments().parse_args(["train.lr=0.1|0.2", "--trials", "2"]))
    project("git", "commit", "-q", "-a", "-m", "settings")
    with pytest.raises(UserError, match="the commit has changed from"):
        before.require_same()


def test_settings_that_are_not_valid_are_refused_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").touch()
    with pytest.raises(UserError, match=r"params\.yaml"):
        main(arguments().parse_args(["train.lr=0.1|0.2"]))


@pytest.mark.parametrize("dice", ["much", [1], None, {}, float("nan")])
def test_a_score_that_is_no_number_is_none(monkeypatch, dice):
    files = SimpleNamespace(read_text=lambda *_, **__: json.dumps({"validation": {"dice": dice}}))
    repo = SimpleNamespace(open=lambda *_, **__: nullcontext(SimpleNamespace(dvcfs=files)))
    monkeypatch.setattr(of_trials, "Repo", repo)
    assert validation_dice("a", METRICS) is None


FAKE_DVC = """#!/bin/sh
trap 'touch stopped; exit 1' INT
touch started
while :; do sleep 0.02; done
"""


def test_an_interrupt_stops_the_experiment_and_waits_for_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc").write_text(FAKE_DVC)
    (tmp_path / "dvc").chmod(0o755)
    monkeypatch.setattr(of_trials.sys, "executable", str(tmp_path / "dvc"))

    def interrupt(*_):
        if Path("started").exists():
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise KeyboardInterrupt

    handler = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_experiment("try-000", {}, METRICS)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    assert Path("stopped").exists()


def test_an_experiment_that_fails_has_no_score(monkeypatch):
    monkeypatch.setattr(of_trials.sys, "executable", "/bin/false")
    assert run_experiment("try-000", {"train.lr": "1"}, METRICS) is None
