"""A large file of pixels, written one array after the other at the speed of the disk."""

import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from src.data.store.store import release, strips

ALIGNED = 16  # bytes: where an array begins, so that any number type can be read in place
SETTLED = 2**27  # bytes that are left to the system's cache; then they are brought to the disk and forgotten


class Appended:
    """The file at `path`, made anew.

    What was written goes to the disk in a thread beside, 128 MB at a time, and leaves the system's cache: a set larger
    than memory would else fill it, and every write would then wait for the disk or for pages that are not at hand.
    """

    def __init__(self, path: Path) -> None:
        self.file, self.size, self.settled = path.open("wb", buffering=0), 0, 0
        self.thread, self.work = ThreadPoolExecutor(1), list[Future[None]]()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.thread.shutdown()
        self.file.close()
        for future in self.work if error is None else []:
            future.result()  # a disk may say only now that it is full

    def append(self, pixels: NDArray[Any]) -> int:
        """Write the pixels at the end; the byte where they begin."""
        start = self.size + -self.size % ALIGNED
        self._write(bytes(start - self.size))
        for rows in strips(*pixels.shape[:2]):
            self._write(np.ascontiguousarray(pixels[rows]).data.cast("B"))
            release(pixels)
        if self.size - self.settled > SETTLED:
            self.work.append(self.thread.submit(_settle, self.file.fileno()))
            self.settled = self.size
        return start

    def _write(self, content: bytes | memoryview) -> None:
        left = memoryview(content)
        while left:  # one call may take a part of it: on Linux 2 GiB, on a full disk what still fits
            try:
                written = self.file.write(left)
            except OSError as error:
                raise OSError(error.errno, error.strerror, self.file.name) from None
            left, self.size = left[written:], self.size + written


def _settle(file: int) -> None:
    os.fsync(file)
    if hasattr(os, "posix_fadvise"):  # not on macOS and Windows
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
