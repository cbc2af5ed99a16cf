"""The benchmarks run; what they say on a machine is for their readers."""

import json
import math
import subprocess
import sys

import cv2
import numpy as np
import pytest

from benchmarks import outlines
from benchmarks.coverage import POPULATIONS, SIZES, Population, covered, single
from src.plan import rules
from src.plan.parts import areas_and_borders
from tests.conftest import ROOT


def test_preparing_measures_both_sides(tmp_path):
    command = [sys.executable, "-m", "benchmarks.preparing", "--pairs", "6", "--work", str(tmp_path)]
    found = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    ratio = found["prepare_pairs_per_second"] / found["decode_pairs_per_second"]
    assert abs(found["prepare_of_decode_speed"] - ratio) < 0.02 * ratio + 0.002 and found["crops_store_over_png"] > 1
    assert found["again_bytes_written"] > 16 * 512 * 512 * 4 and not list(tmp_path.iterdir())


def test_coverage_tells_every_population():
    command = [sys.executable, "-m", "benchmarks.coverage", "--sets", "3"]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines[3].split() == ["groups", *map(str, SIZES), *map(str, SIZES)]
    assert [line[:40].strip() for line in lines[4:]] == [population.name for population in POPULATIONS]
    assert all(len(line[40:].split("/")) == 1 + 2 * len(SIZES) for line in lines[4:])


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


def test_scoring_measures_both_kinds_of_image(tmp_path):
    path = tmp_path / "found.json"
    command = [sys.executable, "-m", "benchmarks.scoring", "--side", "300", "--json", str(path)]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = json.loads(path.read_text())
    assert "300 × 300 pixels, 5 classes" in printed and "smooth      noise" in printed and "boundaries, s" in printed
    for figures in found.values():
        ratio = figures["by_scipy"] / figures["boundary_of_one"]
        assert figures["scipy_over_ours"] == ratio and figures["memory_mib"] >= figures["before_mib"] > 0


def test_predicting_measures_the_network_and_all_of_it(tmp_path):
    path = tmp_path / "found.json"
    sizes = ["--side", "64", "--images", "2", "--rounds", "2", "--filters", "2"]
    command = [sys.executable, "-m", "benchmarks.predicting", *sizes, "--json", str(path)]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    rounds = json.loads(path.read_text())["rounds"]["ours"]
    assert len(rounds) == 2 and all(one["network"] > one["files"] > 0 for one in rounds)
    ratios = sorted(one["files"] / one["network"] for one in rounds)
    assert f"files / network    {sum(ratios) / 2:.2f} ({ratios[0]:.2f} – {ratios[1]:.2f})" in printed


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
        (_, area), (_, border) = areas_and_borders(mask, 2)
        assert 4 * area / border > 1.5 * rules.CROP
    outlines.make(tmp_path / "bordered", bordered=True)
    for path in (tmp_path / "bordered/masks").iterdir():
        mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        inside = cv2.imread(str(tmp_path / "first/masks" / path.name), cv2.IMREAD_UNCHANGED)
        assert np.unique(mask).tolist() == [0, 1, 2] and (inside[mask == 1] == 1).all()
