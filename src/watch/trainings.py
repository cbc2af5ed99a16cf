"""Find the trainings of a project: in its own folder, and in the copies that experiments run in."""

from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

from src.files import read_csv
from src.training_progress import NAME, TrainingProgress
from src.trainings import is_locked

COPIES = Path(".dvc/tmp/exps")  # dvc exp run --queue and --temp make their copies below this folder
DEEPEST = 3  # folders between COPIES and the root of a copy; 3: the project is a folder of its Git repository
Status = Literal["running", "done", "stopped", "died"]


@dataclass(frozen=True)
class WatchedTraining:
    """A training with its files.

    Attributes:
        project: The project, or the copy of it that an experiment runs in.
        logs: The folder of its progress.json.
        progress: How far it is.
        running: Whether its process exists.
        losses: The training loss of each epoch.
        dice: The validation Dice of each epoch.
    """

    project: Path
    logs: Path
    progress: TrainingProgress
    running: bool
    losses: tuple[float, ...] = ()
    dice: tuple[float, ...] = ()

    @property
    def status(self) -> Status:
        """What became of it; a training that runs no more without saying so has died."""
        if self.running:
            return "running"
        state = self.progress.state
        return state if state == "done" or state == "stopped" else "died"

    @property
    def key(self) -> tuple[object, ...]:
        """What changes when there is something new to print: the epoch, or what the training does after all epochs."""
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
    losses, dice = (tuple(float(row[name]) for row in rows) for name in ("loss", "val_dice"))
    return WatchedTraining(project, logs, progress, running, losses, dice)


def _rows(history: Path) -> list[dict[str, str]]:
    """The rows of the history; none before the first epoch."""
    try:
        return read_csv(history)
    except OSError:
        return []
