"""Experiments of a sweep: run one in a copy of the project, and read its validation Dice."""

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.scm import SCMError

from src.errors import UserError

SCORE = "metrics/train.json"
FOLDER = "sweeps"  # in .dvc/tmp


@dataclass(frozen=True)
class Project:
    """The project in the current directory.

    Attributes:
        head: The commit from which experiments are derived.
        folder: Where sweeps keep their files; Git ignores it.
        experiments: The names of the experiments of this commit.
    """

    head: str
    folder: Path
    experiments: frozenset[str]

    @classmethod
    def here(cls) -> "Project":
        """Look at the current directory.

        Raises:
            UserError: It is not a project of Git and DVC with a commit.
        """
        try:
            with Repo(os.curdir) as repo:
                names = {name for found in repo.experiments.ls().values() for name, _ in found}
                return cls(repo.scm.get_rev(), Path(repo.tmp_dir, FOLDER), frozenset(names))
        except (DvcException, SCMError) as error:
            raise UserError(f"experiments need a project of Git and DVC with a commit: {error}") from None


def run_experiment(name: str, settings: Mapping[str, str]) -> float | None:
    """Run an experiment in a copy of the project, and return its score.

    Args:
        name: Name of the experiment.
        settings: Key in params.yaml → value.

    Returns:
        The mean Dice on validation images, which selected the epoch; None if the experiment failed.
    """
    changes = [part for key, value in settings.items() for part in ("-S", f"{key}={value}")]
    command = [sys.executable, "-m", "dvc", "exp", "run", "--temp", "-n", name, *changes]
    with subprocess.Popen(command, start_new_session=True, preexec_fn=_accept_interrupts) as process:
        try:
            failed = process.wait()
        except BaseException:  # DVC and its stage stop on an interrupt alone; a killed DVC leaves its stage running
            os.killpg(process.pid, signal.SIGINT)
            process.wait()
            raise
    return None if failed else validation_dice(name)


def _accept_interrupts() -> None:
    """A program that a shell started with & or nohup ignores interrupts, and so would DVC and its stage."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def validation_dice(name: str) -> float | None:
    """Read the mean Dice of an experiment on validation images; None if there is none.

    The score on test images is not read: it would no longer be one of unseen images.
    """
    try:
        with Repo.open(None, rev=name) as repo:
            score = json.loads(repo.dvcfs.read_text(SCORE, encoding="utf-8"))["validation"]["dice"]
    except (DvcException, SCMError, OSError, ValueError, KeyError):
        return None
    return float(score) if math.isfinite(score) else None
