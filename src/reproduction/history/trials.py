"""Experiments of a sweep: run one in a copy of the project, and read its validation Dice."""

import json
import math
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.lock import LockError
from dvc.repo import Repo, lock_repo
from dvc.scm import SCMError

from src.errors import UserError, listing, some
from src.files import parse_yaml
from src.reproduction.history.experiments import experiment_revisions
from src.reproduction.history.provenance import tracked_changes

FOLDER = "sweeps"  # in .dvc/tmp
TRIES = 20  # of 3 seconds each: DVC holds its lock while it copies the workspace for an experiment
CONTINUE = "the same command then continues the sweep"


@dataclass(frozen=True)
class Project:
    """The project in the current directory.

    Attributes:
        head: The commit from which experiments are derived.
        changed: The tracked files that differ from it.
        folder: Where sweeps keep their files; Git ignores it.
        experiments: The names of the experiments of this commit.
    """

    head: str
    changed: tuple[str, ...]
    folder: Path
    experiments: frozenset[str]

    @classmethod
    def here(cls) -> "Project":
        """Read the current directory.

        Raises:
            UserError: It is not a project of Git and DVC with a commit, or another DVC command blocks it.
        """
        try:
            with Repo(os.curdir) as repo:
                for _ in range(TRIES):
                    # DVC writes the settings of a starting experiment into the workspace for a moment
                    with suppress(LockError), lock_repo(repo):
                        changed = tuple(tracked_changes(Path()))
                        names = frozenset(experiment_revisions(repo))
                        return cls(repo.scm.get_rev(), changed, Path(repo.tmp_dir, FOLDER), names)
        except (DvcException, SCMError) as error:
            raise UserError(f"experiments need a project of Git and DVC with a commit: {error}") from None
        raise UserError(f"another DVC command is running in this project: wait until it ends; {CONTINUE}")

    def require_committed(self) -> None:
        """Check that experiments run the commit, since they copy changes of the workspace.

        Raises:
            UserError: Tracked files have changed. The message lists them.
        """
        if self.changed:
            raise UserError(
                "files differ from the commit, so that trials would run other code or settings than it: undo the "
                f"changes, or store them (git stash); {CONTINUE}. To search with the changes, commit them and choose "
                f"another --name\n{listing(self.changed)}"
            )

    def require_unused(self, name: str) -> None:
        """Check that no experiment is called NAME-000, NAME-001 and so on.

        Args:
            name: The name of a new sweep.

        Raises:
            UserError: There are some. The message names the first ones.
        """
        pattern = re.compile(rf"{re.escape(name)}-\d{{3,}}")
        if used := sorted(filter(pattern.fullmatch, self.experiments)):
            found = some(used, show=str)
            raise UserError(f"{found}: these experiments exist already, but not their sweep: choose another --name")

    def require_same(self) -> None:
        """Check that the current directory is still at this commit, without changes.

        Raises:
            UserError: It is not.
        """
        now = Project.here()
        if now.head != self.head:
            raise UserError(
                f"the commit has changed from {self.head[:7]} to {now.head[:7]}: go back to {self.head[:7]} (git "
                f"switch); {CONTINUE}. To search with the new commit, choose another --name"
            )
        now.require_committed()


def run_experiment(name: str, settings: Mapping[str, str], metrics: str) -> float | None:
    """Run an experiment in a copy of the project, and return its score.

    Args:
        name: Name of the experiment.
        settings: Key in params.yaml → value in YAML.
        metrics: The metrics file of the training, relative to the project.

    Returns:
        The mean Dice on validation images, which selected the epoch; None if the experiment failed.
    """
    changes = [part for key, value in settings.items() for part in ("-S", f"{key}={hydra_value(value)}")]
    command = [sys.executable, "-m", "dvc", "exp", "run", "--temp", "-n", name, *changes]
    with subprocess.Popen(command, start_new_session=True, preexec_fn=_accept_interrupts) as process:
        try:
            failed = process.wait()
        except BaseException:  # DVC and its stage stop on an interrupt alone; a killed DVC leaves its stage running
            os.killpg(process.pid, signal.SIGINT)
            process.wait()
            raise
    return None if failed else validation_dice(name, metrics)


def _accept_interrupts() -> None:
    """Stop on interrupts, which a program ignores if a shell started it with & or nohup."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def hydra_value(text: str) -> str:
    """Write a number, a bool or a text in the grammar of Hydra, which `dvc exp run -S` reads.

    Args:
        text: The value in YAML.
    """
    value = parse_yaml(text, Path("params.yaml"))
    if not isinstance(value, str):
        return json.dumps(value)
    # A backslash is special in Hydra only before a quote, and before the end of the text, where the quote follows.
    escaped = re.sub(r"(\\*)('|\Z)", lambda found: found[1] * 2 + found[2].replace("'", "\\'"), value)
    return f"'{escaped}'"


def validation_dice(name: str, metrics: str) -> float | None:
    """Read the mean Dice of an experiment on validation images; None if there is none.

    The score on test images is not read: it would no longer be one of unseen images.

    Args:
        name: Name of the experiment.
        metrics: The metrics file of the training, relative to the project.
    """
    try:
        with Repo.open(None, rev=name) as repo:
            score = float(json.loads(repo.dvcfs.read_text(metrics, encoding="utf-8"))["validation"]["dice"])
    except (DvcException, SCMError, OSError, ValueError, KeyError, TypeError):
        return None
    return score if math.isfinite(score) else None
