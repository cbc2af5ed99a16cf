"""Progress of a training in logs/progress.json. The training writes the file, `python -m tools.watch` reads it."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import filelock
from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter

from src.files import write_json
from src.trainings import LOCK, WAIT

NAME = "progress.json"
DIGITS = 6  # decimals of losses and Dice
MOST = 10**12  # of a count and of seconds in a file that is read; Python cannot compute with much longer durations
State = Literal["training", "validating", "finishing", "done", "stopped"]


def _with_time_zone(text: str) -> str:
    """Refuse text that is not a time in ISO 8601 with a time zone."""
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("the time zone is missing")
    return text


Time = Annotated[str, AfterValidator(_with_time_zone)]
Count = Annotated[int, Field(ge=0, le=MOST)]
Positive = Annotated[int, Field(ge=1, le=MOST)]
Seconds = Annotated[float, Field(ge=0, le=MOST)]


@dataclass(frozen=True)
class TrainingProgress:
    """Progress of a training. None: not known yet. `read` checks types and ranges; the constructor does not.

    Attributes:
        training: Name of the training; it is the same after an interruption.
        process: Number of the process.
        started: When this process began to train, in ISO 8601 with a time zone.
        updated: When the file was written, in ISO 8601 with a time zone.
        state: `finishing` fits the decisions and writes the results; `stopped` ended before that.
        epoch: The current epoch, from 1.
        epochs: Number of epochs.
        step: Steps that are done, in all epochs.
        steps: Number of steps.
        validated: Validation images that the validation of this epoch has begun.
        to_validate: Validation images in each epoch.
        patches_per_second: Speed of training, without validation.
        remaining_seconds: Until the end of the last epoch.
        loss: Mean training loss of the current epoch, or of the last one if the current one has no step yet.
        val_dice: Mean validation Dice after the last epoch.
        best_val_dice: The highest of all epochs.
        best_epoch: The epoch that has it.
        picture: Name of the latest validation picture in the folder of this file; "" if there is none.
        message: Why the training stopped; "" if it did not.
        can_continue: The training stopped, and the same command continues it.
    """

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    training: str
    process: Count
    started: Time
    updated: Time
    state: State
    epoch: Positive
    epochs: Positive
    step: Count
    steps: Positive
    validated: Count
    to_validate: Count
    patches_per_second: float | None = None
    remaining_seconds: Seconds | None = None
    loss: float | None = None
    val_dice: float | None = None
    best_val_dice: float | None = None
    best_epoch: Count | None = None
    picture: str = ""
    message: str = ""
    can_continue: bool = False

    @staticmethod
    def read(folder: Path) -> "TrainingProgress | None":
        """Read the file in a folder; None if there is none, if it is damaged, or if another version wrote it."""
        try:
            return _VALID.validate_json((folder / NAME).read_bytes())
        except (OSError, ValueError, RecursionError):  # Pydantic's errors are ValueErrors
            return None

    def write(self, folder: Path) -> None:
        """Replace the file in a folder."""
        write_json(folder / NAME, dataclasses.asdict(self))


_VALID = TypeAdapter(TrainingProgress)


@contextmanager
def running(folder: Path) -> Iterator[bool]:
    """Lock the folder that a training writes to. The lock ends with the block, or with the process.

    Args:
        folder: The folder logs/.

    Yields:
        Whether the folder is free; False: another training writes to it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        held = filelock.FileLock(folder / LOCK, timeout=WAIT).acquire()
    except filelock.Timeout:
        yield False
        return
    with held:
        yield True
