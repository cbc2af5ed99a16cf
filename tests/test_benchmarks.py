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
