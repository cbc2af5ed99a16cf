"""Trainings of a repository on disk: the folder of each, which of them are running, and requests to finish."""

from dataclasses import dataclass
from pathlib import Path

import filelock

from src.files import write_text

LOCK, OWNER, REQUEST = "lock", "process.txt", "finish"  # files in the folder of a training
WAIT = 2.0  # seconds; longest wait for the lock of a training, since `running_trainings` holds it for an instant


def trainings_folder(root: Path) -> Path:
    """Return the folder of all trainings of a repository.

    Args:
        root: the repository, or an experiment's copy of it, which uses the folder of the original.
    """
    parts = root.parts
    repositories = [Path(*parts[:end]) for end in range(1, len(parts)) if parts[end : end + 2] == (".dvc", "tmp")]
    return [*repositories, root][0] / ".dvc/tmp/checkpoints"


@dataclass(frozen=True)
class RunningTraining:
    """A training that a process is working on.

    Attributes:
        folder: of this training alone.
        process: number of the process.
        project: the folder that the process works in.
    """

    folder: Path
    process: int
    project: Path

    @classmethod
    def read(cls, folder: Path) -> "RunningTraining | None":
        """Read which process works on a training, or did so last; None if that is unknown."""
        try:
            process, project = (folder / OWNER).read_text().splitlines()
            return cls(folder, int(process), Path(project))
        except (OSError, ValueError):
            return None

    def write(self) -> None:
        """Write into the folder of the training what `read` reads."""
        write_text(self.folder / OWNER, f"{self.process}\n{self.project}\n")

    def request_finish(self) -> None:
        """Ask the process to shorten its training (src/model/training/shorten.py)."""
        write_text(self.folder / REQUEST, "")

    def __str__(self) -> str:
        return f"process {self.process} in {self.project}"


def running_trainings(root: Path) -> list[RunningTraining]:
    """List the trainings of a repository that are running, those of its experiments included.

    Args:
        root: the repository.
    """
    folders = sorted(path.parent for path in trainings_folder(root).glob(f"*/{OWNER}"))
    found = [RunningTraining.read(folder) for folder in folders if is_locked(folder)]
    return [training for training in found if training]


def is_locked(folder: Path) -> bool:
    """Return whether a process holds the lock of a folder.

    False, too, if this cannot be found out: the file cannot be read, or its file system has no locks.
    """
    try:
        if not (folder / LOCK).exists():
            return False
        with filelock.FileLock(folder / LOCK, blocking=False):
            return False
    except filelock.Timeout:
        return True
    except PermissionError:  # filelock opens the file for writing, which only its owner may do
        return _is_locked_by_another_user(folder / LOCK)
    except (OSError, NotImplementedError):
        return False


def _is_locked_by_another_user(lock: Path) -> bool:
    """Return whether a process holds a lock file that can be read and not written; False if it cannot be found out."""
    import fcntl  # not on Windows, where filelock raises no PermissionError

    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # closing the file ends it
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False
