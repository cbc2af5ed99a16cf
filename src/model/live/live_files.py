"""Write the files that show a training while it runs: plots/history.csv, and progress.json and pictures in logs/."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from src.data.store.subsets import Subset
from src.errors import Interrupted, describe_os_error
from src.files import write_csv
from src.model.inference.tiling import Window
from src.model.live.event_files import EventFiles, delete_event_files
from src.model.live.observer import Observer
from src.model.live.pictures import ValidationPictures
from src.model.live.progress_file import ProgressFile
from src.model.training.state import HISTORY, Training
from src.params import PlannedTrain
from src.training_progress import TrainingProgress, running

PICTURES, EVENTS = "overlays", "tensorboard"  # folders below logs/
CAN_CONTINUE = (Interrupted, KeyboardInterrupt, SystemExit, OSError)  # OSError: a full disk, for example


@dataclass(frozen=True)
class LivePaths:
    """Where files are written.

    Attributes:
        logs: folder of progress.json, the pictures and the event files.
        history: the training history, a CSV file.
    """

    logs: Path
    history: Path


class LiveFiles(Observer):
    """Writes files that show a training while it runs.

    They change no result. If one cannot be written, a warning says so once, and the training continues. Of several
    machines only the first one writes, and of several trainings in a folder only the one that started first.
    """

    def __init__(self, paths: LivePaths, training: Training, validated: Subset, params: PlannedTrain) -> None:
        """Prepare the files of a training; `started` writes the first ones.

        Args:
            paths: where files are written.
            training: the training.
            validated: the validation images of each epoch.
            params: settings of the training.
        """
        self._paths, self._training, self._tensorboard = paths, training, params.tensorboard
        self._progress = ProgressFile(paths.logs, training, params, len(validated))
        self._pictures = ValidationPictures.of(paths.logs / PICTURES, validated)
        self._events: EventFiles | None = None
        self._open = ExitStack()
        self._active, self._warned = training.workers.chief, False
        self._current: int | None = None  # position of the image that the validation is at

    def __enter__(self) -> Self:
        self._attempt(self._claim)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Note that the training is done, or why it stopped."""
        if error is None:
            self._attempt(lambda: self._progress.write("done"))
        else:
            message, can_continue = str(error) or type(error).__name__, isinstance(error, CAN_CONTINUE)
            self._attempt(lambda: self._progress.write("stopped", message, can_continue=can_continue))
        self._open.close()

    def _claim(self) -> None:
        self._active = False
        self._active = self._open.enter_context(running(self._paths.logs))
        if not self._active:
            print(f"{self._paths.logs}: another training writes there; tools.watch does not show this one", flush=True)

    def started(self) -> None:
        """Delete the files of an earlier training; write those of the epochs before an interruption."""
        self._attempt(self._start)

    def _start(self) -> None:
        logs, history = self._paths.logs, self._training.history
        before = TrainingProgress.read(logs)
        same = before is not None and before.training == self._training.checkpoint.folder.name
        if history:
            write_csv(self._paths.history, history, HISTORY)
        else:
            self._paths.history.unlink(missing_ok=True)  # DVC has deleted it, unless the stage runs without DVC
        self._progress.picture = self._shown(self._pictures.path(len(history))) if same else ""
        self._progress.write("training")
        self._thin_pictures(len(history) if same else 0)
        self._start_events(logs / EVENTS)

    def _start_events(self, folder: Path) -> None:
        """Delete the event files of an earlier training; write the epochs before an interruption again."""
        delete_event_files(folder)
        if not self._tensorboard:
            return
        self._events = EventFiles(folder)
        self._open.callback(self._events.close)
        for row in self._training.history:
            self._events.add(row, self._pictures.path(int(row["epoch"])))

    def step_done(self) -> None:
        """Measure the time, and write progress.json if it is due."""
        self._progress.speed.step_done()
        if self._progress.due:
            self._attempt(lambda: self._progress.write("training"))

    def predicted(self, index: int, window: Window, classes: NDArray[np.uint8]) -> None:
        """Keep a prediction if it belongs to the picture, and write progress.json if it is due.

        Args:
            index: position of the image in the store.
            window: of the image.
            classes: class indices of the window, uint8 [rows, columns].
        """
        if self._active:
            self._pictures.add(index, window, classes)
        self._progress.validated += index != self._current
        self._current = index
        if self._progress.due:
            self._attempt(lambda: self._progress.write("validating"))

    def epoch_done(self) -> None:
        """Write all files."""
        self._progress.validated, self._current = 0, None
        self._progress.speed.validation_done()
        self._attempt(self._write_epoch)

    def _write_epoch(self) -> None:
        row = self._training.history[-1]
        write_csv(self._paths.history, self._training.history, HISTORY)
        self._progress.write("training")  # before the pictures, which may fail: tools.watch compares it to the history
        title = f"epoch {row['epoch']:.0f}, validation Dice {row['val_dice']:.4f}; above: masks, below: predictions"
        picture = self._pictures.draw(int(row["epoch"]), title)
        self._progress.picture = self._shown(picture)
        self._progress.write("training")
        self._thin_pictures(len(self._training.history))
        if self._events:
            self._events.add(row, picture)

    def _thin_pictures(self, epochs: int) -> None:
        self._pictures.keep(epochs, int(self._training.best["epoch"]) if epochs else 0)

    def trained(self) -> None:
        """Write that decisions and results are still to be written."""
        self._attempt(lambda: self._progress.write("finishing"))

    def _shown(self, picture: Path) -> str:
        return picture.relative_to(self._paths.logs).as_posix() if picture.exists() else ""

    def _attempt(self, write: Callable[[], None]) -> None:
        """Write a file, unless another process does. An error is reported once and does not end the training."""
        if not self._active:
            return
        try:
            write()
        except (OSError, NotImplementedError, tf.errors.OpError) as error:  # NotImplementedError: no file locks
            if not self._warned:
                reason = describe_os_error(error) if isinstance(error, OSError) else str(error)
                print(f"warning: {reason}; tools.watch may show old values; training continues", flush=True)
            self._warned = True
