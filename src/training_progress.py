"""logs/progress.json: how far a training is. The training writes the file, `python -m tools.watch` reads it."""

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import filelock

from src.files import read_json, write_json
from src.trainings import LOCK, WAIT

NAME = "progress.json"
State = Literal["training", "validating", "finishing", "done", "stopped"]


@dataclass(frozen=True)
class TrainingProgress:
    """How far a training is. None: not known yet.

    Attributes:
        training: Name of the training; it is the same after an interruption.
        process: Number of the process.
        started: When this process began to train, in ISO 8601.
        updated: When the file was written, in ISO 8601.
        state: `finishing` fits the decisions and writes the results; `stopped` can continue.
        epoch: The current epoch, from 1.
        epochs: Number of epochs.
        step: Steps that are done, in all epochs.
        steps: Number of steps.
        validated: Validation images that are measured in this epoch.
        to_validate: Validation images in each epoch.
        patches_per_second: Speed of training, without validation.
        remaining_seconds: Until the end of the last epoch.
        loss: Mean training loss of the current epoch, or of the last one if the current one has no step yet.
        val_dice: Mean validation Dice after the last epoch.
        best_val_dice: The highest of all epochs.
        best_epoch: The epoch that has it.
        picture: Name of the latest validation picture in the folder of this file; "" if there is none.
        message: Why the training stopped; "" if it did not.
    """

    training: str
    process: int
    started: str
    updated: str
    state: State
    epoch: int
    epochs: int
    step: int
    steps: int
    validated: int
    to_validate: int
    patches_per_second: float | None = None
    remaining_seconds: float | None = None
    loss: float | None = None
    val_dice: float | None = None
    best_val_dice: float | None = None
    best_epoch: int | None = None
    picture: str = ""
    message: str = ""

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Read the file in a folder; None if there is none, or if another version of the project wrote it."""
        try:
            return cls(**read_json(folder / NAME))
        except (OSError, TypeError, json.JSONDecodeError):
            return None

    def write(self, folder: Path) -> None:
        """Replace the file in a folder."""
        write_json(folder / NAME, dataclasses.asdict(self))


@contextmanager
def running(folder: Path) -> Iterator[bool]:
    """Lock the folder that a training writes to. The lock ends with the block, or with the process.

    Args:
        folder: The folder logs/.

    Yields:
        Whether the folder is free; False: another training writes to it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / LOCK, timeout=WAIT)
    try:
        lock.acquire()
    except filelock.Timeout:
        yield False
        return
    with lock:
        yield True
