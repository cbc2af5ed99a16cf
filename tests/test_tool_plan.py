"""tools.plan: what it prints and writes, and how many steps it derives from measured times."""

import math
import re
import shutil
import subprocess
import sys
from argparse import Namespace

import pytest

import src.model.training.timing as timing
import tools.plan
from src.data.splits.divide import split
from src.data.store.subsets import write_splits
from src.params import PlannedAugment, PlannedData, PlannedLoss, PlannedModel, PlannedTrain, load
from src.plan.plan import BY_HAND
from src.search.timing import Timing
from tests.conftest import ROOT, prepared, write_data_set
from tests.test_commands import run
from tests.test_train import float32  # noqa: F401
from tests.test_write_setting import differing

TEXT = (ROOT / "params.yaml").read_text()
PLANNED = {
    f"{name}.{key}"
    for name, part in (
        ("data", PlannedData),
        ("augment", PlannedAugment),
        ("model", PlannedModel),
        ("train", PlannedTrain),
        ("train.loss", PlannedLoss),
    )
    for key in part.__annotations__
} - {"train.loss"}
SET = {"data.crop": "16", "model.filters": "4", "train.batch": "4"}  # by hand, in the project of these tests


def with_values(text, **values):
    """The text of params.yaml with other values in the lines of these keys, whatever their section."""
    for key, value in values.items():
        text, count = re.subn(rf"^(  {key}: )\S+", rf"\g<1>{value}", text, count=1, flags=re.MULTILINE)
        assert count == 1, key
    return text


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    values = {key.split(".")[1]: value for key, value in SET.items()}
    (folder / "params.yaml").write_text(with_values(TEXT, source="data/set", precision="float32", **values))
    store, params = prepared(write_data_set(folder / "data/set"), folder / "data"), load(folder / "params.yaml")
    write_splits(folder / "data/splits.csv", split(store, params.split, params.split.seed))
    return folder


@pytest.fixture
def project(made, tmp_path, monkeypatch):
    """A project of its own, prepared and split; the current directory."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows_of(printed):
    """Setting → value and reason, of the lines that are columns."""
    lines = [re.fullmatch(r"([\w.]+) +(\S+)  (\S.*)", line) for line in printed.splitlines()]
    return {line[1]: (line[2], line[3]) for line in lines if line}


def test_the_plan_lists_every_setting_with_its_reason(project):
    before = (project / "params.yaml").read_bytes()
    found = run(project, "tools.plan")
    assert found.returncode == 0 and found.stderr == ""
    rows = rows_of(found.stdout)
    assert rows.keys() == PLANNED and len(rows) == len(found.stdout.splitlines())
    by_hand = {key: value for key, (value, why) in rows.items() if why == BY_HAND}
    assert by_hand == SET and BY_HAND == "set by hand"
    assert not any(value == "auto" for value, _ in rows.values())
    assert (project / "params.yaml").read_bytes() == before


def test_tensorflow_is_loaded_only_for_measuring(project):
    code = """
import runpy, sys
sys.argv = ["plan"]
try:
    runpy.run_module("tools.plan", run_name="__main__")
except SystemExit as stop:
    assert not stop.code, stop.code
print("loaded:", *(name for name in ("tensorflow", "keras") if name in sys.modules))
"""
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    found = subprocess.run([sys.executable, "-c", code], cwd=project, env=environment, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert "train.steps" in found.stdout and found.stdout.endswith("loaded:\n")


@pytest.mark.parametrize(
    ("missing", "words"), [("splits.csv", "run `dvc repro split`"), ("prepared", "run `dvc repro`")]
)
def test_a_missing_split_or_store_names_the_command_to_run(project, missing, words):
    (project / "data" / missing).rename(project / "elsewhere")
    found = run(project, "tools.plan")
    assert found.returncode == 1 and found.stdout == ""
    assert found.stderr.startswith(f"plan: data/{missing}: ") and found.stderr.endswith(f"{words}\n")


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf", "five"])
def test_invalid_minutes_are_refused(project, minutes):
    found = run(project, "tools.plan", f"--minutes={minutes}")
    assert found.returncode == 2 and "argument --minutes: " in found.stderr


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        (["--keep", "train.lr"], "--keep"),
        (["--minutes", "5", "--no-trials", "--keep", "train.lr"], "--keep"),
        (["--no-trials"], "--no-trials"),
    ],
)
def test_options_that_would_have_no_effect_are_refused(project, options, argument):
    before = (project / "params.yaml").read_bytes()
    found = run(project, "tools.plan", *options)
    assert found.returncode == 2 and f"error: argument {argument}: " in found.stderr and found.stdout == ""
    assert (project / "params.yaml").read_bytes() == before


def test_the_measured_number_of_steps_is_written_to_params(project, monkeypatch, capsys):
    measured, measure = [], timing.measure_timing
    monkeypatch.setattr(timing, "SECONDS", 0.1)
    monkeypatch.setattr(
        timing, "measure_timing", lambda *arguments: measured.append(measure(*arguments)) or measured[0]
    )
    before, files = (project / "params.yaml").read_bytes().decode(), set(project.rglob("*"))
    tools.plan.main(Namespace(minutes=0.05, trials=False))
    printed = capsys.readouterr().out
    ((old, new),) = differing(before, (project / "params.yaml").read_bytes().decode())
    steps = int(re.fullmatch(r"  steps: (\d+) +(# .*)\n", new)[1])
    assert old.startswith("  steps: auto  ") and old.index("#") == new.index("#") and steps >= 1
    words = rf"a step takes \d+ ms, .* {steps} steps and \d+ validations of \d image\(s\) .* 0.05 minutes\n"
    assert re.search(words, printed)
    assert rows_of(printed)["train.steps"] == (str(steps), BY_HAND)
    assert measured[0].start > measured[0].step > 0 < measured[0].validation
    assert set(project.rglob("*")) == files  # nothing else is left of the measurement
    again = rows_of(run(project, "tools.plan").stdout)
    assert again == rows_of(printed)


@pytest.mark.parametrize(
    ("epochs", "minutes", "steps", "words"),
    [
        ("auto", 1, 2497, "fit into"),  # 1.03 s + 2497 × 0.01 s + 20 × 3 × 0.56 s = 60 s
        (5, 1, 5047, "fit into"),  # 1.03 s + 5047 × 0.01 s + 5 × 3 × 0.56 s = 60 s
        (2000, 1, 2000, "are the smallest possible number, but take longer than"),
        ("auto", 0.01, 1, "are the smallest possible number, but take longer than"),
    ],
)
def test_the_steps_that_fit_are_printed_and_written(project, monkeypatch, capsys, epochs, minutes, steps, words):
    """An earlier number of steps in params.yaml has no influence."""
    monkeypatch.setattr(timing, "measure_timing", lambda *_: Timing(1.03, 0.01, 1.7 / 3))
    path = project / "params.yaml"
    path.write_text(with_values(path.read_text(), steps=4000, epochs=epochs))
    tools.plan.main(Namespace(minutes=minutes, trials=False))
    printed = capsys.readouterr().out
    assert load(path).train.steps == steps
    assert f"a step takes 10 ms, an image of validation 567 ms: {steps} steps and " in printed
    assert f" validations of 3 image(s) {words} {minutes:g} minutes\n" in printed


def growing(pixels, most=20):
    """Epochs as in src/plan/rules/training.py: one for every `pixels` steps, at least one and at most `most`."""
    return lambda steps: max(1, min(steps // pixels, most))


EPOCHS = {
    "one": lambda _: 1,
    "seven": lambda _: 7,
    "slowly": growing(50),
    "at once": growing(1),
    "more": growing(3, 90),
}


@pytest.mark.parametrize("epochs", EPOCHS.values(), ids=EPOCHS)
@pytest.mark.parametrize(
    "measured", [Timing(2, 0.1, 0.5), Timing(10, 0.05, 10), Timing(0, 1.5, 0.01), Timing(40, 3, 100)]
)
@pytest.mark.parametrize("seconds", [0.01, 30, 61, 200])
def test_the_number_of_steps_equals_an_exhaustive_search(epochs, measured, seconds):
    """Compared with trying all numbers of steps."""

    def validations(steps):
        return epochs(steps), 1 + steps // 100

    def takes(steps):
        return measured.start + steps * measured.step + math.prod(validations(steps)) * measured.validation

    fitting = [steps for steps in range(1, 5000) if epochs(steps) <= steps and takes(steps) <= seconds]
    assert measured.most_steps(seconds, validations) == max(fitting, default=epochs(1)) < 4900
