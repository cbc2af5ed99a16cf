"""Missing scores, classes and pictures: every stage and tool handles them without a traceback."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from src.evaluation.comparison.comparison import compare
from src.evaluation.comparison.cv_summary import summarize_sweep
from src.evaluation.comparison.limits import check_gates
from src.evaluation.comparison.runs import Run
from src.evaluation.comparison.seeds import compare_seeds, summarize_seeds
from src.evaluation.scoring.score import write_scores
from src.evaluation.scoring.scores import Scoring
from src.files import read_csv, read_json, read_yaml, write_yaml
from src.report.card.card import model_card
from src.report.card.sources import read_card_sources
from src.report.figures.figures import draw_figures
from src.report.page import charts
from src.report.page.document import report_page
from src.report.text.comparison import comparison_markdown, comparison_text
from src.report.text.cv_summary import joined_text
from src.report.text.scored import scored_text
from src.report.text.summary import Wording
from stages.visualize import run_files
from tests.closure import ROOT
from tests.conftest import changed_params, write_pair
from tests.made_report import made_sources
from tests.made_run import make_run
from tests.ready_masks import RESAMPLES, scored, write_masks

SIDE = 24


def disc(label=1):
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return np.where(np.hypot(rows - 12, columns - 10) < 6, label, 0)


NONE, ALL, IGNORED = (np.full((SIDE, SIDE), value) for value in (0, 1, 255))
DISC, OTHER = disc(), disc().T
THREE = {"classes": {0: "background", 1: "cell", 2: "debris"}, "background": "background"}
CASES = {
    "nothing to find, nothing found": ({"a": (NONE, NONE), "b": (NONE, NONE)}, {}),
    "nothing to find, something found": ({"a": (NONE, DISC), "b": (NONE, NONE)}, {}),
    "something to find, nothing found": ({"a": (DISC, NONE), "b": (DISC, NONE)}, {}),
    "a single image": ({"a": (DISC, OTHER)}, {}),
    "a single image without foreground": ({"a": (NONE, NONE)}, {}),
    "no pixel counts": ({"a": (IGNORED, DISC), "b": (IGNORED, NONE)}, {}),
    "no pixel of one image counts": ({"a": (IGNORED, DISC), "b": (DISC, OTHER), "c": (NONE, NONE)}, {}),
    "foreground everywhere": ({"a": (ALL, ALL), "b": (ALL, ALL)}, {}),
    "a class absent from the test images": ({"a": (DISC, OTHER), "b": (DISC, DISC)}, THREE),
    "a class absent but found": ({"a": (DISC, disc(2)), "b": (DISC, DISC)}, THREE),
    "two classes absent": ({"a": (NONE, NONE), "b": (NONE, disc(2))}, THREE),
    "no background": ({"a": (DISC, OTHER)}, {"classes": {0: "sea", 1: "land", 2: "lake"}}),
    "many perfect images": ({f"i{number}": (DISC, DISC) for number in range(7)}, {}),
    "a pixel each": ({"a": (np.pad([[1]], ((0, SIDE - 1), (0, SIDE - 1))), DISC)}, {}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_run_with_absent_classes_is_evaluated_shown_and_compared(tmp_path, monkeypatch, capsys, case):
    test, changes = CASES[case]
    monkeypatch.setattr("src.evaluation.scoring.baseline.TREES", 3)
    make_run(tmp_path, test, monkeypatch, **changes)
    said, scores = capsys.readouterr().out, read_json(Path("metrics/test.json"))
    told = [dice(*images, 1) for images in test.values()]
    shown = len([value for value in told if not np.isnan(value)])
    assert "Look at it: plots/report.html" in said
    sources = read_card_sources(Path(), run_files(), Path("models/MODEL_CARD.md"))
    assert "# Model card" in model_card(sources)
    names = sources.store.dataset.names
    if len(names) == 2:
        assert scores["classes"]["cell"].get("dice", np.nan) == pytest.approx(mean(told), abs=1e-6, nan_ok=True)
        assert len(list(Path("plots/overlays").glob("*.png"))) == min(shown, 6)
    rows, flat = read_csv(Path("data/evaluation/scores.csv")), {"seed": 0, "split.seed": 0, "evaluate.resamples": 200}
    runs = [Run(str(seed), flat | {"seed": seed}, sources.store.dataset, rows) for seed in (0, 1)]
    others = [Run(f"other {run.name}", run.params | {"train.lr": 1.0}, run.dataset, run.rows) for run in runs]
    compared = compare(*runs)
    gates = check_gates({"dice.mean": 0.01, f"iou.{names[-1]}": 0.1}, compared)
    assert not any(gate.failed for gate in gates.values())
    compared["gates"] = {key: asdict(gate) for key, gate in gates.items()}
    for several in (compared, summarize_seeds(runs), compare_seeds(runs, others)):
        assert "Dice mean" in comparison_text(several) and "Dice mean" in comparison_markdown(several)
    assert joined_text(summarize_sweep(runs)).startswith("2 runs")
    overlays = bool(list(Path("plots/overlays").glob("*.png")))
    drawn = draw_figures(Path("figures"), read_yaml(ROOT / "dvc.yaml"), scores, Path("plots"))
    assert drawn == ["curves.png", *(["overlay.png"] if overlays else []), "pipeline.png", "scores.png"]


def dice(true, found, label):
    """By NumPy alone; NaN where neither holds the class, and of pixels that count nowhere."""
    true, found = true[true != 255], found[true != 255]
    both, all_of_it = ((true == label) & (found == label)).sum(), (true == label).sum() + (found == label).sum()
    return 2 * both / all_of_it if all_of_it else np.nan


def mean(values):
    told = [value for value in values if not np.isnan(value)]
    return float(np.mean(told)) if told else np.nan


def test_an_overlay_of_an_earlier_run_is_deleted(tmp_path):
    for name in ("plots/overlays", "figures"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("plots/curves.png", "figures/overlay.png"):
        (tmp_path / name).write_bytes(b"")
    scores = {"classes": {"cell": {"images": 0}}, "images": 0, "groups": 0}
    stages = read_yaml(ROOT / "dvc.yaml")
    assert draw_figures(tmp_path / "figures", stages, scores, tmp_path / "plots") == [
        "curves.png",
        "pipeline.png",
        "scores.png",
    ]


def test_an_epoch_without_accuracy_leaves_a_gap_in_the_curve(tmp_path):
    sources = made_sources(tmp_path / "run")
    history = [dict(row) for row in sources.history]
    history[1]["accuracy"] = "nan"
    assert len(report_page(replace(sources, history=history), 1)) > 10_000
    values = charts.curve(history, "accuracy", "Accuracy", 1)["layer"][0]["data"]["values"]
    assert len(values) == 2 * len(history) - 1


@pytest.mark.parametrize("case", CASES)
def test_ready_masks_are_scored_whatever_is_absent(tmp_path, case):
    test, changes = CASES[case]
    content = {"classes": {0: "background", 1: "cell"}, "ignore": 255} | changes
    rng = np.random.default_rng(0)
    for name, (true, found) in test.items():
        image = rng.integers(0, 255, (*true.shape, 3), np.uint8)
        write_pair(tmp_path / "set", name, image, np.asarray(true, np.uint8))
        write_masks(tmp_path / "set/other", {name: found})
    write_yaml(tmp_path / "set/dataset.yaml", content)
    results, labelled, ready, _ = scored(tmp_path / "set", tmp_path / "work")
    params = changed_params(**RESAMPLES)
    scoring = Scoring(labelled.store.dataset, params.evaluate, params.seed)
    scores = write_scores(tmp_path / "out", "prediction", results, None, scoring)
    assert "tables: " in scored_text(scores, ready.notes(), tmp_path / "out", Wording())
    expected = mean([dice(*images, 1) for images in test.values()])
    found = scores["classes"][labelled.store.dataset.names[1]].get("dice", np.nan)
    assert found == pytest.approx(expected, abs=1e-6, nan_ok=True)
