"""tools.watch: finds trainings, describes their state, and shows it on terminals and in pipes."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import filelock
import pytest

from src.training_progress import TrainingProgress, running
from src.watch.screen import Screen
from src.watch.text import CONTINUE, duration, overview, sparkline
from src.watch.trainings import find_trainings
from tests.closure import ROOT
from tools.watch import watch

NOW = datetime.fromisoformat("2026-03-01T12:00:00+01:00")
PROGRESS = TrainingProgress(
    training="key",
    process=4711,
    started="2026-03-01T11:50:00+01:00",
    updated="2026-03-01T11:59:58+01:00",
    state="training",
    epoch=3,
    epochs=4,
    step=1300,
    steps=2000,
    validated=0,
    to_validate=33,
    patches_per_second=41.26,
    remaining_seconds=200.0,
    loss=0.5,
    val_dice=0.6,
    best_val_dice=0.7,
    best_epoch=1,
    picture="overlays/epoch-002.jpg",
)
HISTORY = "epoch,loss,val_dice\n1,1.5,0.7\n2,0.75,0.6\n"


def write(project: Path, **changes) -> None:
    for name in ("logs", "plots"):
        (project / name).mkdir(parents=True, exist_ok=True)
    (project / "plots/history.csv").write_text(HISTORY)
    dataclasses.replace(PROGRESS, **changes).write(project / "logs")


def shown(root: Path, now: datetime = NOW) -> str:
    return "\n".join(overview(find_trainings(root, Path("logs"), Path("plots/history.csv")), root, now))


def test_a_running_training_is_shown_with_curves_speed_and_remaining_time(tmp_path):
    with running(tmp_path / "logs"):
        write(tmp_path)
        assert shown(tmp_path) == (
            "running     epoch 3 of 4, step 1,300 of 2,000, process 4711\n"
            "            ██████████████████████████░░░░░░░░░░░░░░  65%, 41.3 patches/s, about 3 min 20 s left\n"
            "loss        0.5000  █▁  from 1.5000\n"
            "val. Dice   0.6000  █▁  best 0.7000 in epoch 1\n"
            "picture     logs/overlays/epoch-002.jpg"
        )


def test_the_first_epoch_has_no_curves_yet(tmp_path):
    unknown = dict.fromkeys(("loss", "val_dice", "best_val_dice", "best_epoch", "remaining_seconds"))
    with running(tmp_path / "logs"):
        write(tmp_path, epoch=1, step=0, picture="", patches_per_second=None, **unknown)
        (tmp_path / "plots/history.csv").unlink()
        assert len(shown(tmp_path).splitlines()) == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": "validating", "validated": 12}, "validation image 12 of 33"),
        ({"state": "finishing", "remaining_seconds": None}, "fits the decisions and writes the results"),
        ({"updated": "2026-03-01T11:55:00+01:00"}, "no update for 5 min 0 s: the process exists"),
    ],
)
def test_the_state_of_a_running_training_is_shown(tmp_path, changes, words):
    with running(tmp_path / "logs"):
        write(tmp_path, **changes)
        assert words in shown(tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": "done"}, "ended 2026-03-01 11:59, after 9 min 58 s"),
        ({"state": "stopped", "message": "the loss is nan"}, "the loss is nan\nloss "),
        (
            {"state": "stopped", "message": "disk full", "can_continue": True},
            f"disk full\n            {CONTINUE}\nloss ",
        ),
    ],
)
def test_if_nothing_runs_the_last_training_is_shown(tmp_path, changes, words):
    write(tmp_path, **changes)
    text = shown(tmp_path)
    assert text.startswith(f"No training is running in {tmp_path}, nor in its experiments.\nStart one with `dvc repro`")
    assert words in text and "best 0.7000 in epoch 1" in text


def test_a_training_of_another_user_is_shown_as_running(tmp_path, monkeypatch):
    """Only the owner may open the lock file for writing, which filelock does."""
    write(tmp_path)

    def refuse(self, *_, **__):
        raise PermissionError(13, "Permission denied", self.lock_file)

    with running(tmp_path / "logs"), monkeypatch.context() as patch:
        patch.setattr(filelock.FileLock, "acquire", refuse)
        assert shown(tmp_path).startswith("running")
    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    assert "\ndied        epoch 3 of 4" in shown(tmp_path)


def test_a_killed_training_is_shown_as_died_with_how_to_continue(tmp_path):
    code = f"""
import time; from pathlib import Path; from src.training_progress import running
with running(Path({str(tmp_path / "logs")!r})) as free:
    print(free, flush=True)
    time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "True\n"
    write(tmp_path)
    assert shown(tmp_path).startswith("running")
    process.send_signal(signal.SIGKILL)
    process.wait()
    text = shown(tmp_path)
    assert "\ndied        epoch 3 of 4" in text
    assert "process 4711 was killed or has crashed; last update: 2026-03-01 11:59:58" in text
    assert "run the same command again: training continues from its last checkpoint" in text
    assert "first see docs/troubleshooting.md, A killed experiment" in text
    page = (ROOT / "docs/troubleshooting.md").read_text()
    assert {"## A killed experiment", "## A queue after a crash"} <= set(page.splitlines())


def test_trainings_of_experiments_are_found_in_their_copies(tmp_path):
    write(tmp_path, state="done")
    copies = [tmp_path / ".dvc/tmp/exps" / name for name in ("tmpa", "standalone/tmpb", "standalone/tmpc/project")]
    for number, copy in enumerate(copies):
        write(copy, process=number)
    found = find_trainings(tmp_path, Path("logs"), Path("plots/history.csv"))
    assert found[0].project == tmp_path and {training.project for training in found[1:]} == set(copies)
    assert "first see docs/troubleshooting.md, A queue after a crash" in shown(tmp_path)
    with running(copies[0] / "logs"), running(copies[1] / "logs"):
        text = shown(tmp_path)
    assert text.count("running ") == 2 and "process 0, in .dvc/tmp/exps/tmpa\n" in text and "done" not in text
    assert "picture     .dvc/tmp/exps/tmpa/logs/overlays/epoch-002.jpg" in text


def test_fitting_decisions_may_take_long_without_a_warning(tmp_path):
    with running(tmp_path / "logs"):
        write(tmp_path, state="finishing", updated="2026-03-01T11:00:00+01:00")
        assert "no update" not in shown(tmp_path)


DAMAGED = {
    "no steps": {"steps": 0},
    "text for a number": {"step": "x"},
    "huge step": {"step": 10**400},
    "text for a time": {"updated": "yesterday"},
    "no time zone": {"updated": "2026-03-01T11:59:58"},
    "null for a time": {"updated": None},
    "endless": {"remaining_seconds": 1e300},
    "not a number": {"remaining_seconds": float("nan")},
    "number for a picture": {"picture": 5},
    "null for a message": {"state": "stopped", "message": None},
    "lone surrogate": {"picture": "\ud800"},
    "unknown state": {"state": "x"},
    "unknown key": {"more": 1},
}
FOREIGN = {"not UTF-8": b"\xff\xfe\x00", "nested": b"[" * 100_000, "not JSON": b"{", "empty": b"", "list": b"[]"}


@pytest.mark.parametrize("name", [*DAMAGED, *FOREIGN])
def test_a_damaged_progress_file_in_a_copy_hides_only_that_copy(tmp_path, name):
    copy = tmp_path / ".dvc/tmp/exps/temp"
    with running(tmp_path / "logs"), running(copy / "logs"):
        write(tmp_path)
        changed = json.dumps(dataclasses.asdict(PROGRESS) | DAMAGED.get(name, {})).encode()
        (copy / "logs/progress.json").write_bytes(FOREIGN.get(name, changed))
        assert shown(tmp_path).count("running ") == 1
        write(copy)
        assert shown(tmp_path).count("running ") == 2


@pytest.mark.parametrize("missing", ["best_val_dice", "best_epoch"])
def test_a_missing_best_epoch_is_left_out(tmp_path, missing):
    write(tmp_path, **{missing: None})
    assert "\nval. Dice   0.6000  █▁\n" in shown(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"epoch,loss\n1,1.5\n",
        b"<<<<<<< HEAD\nepoch,loss,val_dice\n1,1.5,0.6\n=======\n>>>>>>> other\n",
        b"epoch,loss,val_dice\n1,1.5\n",
        b"epoch,loss,val_dice\n1,x,0.6\n",
        b"epoch,loss,val_dice\n1,inf,0.6\n",
        b"epoch,loss,val_dice\n1,1.5,nan\n",
        b"epoch,loss,val_dice\n1,\xff,0.6\n",
        b"epoch,loss,val_dice\n1,1.5," + b"6" * 200_000 + b"\n",
        b"epoch,loss,val_dice\n1,1.5,0.7\n2,0.75,0.600002\n",
        b"",
    ],
    ids=[
        "column",
        "conflict",
        "short row",
        "text",
        "inf",
        "nan",
        "not UTF-8",
        "long cell",
        "another training",
        "empty",
    ],
)
def test_without_the_history_of_this_training_only_the_curves_are_left_out(tmp_path, content):
    with running(tmp_path / "logs"):
        write(tmp_path)
        (tmp_path / "plots/history.csv").write_bytes(content)
        lines = shown(tmp_path).splitlines()
    assert lines[2:4] == ["loss        0.5000", "val. Dice   0.6000    best 0.7000 in epoch 1"]


def test_values_that_are_not_finite_are_left_out_of_the_curves(tmp_path):
    write(tmp_path)
    (tmp_path / "plots/history.csv").write_text(HISTORY.replace("2,0.75", "2,nan,0.9\n3,-1e308,0.9\n4,0.75"))
    assert "loss        0.5000  █▁  from 1.5000\n" in shown(tmp_path)


def test_control_characters_of_files_and_folders_do_not_reach_the_terminal(tmp_path):
    copy = tmp_path / ".dvc/tmp/exps/a\x1b[2J"
    write(copy, picture="\x1b]0;title\x07", state="stopped", message="disk\rfull\u202e")
    text = shown(tmp_path)
    assert text.replace("\n", "").isprintable() and "exps/a\\x1b[2J" in text and "disk\\rfull" in text


def test_a_sparkline_goes_from_the_lowest_to_the_highest_value():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([2, 2]) == "▁▁" and sparkline([]) == "" and sparkline([3]) == "▁"
    assert sparkline([0, 5e-324]) == "▁█"
    assert sparkline([0, 0, 7, 7, 0, 0], width=3) == "▁█▁"
    assert len(sparkline(range(1000), width=40)) == 40


def test_durations_have_two_units():
    times = {0.4: "0 s", 59: "59 s", 200: "3 min 20 s", 7500: "2 h 5 min", 90000: "25 h 0 min"}
    assert {seconds: duration(timedelta(seconds=seconds)) for seconds in times} == times


def test_a_terminal_is_refreshed_in_place_and_long_lines_are_cut_off(monkeypatch):
    out = StringIO()
    out.isatty = lambda: True
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((6, 4)))
    screen = Screen(out)
    screen.show(["one", "a long line"], 1)
    screen.show(["1", "2", "3", "4"], 1)
    assert out.getvalue() == "\x1b[Jone\na lon\n\x1b[2F\x1b[J1\n2\n3\n"


def test_in_a_pipe_each_change_is_printed_once():
    out = StringIO()
    screen = Screen(out)
    for lines, key in ((["one"], 1), (["again"], 1), (["two"], 2)):
        screen.show(lines, key)
    assert out.getvalue() == "one\n\ntwo\n"


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tools.watch", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=folder, env=environment, **output)


def between_refreshes(monkeypatch, *actions: Callable[[], object]) -> None:
    """Let the watcher in this process call one action after each refresh, instead of waiting."""
    left = iter(actions)
    monkeypatch.setattr("tools.watch.time", SimpleNamespace(sleep=lambda seconds: next(left)()))


def test_the_tool_prints_each_epoch_into_a_pipe_and_ends_with_the_training(tmp_path, monkeypatch, capsys):
    between_refreshes(
        monkeypatch,
        lambda: write(tmp_path, step=1301, state="validating"),  # in the same epoch: not printed
        lambda: write(tmp_path, epoch=4, step=1500),
        lambda: write(tmp_path, epoch=4, step=2000, state="done"),
    )
    with running(tmp_path / "logs"):
        write(tmp_path)
        watch(tmp_path, once=False, wait=False)
    lines = [line for line in capsys.readouterr().out.splitlines() if "epoch" in line and "of 4" in line]
    assert [line.split(", process")[0] for line in lines] == [
        "running     epoch 3 of 4, step 1,300 of 2,000",
        "running     epoch 4 of 4, step 1,500 of 2,000",
        "done        epoch 4 of 4, step 2,000 of 2,000",
    ]


@pytest.mark.parametrize("earlier", [True, False])
def test_the_tool_waits_for_a_training_if_asked_to(tmp_path, monkeypatch, capsys, earlier):
    if earlier:
        write(tmp_path, state="done")
    with ExitStack() as training:
        between_refreshes(
            monkeypatch,
            lambda: None,
            lambda: (training.enter_context(running(tmp_path / "logs")), write(tmp_path)),
            lambda: write(tmp_path, state="done"),
        )
        watch(tmp_path, once=False, wait=True)
    shown = capsys.readouterr().out.split("\n\n")
    assert [part.split()[0] for part in shown] == ["waiting", "running", "No", "done"]


def test_ctrl_c_ends_the_watcher_quietly(tmp_path):
    with running(tmp_path / "logs"):
        write(tmp_path)
        assert "epoch 3 of 4" in start(tmp_path, "--once").communicate(timeout=60)[0]
        tool = start(tmp_path)
        tool.stdout.readline()
        tool.send_signal(signal.SIGINT)
        said = tool.stdout.read()
    assert tool.wait(timeout=60) == 0 and said.splitlines()[-1].startswith("picture")
