"""The whole pipeline through DVC on small made data sets, as a user runs it."""

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest
import yaml

from src.files import flatten
from tests.conftest import ROOT, write_data_set
from tests.documented import with_main

SMALL = {
    "data": {"source": "data/my-set", "crop": 32},
    "split": {"validation": 0.35},  # five groups, so that decisions can be made
    "model": {"filters": 4, "depth": 2},
    "train": {"epochs": 6, "steps": 48, "batch": 8, "lr": 0.01},
    "evaluate": {"resamples": 200},
    "report": {"panels": 1},
}
OUTS = [
    "models/unet.keras",
    "plots/history.csv",
    "metrics/train.json",
    "metrics/test.json",
    "data/evaluation/scores.csv",
    "data/evaluation/classes.csv",
    "data/evaluation/worst.csv",
]


def run(project: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the project with this Python's environment; a failure shows what it printed."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    found = subprocess.run(command, cwd=project, env=os.environ | {"PATH": path}, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr
    return found


def make_project(
    folder: Path,
    classes: int,
    values: list[int],
    resize: int = 0,
    validated: int | str = "auto",
    links: str = "",
) -> Path:
    """A clone of the project's files with its own Git history, a small data set and small settings.

    links: DVC's cache.type, if another than its own; with symlink data set and outputs are links into its cache.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file() and name != "dvc.lock" and not name.startswith(("metrics/", "plots/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    write_data_set(folder / "data/my-set", count=30, classes=classes, values=values)
    (folder / "data/my-set/dataset.yaml").write_text('group: "^case (\\\\d+)-"\n')
    params = yaml.safe_load((folder / "params.yaml").read_text())
    for section, changes in SMALL.items():
        params[section] |= changes
    params["data"]["resize"], params["train"]["validation_images"] = resize, validated
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    run(folder, "git", "init", "-q")
    if links:
        run(folder, "dvc", "config", "cache.type", links)
    run(folder, "dvc", "add", "-q", "data/my-set")
    run(folder, "git", "add", "-A")
    run(folder, "git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-m", "start")
    return folder


def digests(project: Path, names: list[str] = OUTS) -> dict[str, str]:
    return {name: hashlib.sha256((project / name).read_bytes()).hexdigest() for name in names}


@pytest.fixture(scope="module", params=[(2, [0, 255]), (3, [0, 1, 2], 48, 5, "symlink")], ids=["binary", "three-class"])
def project(request, tmp_path_factory):
    """A project in which `dvc repro` has run once, and what it printed."""
    folder = make_project(tmp_path_factory.mktemp("project"), *request.param)
    return folder, run(folder, "dvc", "repro").stdout


def test_as_many_images_are_validated_as_was_asked_for(project):
    folder, _ = project
    asked = yaml.safe_load((folder / "params.yaml").read_text())["train"]["validation_images"]
    there = (pd.read_csv(folder / "data/splits.csv")["subset"] == "validation").sum()
    images = json.loads((folder / "metrics/train.json").read_text())["images"]["validation"]
    assert images == (there if asked == "auto" else asked) and there > 5


def test_scores_follow_the_contract(project):
    folder, _ = project
    test = flatten(json.loads((folder / "metrics/test.json").read_text()))
    names = yaml.safe_load((folder / "data/prepared/dataset.yaml").read_text())["classes"].values()
    expected = {f"{measure}.{part}" for measure in ("dice", "iou") for part in ("mean",)}
    expected |= {f"{kind}.{name}.{m}" for kind in ("classes", "pooled") for name in names for m in ("dice", "iou")}
    expected |= {"accuracy", "images", "groups", "baseline.dice.mean", "surface_dice.mean", "calibration.ece"}
    expected |= {f"baseline.pooled.{name}.dice" for name in names}
    assert expected <= set(test)
    for key, value in test.items():
        assert isinstance(value, int | float) and np.isfinite(value) and round(value, 6) == value, key
    scores = pd.read_csv(folder / "data/evaluation/scores.csv")
    network = scores[scores["method"] == "unet"]
    assert set(scores["method"]) <= {"unet", "undecided", "colour"}
    pooled = network.groupby("class")[["true", "predicted", "overlap"]].sum()
    for name, row in pooled.iterrows():
        assert test[f"pooled.{name}.dice"] == pytest.approx(
            2 * row["overlap"] / (row["true"] + row["predicted"]), abs=1e-6
        )
        assert test[f"classes.{name}.dice"] == pytest.approx(network[network["class"] == name]["dice"].mean(), abs=1e-6)


def test_what_was_decided_is_in_the_model_and_on_record(project):
    folder, _ = project
    with ZipFile(folder / "models/unet.keras") as archive:
        decided = json.loads(archive.read("project.json"))["decisions"]
    tried = json.loads((folder / "metrics/train.json").read_text())["decisions"]
    assert {"mirror", "temperature", "min_object"} <= set(tried)
    plain = {"mirror": "none", "temperature": 1.0, "threshold": 0.5, "min_object": 0, "fill_holes": 0}
    for name, verdict in tried.items():
        value = decided["mirror"] != "none" if name == "mirror" else decided[name]
        assert verdict["value"] == pytest.approx(float(value), abs=1e-6) and verdict["low"] <= verdict["high"]
        kept = verdict["high"] >= 0 if name == "mirror" else verdict["low"] > 0
        assert kept or decided[name] == plain[name]
    assert decided["mirror"] == ("both" if tried["mirror"]["high"] >= 0 else "none")
    test = json.loads((folder / "metrics/test.json").read_text())
    anything = decided != plain
    assert ("decisions" in test) == anything
    assert not anything or {"ece_undecided", "brier_undecided"} <= set(test["calibration"])


def test_every_plot_can_be_shown(project, tmp_path):
    folder, _ = project
    run(folder, "dvc", "plots", "show", "-o", str(tmp_path))
    page = (tmp_path / "index.html").read_text()
    for title in (
        "Test scores of each class",
        "Pixels of each true class",
        "Precision and recall",
        "Frequency of a class",
        "Dice of each",
    ):
        assert title in page
    assert page.count("vegaEmbed('#") >= 9 and "DVC_METRIC" not in page and "cdn" not in page


def test_it_learns_and_says_so(project):
    folder, printed = project
    test = json.loads((folder / "metrics/test.json").read_text())
    assert test["dice"]["mean"] > 0.6
    closing = printed[printed.index("U-Net with", printed.index("visualize")) :]
    assert f"{test['dice']['mean']:.3f}" in closing and "plots/report.html" in closing


def test_every_picture_and_table_is_there(project):
    folder, _ = project
    history = pd.read_csv(folder / "plots/history.csv")
    assert list(history["epoch"]) == list(range(1, 7)) and history.notna().all().all()
    train = json.loads((folder / "metrics/train.json").read_text())
    assert train["best_epoch"] == history.loc[history["val_dice"].idxmax(), "epoch"]
    assert [path.name for path in sorted((folder / "plots/overlays").iterdir())] == ["00.png", "01.png", "02.png"]
    assert len(list((folder / "plots/augmentation").iterdir())) == 4
    scores = pd.read_csv(folder / "data/evaluation/scores.csv")
    page = (folder / "plots/report.html").read_text()
    assert f"{len(set(scores['id']))} test images, each with its picture" in page
    markup = re.sub("<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", markup)  # it stands alone
    worst = pd.read_csv(folder / "data/evaluation/worst.csv")
    assert set(worst["id"]) == set(scores["id"]) and list(worst["dice"]) == sorted(worst["dice"])
    splits = pd.read_csv(folder / "data/splits.csv")
    assert list(splits.columns) == ["id", "group", "subset", "fold"]
    assert (splits.groupby("group")["subset"].nunique() == 1).all()


def test_links_into_the_cache_stand_where_they_were_asked_for(project):
    folder, _ = project
    asked = "symlink" in (folder / ".dvc/config").read_text()
    for name in ("data/my-set/images/case 0-0.png", "data/prepared/images.bin", "models/unet.keras"):
        assert (folder / name).is_symlink() == asked
    run(folder, sys.executable, "-m", "tools.predict", "data/my-set/images", "--out", "predicted")
    assert len(list((folder / "predicted/masks").iterdir())) == 30


def test_a_second_repro_does_nothing_and_a_forced_one_gives_the_same_bytes(project):
    folder, _ = project
    before = digests(folder)
    assert "Running stage" not in run(folder, "dvc", "repro").stdout
    if "class_2" in (folder / "data/prepared/dataset.yaml").read_text():
        pytest.skip("one forced run is enough")
    again = run(folder, "dvc", "repro", "--force", "--no-run-cache").stdout
    assert again.count("Running stage") == 6
    assert digests(folder) == before


@pytest.mark.slow
def test_an_experiment_trains_with_the_number_it_was_given(project):
    folder, _ = project
    if "class_2" in (folder / "data/prepared/dataset.yaml").read_text():
        pytest.skip("once is enough")
    run(folder, "git", "add", "-A")
    run(folder, "git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-m", "results")
    run(folder, "dvc", "exp", "run", "--temp", "-n", "slow", "-S", "train.lr=1e-5", "-S", "train.epochs=2")
    shown = json.loads(run(folder, "dvc", "params", "diff", "HEAD", "slow", "--json").stdout)
    assert shown["params.yaml"]["train.lr"]["new"] == 1e-5
    refs = run(folder, "git", "for-each-ref", "--format=%(refname)", "refs/exps").stdout.split()
    experiment = next(ref for ref in refs if ref.endswith("/slow"))
    history = pd.read_csv(StringIO(run(folder, "git", "show", f"{experiment}:plots/history.csv").stdout))
    assert len(history) == 2 and 0 < history["lr"].max() <= 1e-5
    difference = json.loads(run(folder, "dvc", "metrics", "diff", "HEAD", "slow", "--json").stdout)
    assert "dice.mean" in difference["metrics/test.json"]


TOOLS = {  # what each is run with where a model was trained, and a file that it writes there, if any
    "card": ("", "models/MODEL_CARD.md"),
    "check": ("data/my-set", "logs/check/checks.csv"),
    "compare": ("HEAD~1 HEAD --gate dice.mean=0.01 --markdown logs/compared.md", "logs/compared.md"),
    "convert": ("labelme annotated --out data/converted", "data/converted/dataset.yaml"),
    "encoder": ("--list", None),  # without weights to read
    "export": ("--format onnx", "exports/unet.onnx"),
    "figures": ("", "plots/figures/overlay.png"),
    "learning_curve": ("--steps 2 --seeds 0", "plots/learning_curve.csv"),
    "plan": ("--minutes 0.01", "params.yaml"),
    "plots_page": ("", ".dvc/plots/page.html"),
    "predict": ("data/my-set/images --out predicted --overlay --probabilities float", "predicted/masks/case 0-0.png"),
    "review": ("data/my-set/images --out review --for coco", "review/annotations.json"),
    "score": ("--model models/unet.keras --data data/my-set", "logs/score/scores.csv"),
    "settings": ("", "docs/settings.md"),
    "summarize": ("HEAD~1 HEAD --json logs/summary.json", "logs/summary.json"),
    "suspects": ("--folds 2 --steps 2 --pictures 1", "plots/suspects/suspects.csv"),
    "sweep": ("train.lr=0.01 --trials 1", ".dvc/tmp/sweeps/sweep.journal"),  # the value in use: nothing is trained
    "verify": ("HEAD~1 --markdown logs/verified.md", "logs/verified.md"),
    "watch": ("--once", None),
}


SLOW = ("learning_curve", "suspects", "verify")


@pytest.fixture(scope="module")
def committed(project, tmp_path_factory):
    """A copy of the project, with its results committed, and those of another seed: the same, as if trained again."""
    folder = tmp_path_factory.mktemp("committed") / "project"
    shutil.copytree(project[0], folder, symlinks=True, ignore=shutil.ignore_patterns("predicted"))
    commit = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-a", "--allow-empty", "-m"]
    run(folder, "git", "add", "-A")
    run(folder, *commit, "results")
    text = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(re.sub("^seed: 0", "seed: 1", text, flags=re.MULTILINE))
    run(folder, "dvc", "commit", "-q", "-f")
    run(folder, *commit, "seed")
    shape = {"label": "cell", "shape_type": "rectangle", "points": [[5, 5], [30, 40]]}
    for number in range(2):
        image = folder / f"annotated/{number}.png"
        image.parent.mkdir(exist_ok=True)
        shutil.copy(folder / "data/my-set/images/case 0-0.png", image)
        about = {"imagePath": image.name, "imageHeight": 48, "imageWidth": 64, "shapes": [shape], "imageData": None}
        image.with_suffix(".json").write_text(json.dumps(about))
    return folder


def test_every_tool_has_a_smallest_run():
    elsewhere = {
        "ensemble",
        "finish",
    }  # different models: tests/test_ensemble_tool.py; a running training: test_shorten.py
    assert set(TOOLS) == with_main("tools") - elsewhere


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in TOOLS])
def test_every_tool_runs_where_a_model_was_trained(committed, name):
    if "class_2" in (committed / "data/prepared/dataset.yaml").read_text():
        pytest.skip("once is enough")
    if name == "sweep":
        pytest.importorskip("optuna")
        run(committed, "git", "checkout", "-q", "--", ".")  # what the other tools wrote; a sweep needs a clean commit
    arguments, written = TOOLS[name]
    started = time.time() - 1  # clocks of file systems are coarse
    run(committed, sys.executable, "-m", f"tools.{name}", *shlex.split(arguments))
    assert written is None or (committed / written).stat().st_mtime > started


@pytest.mark.slow
def test_the_sample_beats_the_colour_of_single_pixels(tmp_path):
    """The default run, mean of three seeds: better than colour alone on every class, on lakes by at least 0.15."""
    project = make_project(tmp_path, 2, [0, 255])
    text = (ROOT / "params.yaml").read_text()
    gains = []
    for seed in range(3):
        (project / "params.yaml").write_text(text.replace("seed: 0", f"seed: {seed}", 1))
        run(project, "dvc", "repro")
        test = json.loads((project / "metrics/test.json").read_text())
        pooled, colour = test["pooled"], test["baseline"]["pooled"]
        gains.append({name: pooled[name]["dice"] - colour[name]["dice"] for name in pooled})
    means = pd.DataFrame(gains).mean()
    assert means.min() > 0 and means["lake"] >= 0.15, gains
