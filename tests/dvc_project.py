"""A tiny DVC project in a folder, for what reads experiments."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.closure import ROOT

DVC = """
stages:
  evaluate:
    cmd: python stage.py
    params: [{params}]
    outs: [data/evaluation, data/prepared]
"""


def dvc_project(folder: Path, stage: str, params: str) -> Callable[..., str]:
    """Commit a project of one stage with these parameters; returns what runs a command in it and gives its output.

    stage: the code, which writes into data/evaluation and data/prepared; params: the text of params.yaml.
    """

    def call(*command: str) -> str:
        path = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(folder)}
        found = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=path)
        assert found.returncode == 0, found.stdout + found.stderr
        return found.stdout

    keys = ", ".join(line.partition(":")[0] for line in params.splitlines())
    (folder / "stage.py").write_text(stage)
    (folder / "dvc.yaml").write_text(DVC.format(params=keys))
    (folder / "params.yaml").write_text(params)
    (folder / ".gitignore").write_text("/data/evaluation\n/data/prepared\n")
    call("git", "init", "-q")
    for key, value in (("user.name", "t"), ("user.email", "t@t")):
        call("git", "config", key, value)
    call("dvc", "init", "-q")
    call("git", "add", "-A")
    call("git", "commit", "-q", "-m", "start")
    return call
