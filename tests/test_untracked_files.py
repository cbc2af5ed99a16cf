"""Files of a data set that experiments in a copy would not find: a note before the run, a refusal in the copy."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from src.errors import UserError
from src.files import read_yaml, write_yaml
from src.reproduction.workspace.untracked_files import stop_in_incomplete_copy, untracked_files
from tests.conftest import ROOT, write_data_set
from tests.dvc_project import dvc_project

SET = "data/my set"
ALL = [f"{part}/case {number // 2}-{number}.png" for part in ("images", "masks") for number in range(3)]
DVC = """
stages:
  prepare:
    cmd: python -m stages.prepare
    params: [data]
    deps: ["${data.source}"]
    outs: [data/prepared, data/checks.csv, data/contact-sheet.png]
"""
STATES = [  # what was done with the folder, and which of its files copies lack
    ("true", ALL),
    (f"dvc add '{SET}'", ALL),  # the .dvc file is known to nobody
    (f"dvc add '{SET}' && git add '{SET}.dvc'", []),
    (f"dvc add '{SET}/images' && git add data", []),
    (f"dvc add '{SET}/images' && git add '{SET}/images.dvc'", ALL[3:]),
    ("git add data", []),
    (f"git add '{SET}/masks'", ALL[:3]),
    ("echo '*-1.png' >> .gitignore && git add data", [ALL[1], ALL[4]]),
    (f"git add data && touch '{SET}/images/.DS_Store' '{SET}/Thumbs.db'", []),  # no part of a data set
    ("rm -r .git", []),
]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of the prepare stage alone, with a set of three pairs that nobody knows."""
    monkeypatch.chdir(tmp_path)
    call = dvc_project(tmp_path, "", "")
    (tmp_path / "dvc.yaml").write_text(DVC)
    (tmp_path / ".gitignore").write_text("/data/prepared\n/data/checks.csv\n/data/contact-sheet.png\n/logs\n")
    content = read_yaml(ROOT / "params.yaml")
    content["data"]["source"] = SET
    write_yaml(tmp_path / "params.yaml", content)
    call("git", "commit", "-q", "-a", "-m", "prepare")
    write_data_set(tmp_path / SET, count=3)
    return tmp_path


def shell(folder: Path, command: str, status: int = 0) -> str:
    """Run it, with the user's own fonts and this Python; what it printed."""
    path = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(Path.home())}
    found = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, env=path)
    assert (found.returncode != 0) == status, found.stdout + found.stderr
    return found.stdout + found.stderr


def test_files_in_gits_index_and_outputs_of_tracked_dvc_files_are_known(project):
    kept = project.parent / f"{project.name} kept"
    shutil.copytree(project / SET, kept)
    for command, behind in STATES:
        shell(project, command)
        assert untracked_files(SET, project) == behind, command
        assert untracked_files(str(project / SET), project) == []  # a full path leads to the same folder from anywhere
        shutil.rmtree(project / "data")
        shell(project, "git reset -q --hard || true")
        shutil.copytree(kept, project / SET)


def test_the_printed_commands_make_the_files_known(project):
    printed = shell(project, f"python -m tools.check '{SET}/'")
    assert f"note: {SET} is known to neither Git nor DVC" in printed and f"dvc exp run -C '{SET}'" in printed
    shell(project, next(line for line in printed.splitlines() if "dvc add" in line))
    assert "note" not in shell(project, f"python -m tools.check '{SET}'")
    assert not shell(project, "git status --short")
    shell(project, "dvc exp run --temp")


def test_links_and_folders_outside(project):
    outside = project.parent / f"{project.name} outside"
    shutil.move(project / SET, outside)
    (project / "data/link").symlink_to(outside)
    assert untracked_files("data/link", project) == ALL
    shell(project, "git add data/link")
    assert untracked_files("data/link", project) == []
    assert untracked_files(f"../{outside.name}", project) == ALL
    assert f"source: {outside}" in shell(project, f"python -m tools.check '../{outside.name}'")


def test_a_copy_that_lacks_files_is_refused_before_anything_is_read(project):
    shell(project, f"git add '{SET}/masks' '{SET}/images/case 0-0.png' && git commit -q -m 'two images are missing'")
    assert f"note: 2 of the 6 files in {SET}" in shell(project, "dvc repro")
    shell(project, "git add dvc.lock && git commit -q -m results")
    experiment = "dvc exp run --temp -S data.on_error=skip"
    printed = shell(project, experiment, status=1)
    assert f"prepare: 2 of the 6 files in {SET} are known to neither Git nor DVC" in printed
    assert "  images/case 0-1.png\n  images/case 1-2.png\n" in printed and "pairs" not in printed
    assert shell(project, f"git add '{SET}' && {experiment}").count("3 pairs") == 1


SPLIT = """
  split:
    cmd: python -m stages.split
    params: [split]
    deps: [data/prepared]
    outs: [data/splits.csv, plots/splits.csv]
"""


def add_pair(folder: Path) -> None:
    for part in ("images", "masks"):
        shutil.copy(folder / SET / part / "case 0-0.png", folder / SET / part / "new.png")


@pytest.fixture
def split_project(project):
    """Prepare and split, run once, with all of the data set in Git."""
    (project / "dvc.yaml").write_text(DVC + SPLIT)
    with (project / ".gitignore").open("a") as file:
        file.write("/data/splits.csv\n/plots\n")
    shell(project, "git add -A && git commit -q -m split && dvc repro && git add -A && git commit -q -m results")
    return project


def test_a_new_pair_that_nobody_knows_stops_the_first_stage_that_runs_in_a_copy(split_project):
    """Prepare does not run there: the copy's files are those of the last run."""
    add_pair(split_project)
    printed = shell(split_project, "dvc exp run --temp -S split.seed=1", status=1)
    assert "Stage 'prepare' didn't change, skipping" in printed
    assert f"split: 2 of the 8 files in {SET} are known to neither Git nor DVC" in printed
    assert "  images/new.png\n  masks/new.png\n" in printed
    printed = shell(split_project, f"git add '{SET}' && dvc exp run --temp -S split.seed=1")
    assert "4 pairs" in printed and "Ran experiment" in printed


def test_a_new_pair_in_a_folder_that_dvc_knows_goes_into_the_copy(split_project):
    shell(split_project, f"git rm -rq --cached '{SET}' && dvc add '{SET}' && git add -A && git commit -q -m dvc")
    add_pair(split_project)
    assert "4 pairs" in shell(split_project, "dvc exp run --temp -S split.seed=1")


@pytest.mark.parametrize("stage", ["prepare", "split", "augment", "train", "evaluate", "visualize"])
def test_every_stage_refuses_to_run_in_a_copy_that_lacks_files(project, stage):
    shell(project, "git add data")
    add_pair(project)
    copy = project.parent / f"{project.name} copy"
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns("new.png"))
    printed = shell(copy, f"DVC_ROOT='{project}' python -m stages.{stage}", status=1)
    assert printed.startswith(f"{stage}: 2 of the 8 files in {SET} are known to neither Git nor DVC")


def test_files_added_after_the_copy_was_made_do_not_stop_it(project, monkeypatch):
    shell(project, "git add data")
    copy = project.parent / f"{project.name} copy"
    shutil.copytree(project, copy)
    add_pair(project)
    monkeypatch.setenv("DVC_ROOT", str(project))
    monkeypatch.chdir(copy)
    stop_in_incomplete_copy(SET)
    monkeypatch.chdir(project)
    stop_in_incomplete_copy(SET)
    monkeypatch.chdir(copy)
    (copy / "dvc.yaml").write_text(DVC + SPLIT)  # as if the copy were of now
    with pytest.raises(UserError, match=r"images/new\.png"):
        stop_in_incomplete_copy(SET)


def test_nothing_is_printed_outside_of_a_project(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", os.devnull)
    assert untracked_files("set", write_data_set(tmp_path / "set", count=1).parent) == []
