"""Find the trainings of a project: in its own folder, and in the copies that experiments run in."""

import csv
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

from src.files import read_csv
from src.training_progress import DIGITS, NAME, TrainingProgress
from src.trainings import is_locked

COPIES = Path(".dvc/tmp/exps")  # dvc exp run --queue and --temp make their copies below this folder
DEEPEST = 3  # folders between COPIES and the root of a copy; 3: the project is a folder of its Git repository
LARGEST = 1e100  # of a value in a curve; the sum of larger numbers may be infinite
Status = Literal["running", "done", "stopped", "died"]


@dataclass(frozen=True)
class WatchedTraining:
    """A training and what its files hold.

    Attributes:
        project: The project, or the copy of it that an experiment runs in.
        logs: The folder of its progress.json.
        progress: How far it is.
        running: Whether its process exists.
        losses: The training loss of each epoch; empty if the history is not that of this training.
        dice: The validation Dice of each epoch, likewise.
    """

    project: Path
    logs: Path
    progress: TrainingProgress
    running: bool
    losses: tuple[float, ...] = ()
    dice: tuple[float, ...] = ()

    @property
    def status(self) -> Status:
        """Status; `died`: the process ended without writing a final state."""
        if self.running:
            return "running"
        state = self.progress.state
        return state if state == "done" or state == "stopped" else "died"

    @property
    def key(self) -> tuple[object, ...]:
        """Value that changes when there is something new to print: an epoch, `finishing`, or another status."""
        progress = self.progress
        return self.project, progress.training, progress.epoch, progress.state == "finishing", self.status


def find_trainings(root: Path, logs: PurePath, history: PurePath) -> list[WatchedTraining]:
    """Read the latest training of a project, and those of its experiments' copies.

    Args:
        root: The project.
        logs: The folder of progress.json, relative to a project.
        history: The training history, relative to a project.

    Returns:
        The trainings; that of the project itself is the first one.
    """
    copies = [path for depth in range(1, DEEPEST + 1) for path in (root / COPIES).glob("*/" * depth + f"{logs}/{NAME}")]
    projects = [root, *sorted(path.parents[len(logs.parts)] for path in copies)]
    found = [_read(project, project / logs, project / history) for project in projects]
    return [training for training in found if training]


def _read(project: Path, logs: Path, history: Path) -> WatchedTraining | None:
    locked = is_locked(logs)  # before the file: a training writes that it is done, then its lock ends
    progress = TrainingProgress.read(logs)
    if progress is None:
        return None
    running = locked and progress.state not in ("done", "stopped")  # else a new training has not written yet
    rows = _rows(history)
    if not rows or round(rows[-1].dice, DIGITS) != progress.val_dice:
        rows = []  # of another training: dvc exp apply and git checkout replace the history and not the logs
    losses, dice = tuple(row.loss for row in rows), tuple(row.dice for row in rows)
    return WatchedTraining(project, logs, progress, running, losses, dice)


@dataclass(frozen=True)
class _Row:
    loss: float
    dice: float


def _rows(history: Path) -> list[_Row]:
    """The rows of the history with finite values; none before the first epoch, or if the file is damaged."""
    try:
        rows = [_Row(float(row["loss"]), float(row["val_dice"])) for row in read_csv(history)]
    except (OSError, ValueError, KeyError, TypeError, csv.Error):  # TypeError: a row with too few cells
        return []
    return [row for row in rows if abs(row.loss) < LARGEST and abs(row.dice) < LARGEST]  # false for NaN, too
