"""Keep logs/progress.json up to date."""

import os
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from src.model.live.speed import Speed
from src.model.training.state import Training
from src.params import PlannedTrain
from src.training_progress import DIGITS, State, TrainingProgress

PAUSE = 2.0  # seconds between two versions of the file


def now() -> str:
    """The time in ISO 8601, with its time zone."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


@dataclass
class ProgressFile:
    """Writes the progress of a training.

    Attributes:
        folder: the folder logs/.
        training: the training.
        params: its settings.
        to_validate: validation images in each epoch.
        speed: of its steps and validations.
        validated: validation images that the validation of this epoch has begun.
        picture: the latest validation picture, relative to the folder; "" if there is none.
    """

    folder: Path
    training: Training
    params: PlannedTrain
    to_validate: int
    speed: Speed = field(default_factory=Speed)
    validated: int = 0
    picture: str = ""
    _begun: str = field(default_factory=now)
    _written: float = 0.0

    @property
    def due(self) -> bool:
        """True if the last version is older than `PAUSE`."""
        return time.monotonic() - self._written > PAUSE

    def write(self, state: State, message: str = "", *, can_continue: bool = False) -> None:
        """Write the file.

        Args:
            state: of the training.
            message: why it stopped.
            can_continue: it stopped, and the same command continues it.
        """
        training, history = self.training, self.training.history
        schedule, seconds = training.schedule(self.params), self.speed.step
        losses = training.losses or [row["loss"] for row in history[-1:]]
        TrainingProgress(
            training=training.checkpoint.folder.name,
            process=os.getpid(),
            started=self._begun,
            updated=now(),
            state=state,
            epoch=min(len(history) + 1, schedule.epochs),
            epochs=schedule.epochs,
            step=training.step,
            steps=schedule.steps,
            validated=self.validated,
            to_validate=self.to_validate,
            patches_per_second=round(self.params.batch / seconds, 2) if seconds else None,
            remaining_seconds=self._remaining() if state in ("training", "validating") else None,
            loss=round(float(np.mean(losses)), DIGITS) if losses else None,
            val_dice=round(history[-1]["val_dice"], DIGITS) if history else None,
            best_val_dice=round(training.best["val_dice"], DIGITS) if history else None,
            best_epoch=int(training.best["epoch"]) if history else None,
            picture=self.picture,
            message=message,
            can_continue=can_continue,
        ).write(self.folder)
        self._written = time.monotonic()

    def _remaining(self) -> float | None:
        training, schedule = self.training, self.training.schedule(self.params)
        validations = schedule.epochs - len(training.history) - self.validated / self.to_validate
        seconds = self.speed.remaining(schedule.steps - training.step, validations)
        return None if seconds is None else round(seconds, 1)
