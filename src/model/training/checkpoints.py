"""Checkpoints: the state of a training on disk, so that it can continue after an interruption.

They are not outputs of the pipeline. Each training has a folder under .dvc/tmp of the repository. Its name is a hash of
everything that the result depends on. Experiments that run in a copy of the repository use the same folders.
"""

import hashlib
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import cv2
import filelock
import keras
import numpy as np
import tensorflow as tf

from src.errors import Interrupted, UserError, describe_os_error
from src.files import atomic
from src.trainings import LOCK, REQUEST, WAIT, RunningTraining

DIGEST = 32  # bytes of the SHA-256 that precedes the content
SHARE = 0.007  # share of the time that checkpoints may take
ABANDONED = 30 * 24 * 3600  # seconds after which a checkpoint that nobody continued is deleted


def checkpoint_key(settings: Mapping[str, object], files: list[Path]) -> str:
    """Hash everything that the result of a training depends on.

    Args:
        settings: plain values for JSON.
        files: whose content counts; their paths do not.

    Returns:
        32 hexadecimal digits, also of the imported code of this project and the versions of the libraries.
    """
    modules = [sys.modules[name] for name in sorted(sys.modules) if name.startswith("src.")]
    code = [Path(str(module.__file__)) for module in modules]
    versions = [sys.version, tf.__version__, keras.__version__, np.__version__, cv2.__version__]
    digests = [_digest(path) for path in [*code, *files]]
    return hashlib.sha256(json.dumps([settings, versions, digests], sort_keys=True).encode()).hexdigest()[:32]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Checkpoint:
    """The checkpoint of one training.

    Attributes:
        folder: of this training alone; one process at a time may use it, see `locked`.
        path: file with the state.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "state"
        self._cost, self._saved = 0.0, 0.0  # seconds that the last save took, and when it ended

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out, and delete checkpoints that were abandoned.

        Raises:
            UserError: another process is training with the same settings, code and data.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = filelock.FileLock(self.folder / LOCK, timeout=WAIT).acquire()
        except filelock.Timeout:
            owner = RunningTraining.read(self.folder)
            process = owner.process if owner else "unknown"
            raise UserError(
                f"process {process} is training with the same settings, code and data already (a stage continues when "
                f"its dvc is killed). Wait for it, or stop it with `kill {process}`, which saves a checkpoint; then "
                "repeat the command"
            ) from None
        with lock:
            if not self.path.exists():  # else it is for the training that continues here
                self.forget_request()
            RunningTraining(self.folder, os.getpid(), Path.cwd()).write()
            os.utime(self.folder)  # marks it as in use
            self._delete_abandoned()
            yield

    def _delete_abandoned(self) -> None:
        for path in self.folder.glob(".tmp-*"):  # of a process that was killed while writing
            path.unlink(missing_ok=True)
        for folder in self.folder.parent.iterdir():
            with suppress(FileNotFoundError):  # another training deletes it at the same time
                if folder != self.folder and time.time() - folder.stat().st_mtime > ABANDONED:
                    shutil.rmtree(folder, ignore_errors=True)

    def read(self) -> bytes:
        """Read the state that was saved last; empty if there is none, or (with a message) if the file is damaged."""
        try:
            stored = self.path.read_bytes()
        except FileNotFoundError:
            return b""
        digest, content = stored[:DIGEST], stored[DIGEST:]
        if hashlib.sha256(content).digest() != digest:
            print(f"{self.path}: is damaged; the training starts again from step 0", flush=True)
            return b""
        return content

    def due(self) -> bool:
        """Whether enough time has passed since the last save that the next one takes at most `SHARE` of it."""
        return time.monotonic() - self._saved > self._cost / SHARE

    def save(self, make: Callable[[], bytes]) -> None:
        """Replace the saved state, completely or not at all.

        Args:
            make: returns the state.

        Raises:
            UserError: it cannot be written; the state before it is kept.
        """
        started = time.monotonic()
        content = make()
        try:
            with atomic(self.path) as temporary, temporary.open("wb") as file:
                file.write(hashlib.sha256(content).digest() + content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            kept = (
                "; the previous checkpoint is kept, and the same command continues from it"
                if self.path.exists()
                else ""
            )
            error.filename = str(self.path)
            failure = Interrupted if self.path.exists() else UserError
            raise failure(f"the checkpoint could not be written: {describe_os_error(error)}{kept}") from None
        self._saved = time.monotonic()
        self._cost = self._saved - started

    def finish_requested(self) -> bool:
        """Tell whether the user asks to finish the training (tools.finish)."""
        return (self.folder / REQUEST).exists()

    def forget_request(self) -> None:
        """Delete the request to finish, if there is one."""
        (self.folder / REQUEST).unlink(missing_ok=True)

    def discard(self) -> None:
        """Delete the state: the training has ended."""
        self.path.unlink(missing_ok=True)
        self.forget_request()


@contextmanager
def catch_stop_signals() -> Iterator[Callable[[], bool]]:
    """Inside the block, let the current step finish after Ctrl-C or SIGTERM; a second signal stops at once.

    Yields:
        A function that tells whether such a signal has come.
    """
    received: list[int] = []

    def receive(number: int, frame: FrameType | None) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)
        print("stopping after this step …", file=sys.stderr, flush=True)

    if threading.current_thread() is not threading.main_thread():  # only the main thread may catch signals
        yield lambda: False
        return
    before = {number: signal.signal(number, receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
