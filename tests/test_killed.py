"""SIGKILL at any moment, through DVC as a user runs it: the next run goes on, to the bytes of a quiet one."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.test_pipeline import digests, make_project, run

KILLS = 10
COMMANDS = (["dvc", "repro", "train"], ["dvc", "exp", "run", "train"], ["dvc", "exp", "run", "--temp", "-f", "train"])


def start(project: Path, command: list[str]) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "PYTHONUNBUFFERED": "1"}
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=project, env=environment, start_new_session=True, **output)


def killed_in_training(project: Path, command: list[str], wait: float) -> str:
    """Kill the command and all it started, `wait` seconds after training began; returns what it printed."""
    process = start(project, command)
    printed = []
    for line in process.stdout:
        printed.append(line)
        if "parameters" in line:
            time.sleep(wait)
            break
    os.killpg(process.pid, signal.SIGKILL)
    printed.append(process.stdout.read())
    process.wait()
    run(project, "git", "checkout", "-q", "-f", "main")  # a kill leaves Git here: docs/troubleshooting.md
    return "".join(printed)


@pytest.mark.slow
def test_killed_ten_times_it_ends_with_the_same_bytes(tmp_path):
    project = make_project(tmp_path / "project", 2, [0, 255])
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["train"] |= {"epochs": 90, "steps": 2880}  # longer than all the waits together
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    run(project, "git", "branch", "-M", "main")
    run(project, "dvc", "repro", "split")
    run(project, "git", "add", "-A")
    run(project, "git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-m", "settings")
    draw = random.Random(0)
    resumed = 0
    for number in range(KILLS):
        printed = killed_in_training(project, COMMANDS[number % len(COMMANDS)], draw.uniform(0, 6))
        resumed += "continuing from the checkpoint" in printed
        assert "Traceback" not in printed and "no such experiment" not in printed, printed
    assert resumed >= 3, "the waits were too short to write a checkpoint"
    printed = run(project, "dvc", "repro", "train").stdout
    assert "continuing from the checkpoint" in printed
    after = digests(project, ["models/unet.keras", "plots/history.csv", "metrics/train.json"])
    assert not list((project / ".dvc/tmp/checkpoints").glob("*/state"))
    again = run(project, "dvc", "repro", "--force", "--no-run-cache", "--single-item", "train").stdout
    assert "going on" not in again
    assert digests(project, list(after)) == after
