"""Joined sweeps against pandas, which runs make one sweep, and `python -m tools.summarize` on real DVC experiments."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from src.data.source.dataset import Dataset
from src.errors import UserError
from src.evaluation.comparison.cv_summary import summarize_sweep
from src.evaluation.comparison.runs import Run, find_sweeps
from src.evaluation.statistics.bootstrap import mean_interval
from src.report.text.cv_summary import joined_text
from src.reproduction.history.experiments import read_runs
from tests.closure import ROOT, closure
from tests.dvc_project import dvc_project
from tools import experiment_files

FILES = experiment_files()
DATASET = Dataset(classes={0: "sky", 1: "cell", 2: "debris"}, background="sky")
PARAMS = {"seed": 0, "split.folds": 0, "split.fold": 0, "evaluate.resamples": 500, "train.lr": 0.002}


def scores(images, seed: int) -> pd.DataFrame:
    """A made scores.csv of the images with these numbers, three to a group; every fifth class of an image is absent."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"image {image}", f"group {image // 3}", method, name, *rng.integers(0, 100, 3), *rng.random(2).round(6))
        for method in ("unet", "colour")
        for image in images
        for name in DATASET.names
    ]
    table = pd.DataFrame(
        rows, columns=["id", "group", "method", "class", "true", "predicted", "overlap", "dice", "iou"]
    )
    table.loc[np.arange(len(table)) % 5 == 0, ["dice", "iou"]] = np.nan
    return table


def make_run(table: pd.DataFrame, name: str = "", dataset: Dataset = DATASET, **params) -> Run:
    changes = {key.replace("__", "."): value for key, value in params.items()}
    rows = table.astype(object).where(table.notna(), "").astype(str).to_dict("records")
    return Run(name or f"run {changes}", PARAMS | changes, dataset, rows)


def folds(count=4, images=None) -> tuple[list[pd.DataFrame], list[Run]]:
    tables = [scores((images or (lambda fold: range(12 * fold, 12 * fold + 12)))(fold), fold) for fold in range(count)]
    runs = [make_run(t, f"fold {n}", split__folds=count, split__fold=n) for n, t in enumerate(tables)]
    return tables, runs[::-1]


def headline(table: pd.DataFrame, method: str, measure: str) -> float:
    chosen = table[(table["method"] == method) & table["class"].isin(["cell", "debris"])]
    return float(chosen.groupby("class")[measure].mean().mean())


@pytest.mark.parametrize("method", ["unet", "colour"])
@pytest.mark.parametrize("measure", ["dice", "iou"])
def test_folds_are_summarised_as_one_test(method, measure):
    tables, runs = folds()
    joined, whole = summarize_sweep(runs), pd.concat(tables)
    assert joined["kind"] == "folds" and joined["images"] == 48 and joined["groups"] == 16
    got, of_folds = joined[method][measure], [headline(table, method, measure) for table in tables]
    assert got["mean"] == pytest.approx(headline(whole, method, measure), abs=1e-6)
    assert [joined["runs"][str(fold)][method][measure] for fold in range(4)] == pytest.approx(of_folds, abs=1e-6)
    assert got["spread"] == pytest.approx(pd.Series(of_folds).std(), abs=1e-6)
    values = whole[whole["method"] == method].pivot(index=["group", "id"], columns="class", values=measure)
    bounds = mean_interval(
        values[["cell", "debris"]].to_numpy(), values.index.get_level_values("group").to_numpy(), 500, 0
    )
    assert (got["low"], got["high"]) == pytest.approx(bounds, abs=1e-6) and got["low"] < got["mean"] < got["high"]
    means = whole[whole["method"] == method].groupby("class")[measure].mean()
    assert {name: c[measure] for name, c in joined[method]["classes"].items()} == pytest.approx(dict(means), abs=1e-6)


@pytest.mark.parametrize("swept", ["seed", "folds with a list of test"])
def test_repeats_are_averaged_run_by_run(swept):
    if swept == "seed":
        tables = [scores(range(24), seed) for seed in range(3)]
        runs = [make_run(table.sample(frac=1), seed=seed) for seed, table in enumerate(tables)]
    else:
        tables, runs = folds(3, lambda fold: range(24))
    joined = summarize_sweep(runs)
    assert joined["kind"] == "repeats" and joined["images"] == 24 and joined["groups"] == 8
    of_runs = pd.Series([headline(table, "unet", "dice") for table in tables])
    got = joined["unet"]["dice"]
    assert (got["mean"], got["spread"]) == pytest.approx((of_runs.mean(), of_runs.std()), abs=1e-6)
    whole = pd.concat(tables)
    values = whole[whole["method"] == "unet"].groupby(["group", "id", "class"])["dice"].mean().unstack()
    bounds = mean_interval(
        values[["cell", "debris"]].to_numpy(), values.index.get_level_values("group").to_numpy(), 500, 0
    )
    assert (got["low"], got["high"]) == pytest.approx(bounds, abs=1e-6)


def test_the_interval_of_repeats_is_around_the_mean_of_the_runs():
    """45 of 60 images lack debris. One run has false alarms on all of these, which count in its own mean alone."""
    tables = [scores(range(60), seed) for seed in range(2)]
    for number, table in enumerate(tables):
        table["dice"] = 0.5 + table["dice"] / 10
        lacks = (table["class"] == "debris") & table["id"].isin([f"image {image}" for image in range(15, 60)])
        table.loc[lacks, ["dice", "iou"]] = 0.0 if number else np.nan
    got = summarize_sweep([make_run(table, seed=seed) for seed, table in enumerate(tables)])["unet"]["dice"]
    assert got["mean"] == pytest.approx(np.mean([headline(table, "unet", "dice") for table in tables]), abs=1e-6)
    assert got["low"] < got["mean"] < got["high"]


def test_seeds_that_draw_other_test_images_have_no_interval():
    runs = [make_run(scores(range(5 * seed, 5 * seed + 20), seed), seed=seed) for seed in range(3)]
    joined = summarize_sweep(runs)
    assert joined["kind"] == "draws" and set(joined["unet"]["dice"]) == {"mean", "spread"}
    assert joined["images"] == 30 and "no interval" in joined["note"]


def test_the_text_names_runs_means_and_classes():
    joined = summarize_sweep(folds()[1])
    text = joined_text(joined)
    assert text.splitlines()[0] == "4 runs, 48 test images in 16 groups"
    lines = {line[:12].strip(): line for line in text.splitlines()}
    assert f"{joined['unet']['dice']['mean']:.3f}" in lines["mean"] and "48" in lines["mean"]
    assert f"{joined['colour']['iou']['spread']:.3f}" in lines["spread"]
    assert f"{joined['unet']['dice']['low']:.3f} – {joined['unet']['dice']['high']:.3f}" in lines["95 % interva"]
    assert all(f"fold {fold}" in text for fold in range(4)) and "class debris" in text
    assert " ".join(text.split()).endswith(joined["note"])


def test_few_groups_and_absent_classes_are_left_out():
    tables = [scores([3 * fold], fold) for fold in range(3)]
    for table in tables:
        table.loc[(table["class"] == "debris") | (table["method"] == "colour"), ["dice", "iou"]] = np.nan
    joined = summarize_sweep([make_run(t, split__folds=3, split__fold=n) for n, t in enumerate(tables)])
    assert "low" not in joined["unet"]["dice"] and "debris" not in joined["unet"]["classes"]
    assert "colour" not in joined
    assert "–" in joined_text(joined)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (lambda runs: runs[:2], ["split.fold=0 is missing", "split.fold=1 is missing"]),
        (lambda runs: runs[:1], ["split.fold=2 is missing"]),
        (lambda runs: [*runs, runs[0]], ["split.fold=3 twice: fold 3, fold 3"]),
        (
            lambda runs: [*runs[1:], with_params(runs[0], {"train.lr": 0.1})],
            ["train.lr: 0.002 (fold 2)", "0.1 (fold 3)"],
        ),
        (lambda runs: [*runs[1:], with_params(runs[0], {"seed": 1})], ["split.fold: 2 (fold 2)", "seed: 0 (fold 2)"]),
        (lambda runs: [*runs[1:], with_params(runs[0], {"split.folds": 5})], ["split.folds: 4 (fold 2)"]),
        (lambda runs: [make_run(scores(range(9), 0), "alone")], ["a sweep needs at least two values of seed"]),
        (lambda runs: [make_run(scores(range(9), 0), name) for name in "ab"], ["seed=0 twice: a, b"]),
        (
            lambda runs: [*runs[1:], Run("fold 3", runs[0].params, Dataset(classes={0: "sky", 1: "cell"}), [])],
            ["different classes"],
        ),
        (
            lambda runs: folds(4, lambda fold: range(10 * fold, 10 * fold + 11))[1],
            ["3 image(s)", "image 10: fold 0, fold 1"],
        ),
    ],
)
def test_runs_that_are_no_sweep_are_refused(changed, words):
    with pytest.raises(UserError) as error:
        summarize_sweep(changed(folds()[1]))
    assert all(word in str(error.value) for word in words), error.value


def with_params(run: Run, changes) -> Run:
    return Run(run.name, dict(run.params) | changes, run.dataset, run.rows)


def test_the_only_sweep_is_found_among_other_experiments():
    fold = {f"fold {n}": PARAMS | {"split.folds": 3, "split.fold": n} for n in range(3)}
    others = {"slow": PARAMS | {"train.lr": 0.1}, "other": PARAMS | {"seed": 1, "train.lr": 0.3}}
    assert find_sweeps(fold | others) == [list(fold)]
    seeds = {f"seed {n}": PARAMS | {"seed": n} for n in range(2)}
    assert find_sweeps(seeds | others) == [list(seeds)]
    assert find_sweeps(fold | seeds) == [list(fold), list(seeds)]
    assert find_sweeps({"fold 1": fold["fold 1"]} | others) == [["fold 1"]]
    assert find_sweeps(others) == []


STAGE = """
import csv, pathlib, yaml
params = yaml.safe_load(open("params.yaml"))
fold, seed = params["split"]["fold"], params["seed"]
columns = ["id", "group", "method", "class", "true", "predicted", "overlap", "dice", "iou"]
for name in ("data/evaluation", "data/prepared"):
    pathlib.Path(name).mkdir(parents=True)
pathlib.Path("data/prepared/dataset.yaml").write_text("classes: {0: sky, 255: cell}\\n")
with open("data/evaluation/scores.csv", "w") as file:
    writer = csv.writer(file)
    writer.writerow(columns)
    for image in [f"{fold}-{number}" for number in range(6)]:
        for name in ("sky", "cell"):
            writer.writerow([image, image, "unet", name, 4, 4, 2, 0.1 * fold + 0.05 * int(image[2:]), 0.5])
"""


def test_summarize_finds_and_joins_the_folds_that_dvc_ran(tmp_path, monkeypatch):
    call = dvc_project(tmp_path, STAGE, "seed: 0\nsplit: {folds: 0, fold: 0}\nevaluate: {resamples: 200}\n")
    for fold in range(3):
        call("dvc", "exp", "run", "-q", "-n", f"k{fold}", "-S", "split.folds=3", "-S", f"split.fold={fold}")
    text = call(sys.executable, "-m", "tools.summarize", "--json", "joined.json")
    assert "3 runs, 18 test images in 18 groups" in text and "0.225" in text
    joined = json.loads((tmp_path / "joined.json").read_text())
    assert joined["kind"] == "folds" and [run["name"] for run in joined["runs"].values()] == ["k0", "k1", "k2"]
    assert joined["unet"]["dice"]["mean"] == pytest.approx(np.mean([0.125, 0.225, 0.325]))
    assert joined["unet"]["dice"]["spread"] == pytest.approx(0.1)
    monkeypatch.chdir(tmp_path)
    assert joined == json.loads(json.dumps(summarize_sweep(read_runs(["k2", "k0", "k1"], FILES))))
    for names, words in ((["nope"], "unknown Git revision 'nope'"), (["k0", "HEAD"], "no scores .*\n  HEAD: ")):
        with pytest.raises(UserError, match=words):
            read_runs(names, FILES)
    call("dvc", "exp", "remove", "-q", "k0", "k1", "k2")
    with pytest.raises(UserError, match=r"no sweep of folds or seeds among the 0 experiment\(s\)"):
        read_runs([], FILES)


def test_help_loads_nothing_heavy():
    code = """
import runpy, sys
sys.argv = ["summarize", "--help"]
try:
    runpy.run_module("tools.summarize", run_name="__main__")
except SystemExit as stop:
    assert not stop.code
print("loaded:", *({"numpy", "scipy", "dvc", "pandas", "tensorflow", "pydantic"} & set(sys.modules)))
"""
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "usage: python -m tools.summarize" in found.stdout and found.stdout.endswith("loaded:\n")
    assert not any(path.parent.name == "model" for path in closure("tools.summarize"))
