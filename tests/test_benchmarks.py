"""The benchmarks run; what they say on a machine is for their readers."""

import json
import subprocess
import sys

from tests.conftest import ROOT


def test_preparing_measures_both_sides(tmp_path):
    command = [sys.executable, "-m", "benchmarks.preparing", "--pairs", "6", "--work", str(tmp_path)]
    found = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    ratio = found["prepare_pairs_per_second"] / found["decode_pairs_per_second"]
    assert abs(found["prepare_of_decode_speed"] - ratio) < 0.02 * ratio + 0.002 and found["crops_store_over_png"] > 1
    assert found["again_bytes_written"] > 16 * 512 * 512 * 4 and not list(tmp_path.iterdir())


def test_scoring_measures_both_kinds_of_image(tmp_path):
    path = tmp_path / "found.json"
    command = [sys.executable, "-m", "benchmarks.scoring", "--side", "300", "--json", str(path)]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = json.loads(path.read_text())
    assert "300 × 300 pixels, 5 classes" in printed and "smooth      noise" in printed and "boundaries, s" in printed
    for figures in found.values():
        ratio = figures["by_scipy"] / figures["boundary_of_one"]
        assert figures["scipy_over_ours"] == ratio and figures["memory_mib"] >= figures["before_mib"] > 0
