"""Write arrays one after the other into one large file, at the speed of the disk."""

import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from src.data.store.numbers import Numbers
from src.data.store.store import Pixels, release, strips

ALIGNMENT = 16  # bytes: every array starts at a multiple, so that any number type can be read in place
FLUSH_AFTER = 2**27  # bytes (128 MiB) that may wait in the system's cache before they are brought to the disk


class ArrayWriter:
    """A new file of arrays, used as a context manager.

    A second thread brings what was written to the disk, 128 MiB at a time, and drops it from the system's cache.
    Otherwise a data set larger than memory fills the cache, and every write waits for the disk or for free pages.
    """

    def __init__(self, path: Path) -> None:
        """Open the file at `path` and delete what it held."""
        self.file, self.size, self.flushed = path.open("wb", buffering=0), 0, 0
        self.thread, self.flushes = ThreadPoolExecutor(1), list[Future[None]]()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.thread.shutdown()
        self.file.close()
        for future in self.flushes if error is None else []:
            future.result()  # some file systems report a full disk only when the cache is written

    def append(self, pixels: Pixels | Numbers) -> int:
        """Write an array [height, width, ...] to the end of the file and return the byte at which it starts.

        Raises:
            OSError: The disk is full or the file cannot be written. The error names the file.
        """
        start = self.size + -self.size % ALIGNMENT
        self._write(bytes(start - self.size))
        for rows in strips(*pixels.shape[:2]):
            self._write(np.ascontiguousarray(pixels[rows]).data.cast("B"))
            release(pixels)
        if self.size - self.flushed > FLUSH_AFTER:
            self.flushes.append(self.thread.submit(_flush, self.file.fileno()))
            self.flushed = self.size
        return start

    def _write(self, content: bytes | memoryview) -> None:
        left = memoryview(content)
        while left:  # one call may write only a part: 2 GiB at most on Linux, or what still fits on a full disk
            try:
                written = self.file.write(left)
            except OSError as error:
                raise OSError(error.errno, error.strerror, self.file.name) from None
            left, self.size = left[written:], self.size + written


def _flush(file: int) -> None:
    os.fsync(file)
    if hasattr(os, "posix_fadvise"):  # not on macOS and Windows
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
