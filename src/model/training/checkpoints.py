"""Checkpoints: where a training stands, kept on disk so that it goes on after whatever ended it.

They are no outputs of the pipeline. A folder for each training, named after all that its result depends on, lies under
.dvc/tmp of the repository itself, where experiments that run in a copy of it find them too.
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
from typing import Any

import cv2
import filelock
import keras
import numpy as np
import tensorflow as tf

from src.errors import UserError, describe_os_error
from src.files import atomic, write_text

DIGEST = 32  # bytes of SHA-256 before the content
SHARE = 0.007  # of the time at most goes into checkpoints
FORGOTTEN = 30 * 24 * 3600  # seconds after which the checkpoint of a training that nobody went on with is deleted


def checkpoints_of(root: Path) -> Path:
    """The folder of all checkpoints of the repository at `root`, or of the one that holds this experiment's copy."""
    parts = root.parts
    repositories = [Path(*parts[:end]) for end in range(1, len(parts)) if parts[end : end + 2] == (".dvc", "tmp")]
    return [*repositories, root][0] / ".dvc/tmp/checkpoints"


def key_of(settings: Mapping[str, Any], files: list[Path]) -> str:
    """A name for all that a training depends on: its settings, these files, the code and the libraries in use."""
    modules = [sys.modules[name] for name in sorted(sys.modules) if name.startswith("src.")]
    code = [Path(str(module.__file__)) for module in modules]
    versions = [sys.version, tf.__version__, keras.__version__, np.__version__, cv2.__version__]
    digests = [_digest(path) for path in [*code, *files]]
    return hashlib.sha256(json.dumps([settings, versions, digests], sort_keys=True).encode()).hexdigest()[:32]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Checkpoint:
    """The checkpoint of one training, in a folder that no other process may use meanwhile."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "state"
        self._cost, self._saved = 0.0, 0.0  # seconds that writing took, and when it ended

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes out; `UserError` if one is training with the same settings. Sweeps forgotten folders."""
        self.folder.mkdir(parents=True, exist_ok=True)
        owner = self.folder / "process.txt"
        try:
            lock = filelock.FileLock(self.folder / "lock", blocking=False).acquire()
        except filelock.Timeout:
            process = owner.read_text() if owner.exists() else "unknown"
            raise UserError(
                f"process {process} is training with the very same settings, code and data already (a stage outlives "
                f"a dvc that was killed): wait for it, or stop it with kill {process}, which loses nothing; then run "
                "this again"
            ) from None
        with lock:
            write_text(owner, str(os.getpid()))
            os.utime(self.folder)  # in use, however old
            self._sweep()
            yield

    def _sweep(self) -> None:
        for path in self.folder.glob(".tmp-*"):  # of a process that was killed while it wrote
            path.unlink(missing_ok=True)
        for folder in self.folder.parent.iterdir():
            with suppress(FileNotFoundError):  # swept by another training at the same time
                if folder != self.folder and time.time() - folder.stat().st_mtime > FORGOTTEN:
                    shutil.rmtree(folder, ignore_errors=True)

    def read(self) -> bytes:
        """What was saved last, nothing if there is none; a damaged file counts as none, which is said."""
        try:
            stored = self.path.read_bytes()
        except FileNotFoundError:
            return b""
        digest, content = stored[:DIGEST], stored[DIGEST:]
        if hashlib.sha256(content).digest() != digest:
            print(f"{self.path}: damaged; the training begins anew", flush=True)
            return b""
        return content

    def due(self) -> bool:
        """Whether so much time went by since the last one that the next one's share of it is small."""
        return time.monotonic() - self._saved > self._cost / SHARE

    def save(self, make: Callable[[], bytes]) -> None:
        """Replace what is saved, whole or not at all; `UserError` if the disk does not take it."""
        started = time.monotonic()
        content = make()
        try:
            with atomic(self.path) as temporary, temporary.open("wb") as file:
                file.write(hashlib.sha256(content).digest() + content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            kept = "; the one before it is kept: the same command goes on from there" if self.path.exists() else ""
            error.filename = str(self.path)
            raise UserError(f"the checkpoint could not be written: {describe_os_error(error)}{kept}") from None
        self._saved = time.monotonic()
        self._cost = self._saved - started

    def discard(self) -> None:
        """The training is done."""
        self.path.unlink(missing_ok=True)


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """Inside, Ctrl-C and SIGTERM only make the function that is yielded say True; a second Ctrl-C stops at once."""
    asked: list[int] = []

    def ask(number: int, frame: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        print("stopping after this step …", file=sys.stderr, flush=True)

    if threading.current_thread() is not threading.main_thread():  # only the main thread may catch signals
        yield lambda: False
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
