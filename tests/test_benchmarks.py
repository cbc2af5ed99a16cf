"""Every benchmark runs at its smallest size; what it measures on a machine is for its readers."""

import argparse
import ast
import functools
import json
import math
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks import learning_curve, outlines, regret, suspects
from benchmarks.coverage import POPULATIONS, SIZES, Population, covered, single
from benchmarks.curve_coverage import LAWS
from benchmarks.depthwise import Layer, layers_of_lite0
from benchmarks.planting import KINDS
from benchmarks.recipe import copy_set
from benchmarks.worker import Setting, Worker
from src.data.classes.label_format import LabelFormat
from src.errors import UserError
from src.files import read_yaml, write_yaml
from src.model.network.unet import build_unet
from src.params import PlannedModel
from src.plan.object_sizes import areas_and_borders
from src.plan.rules.recipe import CROP
from tests.conftest import ROOT, prepared, write_data_set
from tests.documented import environment, with_main

TINY = Setting(filters=2, depth=1, side=32, batch=1, steps=1)
FEWEST = "train.steps=2 train.epochs=1 train.batch=2 model.filters=2 model.depth=1 data.crop=32 data.resize=32"
SMALLEST = {  # arguments of each that make it fast
    "coverage": "--sets 3",
    "curve_coverage": "--sets 1",
    "depthwise": "--side 32 --batch 1 --rounds 2",
    "ensemble": f"--sets outlines --members 2 --settings {FEWEST}",
    "learning_curve": f"--sets outlines --steps 2 --seeds 0 --settings {FEWEST}",
    "large": "--side 600",
    "losses": "--batch 1 --side 32 --filters 2 --depth 3 --rounds 1",
    "memory": "--rows 1",
    "objects": "--side 300 --count 9 --images 1",
    "peer": f"--peer {ROOT}/tests/blank_peer.py --sets outlines --minutes 0.05 --settings {FEWEST}",
    "predicting": "--side 64 --images 2 --rounds 2 --filters 2",
    "preparing": "--pairs 6",
    "recipe": f"--sets outlines --validation --trial tiny {FEWEST}",
    "regret": "--sets outlines --minutes 0.01",
    "trials": '--sets outlines --seconds 0.1 0.2 --only "as the rules choose"',
    "review": f"--sets outlines --first 4 --added 2 --seeds 0 --steps 2 --settings {FEWEST}",
    "scoring": "--side 300",
    "suspects": f"--sets outlines --plantings 1 --folds 2 --steps 2 --settings {FEWEST}",
    "training": "--filters 2 --side 32 --batch 2 --steps 1 --rounds 2",
    "worker": f"benchmarks.contestants.stock '{json.dumps(vars(TINY))}'",
}


@functools.cache
def ran(name, more=""):
    """What the benchmark prints at its smallest size, as a user without data sets of our own runs it."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *shlex.split(f"{SMALLEST[name]} {more}")]
    settings = {"capture_output": True, "text": True, "stdin": subprocess.DEVNULL, "env": environment()}
    found = subprocess.run(command, cwd=ROOT, **settings)
    assert found.returncode == 0 and "Traceback" not in found.stderr, found.stderr
    return found.stdout


def with_json(name):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "found.json"
        return ran(name, f"--json {path}"), json.loads(path.read_text())


def test_every_benchmark_has_a_smallest_size():
    assert set(SMALLEST) == with_main("benchmarks")


@pytest.mark.slow
def test_large_measures_every_step():
    lines = ran("large").splitlines()
    assert [line.split()[0] for line in lines if "peak_gib" in line] == ["prepare", "crops", "score", "predict"]


@pytest.mark.slow
def test_memory_sets_estimates_beside_measurements():
    header, *rows = (line.split("\t") for line in ran("memory").splitlines())
    assert header[-3:] == ["measured", "estimated", "ratio"] and len(rows) == 2
    assert all(float(row[-1]) == pytest.approx(int(row[-2]) / int(row[-3]), abs=0.01) for row in rows)


@pytest.mark.slow
def test_losses_times_the_default_twice_and_each_term():
    rows = [line.split() for line in ran("losses").splitlines()[1:]]
    assert [row[0] for row in rows if "clock" in row] == ["default", "default", "focal"]


@pytest.mark.slow
def test_recipe_prints_the_score_of_every_trial_and_their_mean():
    one, mean = (line.split(" | ") for line in ran("recipe").splitlines())
    assert one[:4] == ["tiny", "outlines", "seed 0", "2 steps"] and 0 <= float(one[-1]) == float(mean[-1]) <= 1


@pytest.mark.slow
def test_ensemble_prints_gain_and_cost():
    lines = [line.split(" | ") for line in ran("ensemble").splitlines() if line.startswith("outlines | ")]
    assert [row[1].split()[0] for row in lines] == ["member", "member", "Fitted", "members", "gain", "cost"]
    assert lines[-1][1].endswith("; 2 members")


@pytest.mark.slow
def test_regret_trains_the_choice_and_every_candidate():
    lines = ran("regret").splitlines()
    trained = [line.split(" | ") for line in lines if " steps | " in line]
    assert [row[2] for row in trained[:2]] == ["the choice", "as the rules choose"] and len(trained) > 2
    assert lines[-1].startswith("mean regret ")


def test_regret_is_what_the_best_candidate_has_more_than_the_choice():
    assert regret.regret({"the choice": 0.7, "one": 0.72, "other": 0.6}) == pytest.approx(0.02)
    assert regret.regret({"the choice": 0.7, "one": 0.65}) == pytest.approx(-0.05)


@pytest.mark.slow
def test_trials_prints_a_line_for_each_length():
    rows = [line.split(" | ") for line in ran("trials").splitlines() if line.startswith("outlines | ")]
    assert [row[1:3] for row in rows] == [["as the rules choose", "0.1 s"], ["as the rules choose", "0.2 s"]]
    assert all(0 <= float(row[-1]) <= 1 for row in rows)


@pytest.mark.slow
def test_training_measures_ours_beside_stock_keras():
    printed, (found,) = with_json("training")
    assert "times as fast as stock Keras in training" in printed and "On real, augmented crops" in printed
    facts, rounds = found["facts"], found["rounds"]
    assert facts["ours"]["parameters"] == facts["stock Keras"]["parameters"] > 0
    assert all(len(rates) == 2 and min(min(one.values()) for one in rates) > 0 for rates in rounds.values())


@pytest.mark.slow
def test_our_contestant_takes_an_encoder(tmp_path):
    place = prepared(write_data_set(tmp_path / "set"), tmp_path).folder
    setting = replace(TINY, store=str(place), encoder="mobilenet_v2", depth=2)
    with Worker("benchmarks.contestants.ours", setting) as worker:
        assert worker.facts["parameters"] > 0 and all(value > 0 for value in worker.round().values())


@pytest.mark.slow
def test_depthwise_times_both_gradients_of_every_layer():
    printed, found = with_json("depthwise")
    assert len(found["layers"]) == 12 and sum(one["count"] for one in found["layers"]) == 16
    ratios = [
        sum(one["count"] * one["seconds"]["TensorFlow"][number] for one in found["layers"])
        / sum(one["count"] * one["seconds"]["this project"][number] for one in found["layers"])
        for number in range(2)
    ]
    shown = f"{sum(ratios) / 2:.2f} ({min(ratios):.2f} – {max(ratios):.2f})"
    assert f"TensorFlow / this project: {shown}" in printed


def test_depthwise_has_the_layers_of_the_network():
    layers = layers_of_lite0(256)
    first = (128, 32, 3, 1), (128, 96, 3, 2), (64, 144, 3, 1), (64, 144, 5, 2), (32, 240, 5, 1)
    assert list(layers)[:5] == [Layer(*sizes) for sizes in first]
    assert list(layers)[-2:] == [Layer(8, 1152, 5, 1), Layer(8, 1152, 3, 1)]
    model = build_unet(PlannedModel(encoder="efficientnet_lite0", filters=2, depth=5), 3, 1)
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.DepthwiseConv2D)]
    kernels = Counter((layer.kernel.shape[2], layer.kernel.shape[0], layer.strides[0]) for layer in convolutions)
    found = Counter()
    for layer, count in layers.items():
        found[layer.channels, layer.kernel, layer.stride] += count
    assert found == kernels


@pytest.mark.slow
def test_peer_scores_both_and_their_difference():
    first, *lines = (line.split(" | ") for line in ran("peer").splitlines())
    assert first == ["The peer does not train on the images that validate this project."]
    assert [line[:3] for line in lines[:2]] == [["outlines", "seed 0", name] for name in ("ours", "peer")]
    assert lines[1][3] == "1 steps" and lines[1][-1] == "Dice 0.0000" and len(lines) == 5


def test_recipe_keeps_the_official_lists_of_a_data_set(tmp_path, monkeypatch):
    monkeypatch.setenv("SEG_DATASETS", str(tmp_path / "sets"))
    described = {"classes": {0: "sky", 1: "road"}, "train": "train.txt", "validation": "v.txt", "test": "test.txt"}
    for name in ("street", "nuclei"):
        (tmp_path / "sets" / name).mkdir(parents=True)
    write_yaml(tmp_path / "sets/street/dataset.yaml", described)
    assert copy_set("street", tmp_path / "street") == described == read_yaml(tmp_path / "street/dataset.yaml")
    copy_set("nuclei", tmp_path / "nuclei")
    assert read_yaml(tmp_path / "nuclei/dataset.yaml") == {"test": "test.txt"}


@pytest.mark.slow
def test_training_shows_where_a_step_spends_its_time():
    assert "all operations" in ran("training", "--profile")


@pytest.mark.slow
def test_a_worker_prints_what_it_is_before_the_first_round():
    facts = json.loads(ran("worker"))
    assert facts["parameters"] > 0 and set(facts["start"]) == {"import", "build", "first step"}


CONTESTANTS = sorted(path.stem for path in (ROOT / "benchmarks/contestants").glob("[a-z]*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("name", CONTESTANTS)
def test_every_contestant_plays_a_round(name, tmp_path):
    """Those in PyTorch need benchmarks/requirements.txt, which the project does not install."""
    tree = ast.parse((ROOT / f"benchmarks/contestants/{name}.py").read_text())
    imported = {node.names[0].name for node in tree.body if isinstance(node, ast.Import)}
    if not all(map(find_spec, imported & {"torch", "segmentation_models_pytorch"})):
        pytest.skip("PyTorch is not installed: pip install -r benchmarks/requirements.txt")
    (tmp_path / "store").mkdir()
    place = prepared(write_data_set(tmp_path / "set"), tmp_path).folder if name == "ours" else tmp_path / "store"
    setting = replace(TINY, store=str(place))
    if name == "smp":  # for the other encoders only; a batch of one has no variance at the lowest resolution
        setting = replace(setting, encoder="efficientnet_lite0", depth=5, batch=2)
    with Worker(f"benchmarks.contestants.{name}", setting) as worker:
        assert worker.facts["parameters"] > 0 and all(value > 0 for value in worker.round().values())


@pytest.mark.slow
def test_preparing_measures_both_sides(tmp_path):
    found = json.loads(ran("preparing", f"--work {tmp_path}"))
    ratio = found["prepare_pairs_per_second"] / found["decode_pairs_per_second"]
    assert abs(found["prepare_of_decode_speed"] - ratio) < 0.02 * ratio + 0.002 and found["crops_store_over_png"] > 1
    assert found["again_bytes_written"] > 16 * 512 * 512 * 4 and not list(tmp_path.iterdir())


def test_coverage_tells_every_population():
    lines = ran("coverage").splitlines()
    assert lines[3].split() == ["groups", *map(str, SIZES), *map(str, SIZES)]
    assert [line[:40].strip() for line in lines[4:]] == [population.name for population in POPULATIONS]
    assert all(len(line[40:].split("/")) == 1 + 2 * len(SIZES) for line in lines[4:])


def test_curve_coverage_tells_every_law():
    lines = ran("curve_coverage").splitlines()
    rows = lines[lines.index("") + 2 :]
    assert len(rows) == len(LAWS) and all(len(row.split(" / ")) == 7 for row in rows)


def test_learning_curve_refuses_an_initial_model_that_may_have_seen_the_images(monkeypatch):
    monkeypatch.setattr(learning_curve, "make_project", lambda *_: pytest.fail("work was done"))
    given = argparse.Namespace(settings=[("train.initial", "models/initial/unet.keras")], sets=["outlines"])
    with pytest.raises(UserError, match=r"^train\.initial: models/initial/unet\.keras may have been trained on images"):
        learning_curve.main(given)


@pytest.mark.slow
def test_learning_curve_predicts_the_last_point_from_the_others():
    lines = [line.split(" | ") for line in ran("learning_curve").splitlines()]
    assert [line[0] for line in lines[:5]] == ["outlines"] * 5 and len(lines) == 6
    assert [line[2] for line in lines[:4]] == ["2 steps"] * 4 and "predicted" in lines[4][1]


@pytest.mark.slow
def test_review_compares_uncertain_with_random_images():
    one, mean = (line.split(" | ") for line in ran("review").splitlines())
    assert one[:2] == ["outlines", "seed 0"] and mean[:2] == ["outlines", "mean"] and one[2:] == mean[2:]
    assert [word.rpartition(" ")[0] for word in one[2:]] == ["4 images", "2 least certain more", "2 random more"]


@pytest.mark.slow
def test_suspects_prints_precision_and_the_area_of_each_kind_of_error():
    lines = [line.split(" | ") for line in ran("suspects").splitlines() if line.startswith("outlines | ")]
    assert lines[0][1] == "planting 0" and lines[0][2].endswith(" are possible")
    assert [line[1] for line in lines[1:]] == list(KINDS)


def test_suspects_area_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    own, others = rng.integers(3, 9, 20), rng.integers(0, 7, 30)  # with ties
    expected = roc_auc_score([1] * 20 + [0] * 30, [*own, *others])
    assert suspects.area(own, others) == pytest.approx(expected)


def test_coverage_counts_what_holds_the_truth():
    population = Population("uniform", single(lambda rng, groups: rng.random(groups)))
    rng = np.random.default_rng(0)
    assert population.truth(rng) == pytest.approx(0.5, abs=0.003)
    near, far = (covered(population, truth, 20, 200, rng) for truth in (0.5, 0.9))
    assert near["ours"] > 0.9 and near["percentile"] > 0.85 and far["ours"] == far["percentile"] == 0
    assert near["width"] == pytest.approx(2 * 2.09 * math.sqrt(1 / 12 / 20), rel=0.1)  # Student's


def test_percentile_of_pairs_is_that_of_their_differences():
    pairs = np.random.default_rng(0).random((30, 2))
    drawn = np.random.default_rng(1).multinomial(30, np.full(30, 1 / 30), size=500).astype(float)
    found = Population("pairs", single(None), paired=True).percentile(pairs, np.arange(30), drawn)
    assert found == pytest.approx(np.quantile(drawn @ (pairs[:, 1] - pairs[:, 0]) / 30, [0.025, 0.975]))


@pytest.mark.slow
def test_scoring_measures_both_kinds_of_image():
    printed, found = with_json("scoring")
    assert "300 × 300 pixels, 5 classes" in printed and "smooth      noise" in printed and "boundaries, s" in printed
    for figures in found.values():
        ratio = figures["by_scipy"] / figures["boundary_of_one"]
        assert figures["scipy_over_ours"] == ratio and figures["memory_mib"] >= figures["before_mib"] > 0


@pytest.mark.slow
def test_predicting_measures_the_network_and_all_of_it():
    printed, found = with_json("predicting")
    rounds = found["rounds"]["ours"]
    assert len(rounds) == 2 and all(one["network"] > one["files"] > 0 for one in rounds)
    ratios = sorted(one["files"] / one["network"] for one in rounds)
    assert f"files / network    {sum(ratios) / 2:.2f} ({ratios[0]:.2f} – {ratios[1]:.2f})" in printed


@pytest.mark.slow
def test_objects_measures_the_large_image_and_the_separation():
    found = dict(line.split(": ", 1) for line in ran("objects").splitlines())
    large, discs = json.loads(found["large image"]), json.loads(found["drawn discs"])
    assert large["objects"] == 9 and large["peak_gib"] >= large["before_gib"] > 0
    assert 0.5 < discs["f1"] < discs["f1_split_touching"] <= 1


def test_outlines_are_the_same_in_every_run_and_larger_than_a_crop(tmp_path, monkeypatch):
    monkeypatch.setattr(outlines, "PAIRS", 4)
    for name in ("first", "second"):
        outlines.make(tmp_path / name)
    files = sorted(path.relative_to(tmp_path / "first") for path in (tmp_path / "first").rglob("*.*"))
    assert len(files) == 4 + 4 + 1
    assert all((tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes() for file in files)
    for path in (tmp_path / "first/masks").iterdir():
        mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert np.unique(mask).tolist() == [0, 1] and cv2.connectedComponents(mask)[0] == 2
        (_, area), (_, border) = areas_and_borders(mask, LabelFormat(2))
        assert 4 * area / border > 1.5 * CROP
    outlines.make(tmp_path / "bordered", bordered=True)
    for path in (tmp_path / "bordered/masks").iterdir():
        mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        inside = cv2.imread(str(tmp_path / "first/masks" / path.name), cv2.IMREAD_UNCHANGED)
        assert np.unique(mask).tolist() == [0, 1, 2] and (inside[mask == 1] == 1).all()
