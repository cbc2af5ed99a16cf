"""The data set checks by their real commands: exit status, one message without traceback, and the files left."""

import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from src.files import read_csv, read_yaml, write_yaml
from tests.conftest import ROOT, write_data_set, write_pair


def run(folder, *command, most=resource.RLIM_INFINITY):
    """most: bytes of a file, beyond which no more can be written, as on a full disk."""
    environment = {"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(Path.home())}  # Matplotlib keeps its fonts there
    arguments = [sys.executable, "-m", *command]
    found = subprocess.run(
        arguments,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)),
    )
    assert "Traceback" not in found.stderr + found.stdout
    return found


@pytest.fixture
def folder(tmp_path):
    """A project of its own, with a data set of three pairs in data/set."""
    content = read_yaml(ROOT / "params.yaml")
    content["data"]["source"] = "data/set"
    write_yaml(tmp_path / "params.yaml", content)
    write_data_set(tmp_path / "data/set", count=3)
    return tmp_path


def spoil(folder):
    (folder / "data/set/images/case 0-0.png").write_bytes(b"no image")
    write_pair(folder / "data/set", "un\nsafe", np.zeros((8, 8, 3), np.uint8), np.eye(8, dtype=np.uint8))
    (folder / "data/set/masks/case 1-2.png").unlink()


EXPECTED = [
    r"  'case 0-0': images/case 0-0.png cannot be read as an image: it is text → open it",
    r"  'images/case 1-2': has no mask → add it as masks/case 1-2.png, remove the file, or data.on_error: skip",
    r"  'images/un\\nsafe.png': has a line break, a control character or no UTF-8 in its name → rename it",
    r"  'masks/un\\nsafe.png': has a line break, a control character or no UTF-8 in its name → rename it",
]


def test_prepare_lists_all_problems_in_one_message(folder):
    spoil(folder)
    found = run(folder, "stages.prepare")
    assert found.returncode == 1
    lines = found.stderr.splitlines()
    assert lines[0] == "prepare: 4 problem(s) in the data set, all of them in data/checks.csv"
    assert [line[: len(start)] for line, start in zip(lines[1:], EXPECTED, strict=True)] == EXPECTED
    assert {path.name for path in (folder / "data").iterdir()} == {"set", "checks.csv", "contact-sheet.png"}
    assert len(read_csv(folder / "data/checks.csv")) == 4


def test_prepare_leaves_out_unreadable_files_with_on_error_skip(folder):
    spoil(folder)
    content = read_yaml(folder / "params.yaml")
    content["data"]["on_error"] = "skip"
    write_yaml(folder / "params.yaml", content)
    found = run(folder, "stages.prepare")
    assert found.returncode == 0 and found.stderr == ""
    assert "1 pairs" in found.stdout and "4 file(s) left out (data.on_error: skip)" in found.stdout
    assert (folder / "data/prepared/index.json").exists()


def test_check_finds_the_same_as_prepare_and_writes_no_store(folder):
    found = run(folder, "tools.check", "data/set")
    assert found.returncode == 0 and "3 pairs" in found.stdout and found.stderr == ""
    assert {path.name for path in (folder / "logs/check").iterdir()} == {"checks.csv", "contact-sheet.png"}
    spoil(folder)
    found = run(folder, "tools.check", "data/set", "--out", "elsewhere")
    assert found.returncode == 1 and found.stderr.startswith("check: 4 problem(s) in the data set")
    assert {path.name for path in (folder / "elsewhere").iterdir()} == {"checks.csv", "contact-sheet.png"}
    assert {path.name for path in (folder / "data").iterdir()} == {"set"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("classes: {0: a, 1: b}\nclasses: {0: a, 2: b}\n", "line 2, column 1: while constructing a mapping; found"),
        ("classes: {0: a, 1: b", "not valid YAML"),
        ("classes: {0: a, 1: a}", "named twice: a"),
    ],
)
def test_a_broken_dataset_yaml_is_refused_by_name(folder, text, words):
    (folder / "data/set/dataset.yaml").write_text(text)
    for command in (["stages.prepare"], ["tools.check", "data/set"]):
        found = run(folder, *command)
        assert found.returncode == 1 and words in found.stderr and "data/set/dataset.yaml" in found.stderr
    assert {path.name for path in (folder / "data").iterdir()} == {"set"}


@pytest.mark.parametrize(("most", "left"), [(20_000, set()), (35_000, {"checks.csv"})])
def test_a_full_disk_is_reported_and_leaves_no_partial_file(folder, most, left):
    """The pixels take 34 kB, the contact sheet more."""
    found = run(folder, "stages.prepare", most=most)
    assert found.returncode == 1
    last = found.stderr.splitlines()[-1]  # Matplotlib may have a word before
    assert re.fullmatch("prepare: .*File too large; free some space; nothing half-written is left", last)
    assert left or "images.bin" in last
    assert {path.name for path in (folder / "data").iterdir()} == {"set"} | left


def test_a_missing_folder_and_an_unwritable_one_are_reported(folder):
    found = run(folder, "tools.check", "data/nothing")
    assert found.returncode == 1 and found.stderr.startswith("check: data/nothing: no such folder")
    (folder / "file").write_text("in the way")
    found = run(folder, "tools.check", "data/set", "--out", "file/here")
    assert found.returncode == 1 and "check: file" in found.stderr


def test_a_tool_ends_silently_when_the_reader_of_its_output_has_enough():
    code = "from tools import parser, run; run(parser('tool', ''), lambda _: [print(line) for line in range(100_000)])"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as tool:
        assert tool.stdout.readline() == b"0\n"
        tool.stdout.close()
        assert tool.stderr.read() == b"" and tool.wait() == 128 + signal.SIGPIPE


def test_a_terminated_stage_leaves_nothing_behind(folder):
    code = """
import os, signal, sys, time
sys.argv = ["prepare"]
from src.data.store import prepare
def check_dataset(*_):
    os.kill(os.getpid(), signal.SIGTERM)
    for _ in range(6000):  # the system may deliver the signal to another thread, so this one may go on for a moment
        time.sleep(0.01)
    raise AssertionError("still here")
prepare.check_dataset = check_dataset
import runpy
runpy.run_module("stages.prepare", run_name="__main__")
"""
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 1 and found.stderr.splitlines()[-1] == "prepare: terminated"
    assert {path.name for path in (folder / "data").iterdir()} == {"set"}


@pytest.mark.parametrize("text", ["test: test.txt", "group: '^none (x)'", "classes: {0: a, 1: a}", "test: index.json"])
def test_check_refuses_what_prepare_refuses(folder, text):
    (folder / "data/set/dataset.yaml").write_text(text)
    said = []
    for command in (["stages.prepare"], ["tools.check", "data/set"]):
        found = run(folder, *command)
        assert found.returncode == 1
        said.append(found.stderr.splitlines()[1:])
    assert said[0] == said[1]


def test_shares_of_classes_are_printed_only_once_the_classes_are_known(folder):
    for number in range(3):
        mask = np.array([0, 128, 255], np.uint8).repeat(32)[None].repeat(64, axis=0)
        write_pair(folder / "data/other", str(number), np.full((64, 96, 3), 60 * number, np.uint8), mask)
    found = run(folder, "tools.check", "data/other")
    assert found.returncode == 1 and "more than one reading is possible" in found.stderr
    assert "3 pairs" in found.stdout and "ignored" not in found.stdout and "mask value" not in found.stdout
    (folder / "data/other/dataset.yaml").write_text("classes: {0: a, 128: b}")
    assert "ignored" not in run(folder, "tools.check", "data/other").stdout
    (folder / "data/other/dataset.yaml").write_text("classes: {0: a, 128: b}\nignore: 255")
    assert "ignored: 33.33% of the pixels" in run(folder, "tools.check", "data/other").stdout
