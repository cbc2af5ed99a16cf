"""tools.score: what it writes and prints, and the command from end to end."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from src.errors import UserError
from src.evaluation.scoring.score import check_out, write_scores
from src.evaluation.scoring.scores import Scoring
from src.files import read_csv, read_json, read_yaml
from src.report.text.scored import scored_text
from src.report.text.summary import Wording
from tests.conftest import ROOT, changed_params
from tests.ready_masks import RESAMPLES, scored, write_halves
from tests.test_commands import run


@pytest.fixture
def folder(tmp_path):
    return write_halves(tmp_path / "set")


def test_an_output_folder_with_other_files_is_refused(tmp_path):
    check_out(tmp_path / "new")
    check_out(tmp_path)
    (tmp_path / "dataset.yaml").write_text("")
    with pytest.raises(UserError, match=r"holds other files than scores.*\n  dataset.yaml"):
        check_out(tmp_path)
    (tmp_path / "scores.json").write_text("{}")
    check_out(tmp_path)
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(UserError, match=r"holds other files than scores.*\n  notes.txt$"):
        check_out(tmp_path)
    with pytest.raises(UserError, match="is not a folder"):
        check_out(tmp_path / "notes.txt")


def test_write_scores_replaces_the_folder_and_the_text_shows_the_scores(folder, tmp_path):
    results, labelled, *_ = scored(folder, tmp_path / "work")
    dataset = labelled.store.dataset.model_copy(update={"test": "test.txt", "group": "folder"})
    params = changed_params(**RESAMPLES)
    scoring = Scoring(dataset, params.evaluate, params.seed)
    for _ in range(2):  # the second time it replaces the first
        written = write_scores(tmp_path / "out", "prediction", results, None, scoring)
    names = {"scores.json", "scores.csv", "classes.csv", "confusion.csv", "dataset.yaml"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    assert read_json(tmp_path / "out/scores.json") == written and written["dice"]["mean"] == 0.4
    content = read_yaml(tmp_path / "out/dataset.yaml")
    assert content == {"classes": {0: "background", 255: "foreground"}, "background": "background"}
    text = scored_text(written, ["a note"], tmp_path / "out", Wording(unit="mm"))
    assert "mean Dice 0.400" in text and "a note" in text and "tools.compare" in text and "colour" not in text
    header = next(line for line in text.splitlines() if line.startswith("class "))
    assert header.split() == ["class", "Dice", "IoU", "surface", "Dice", "HD95", "pooled", "Dice", "images"]


def test_score_command_runs_from_end_to_end(folder):
    home = folder.parent
    shutil.copy(ROOT / "params.yaml", home)
    found = run(home, "tools.score", "--data", "set", "--prediction", "other")
    assert found.returncode == 0 and found.stderr == ""
    assert "mean Dice 0.400" in found.stdout and "scored: the masks in set/other" in found.stdout
    assert {path.name for path in (home / "logs").iterdir()} == {"score"}  # the temporary store is gone
    assert [row["dice"] for row in read_csv(home / "logs/score/scores.csv")] == ["0.0", "0.4"] * 4
    (folder / "other/p0-0.png").unlink()
    before = (home / "logs/score/scores.json").read_bytes()
    found = run(home, "tools.score", "--data", "set", "--prediction", "other")
    assert found.returncode == 1 and found.stderr.startswith("score: 1 problem(s) in the predictions, set/other\n")
    assert {path.name for path in (home / "logs").iterdir()} == {"score"}
    assert (home / "logs/score/scores.json").read_bytes() == before
    for options in ([], ["--prediction", "a", "--model", "b"]):
        assert run(home, "tools.score", "--data", "set", *options).returncode == 2
    found = run(home, "tools.score", "--data", "set", "--prediction", "other", "--out", "set")
    assert (
        found.returncode == 1 and "set: holds other files than scores" in found.stderr and (folder / "masks").exists()
    )
    found = run(home, "tools.score", "--data", "nothing", "--prediction", "set/masks")
    assert found.returncode == 1 and found.stderr.startswith("score: nothing: no such folder")


def test_scoring_ready_masks_does_not_import_tensorflow(folder):
    shutil.copy(ROOT / "params.yaml", folder.parent)
    code = """
import runpy, sys
sys.argv = ["score", "--data", "set", "--prediction", "other"]
try:
    runpy.run_module("tools.score", run_name="__main__")
except SystemExit as stop:
    assert not stop.code
print([name for name in ("tensorflow", "keras", "matplotlib", "sklearn") if name in sys.modules])
"""
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, cwd=folder.parent, env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.endswith("\n[]\n")


@pytest.mark.skipif("SEG_DATASETS" not in os.environ, reason="SEG_DATASETS is not set")
def test_second_observer_of_the_vessels_scores_as_published(tmp_path):
    """The published Dice on the eight usual test images is 0.7977."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    folder = str(Path(os.environ["SEG_DATASETS"]).resolve() / "vessels")
    found = run(
        tmp_path,
        "tools.score",
        "--data",
        folder,
        "--prediction",
        "masks_2ndHO",
        "--only",
        "test.txt",
        "--out",
        "scores",
    )
    assert found.returncode == 0, found.stderr
    scores = read_json(tmp_path / "scores/scores.json")
    print(scores["dice"], scores["images"])
    assert scores["images"] == 8 and scores["dice"]["mean"] == pytest.approx(0.7977, abs=1e-4)
