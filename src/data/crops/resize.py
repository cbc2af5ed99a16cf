"""Images and masks at another size."""

import io
import tempfile
from threading import Lock
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from src.data.store.store import Store
from src.errors import UserError

TOGETHER = 4  # channels that OpenCV averages at a time


def averaged(image: NDArray[Any], width: int, height: int) -> NDArray[Any]:
    """[height, width, channels] of the image's number type, each pixel the average over its area."""
    groups = [image[..., first : first + TOGETHER] for first in range(0, image.shape[2], TOGETHER)]
    small = [cv2.resize(group, (width, height), interpolation=cv2.INTER_AREA) for group in groups]
    return np.dstack(small) if len(small) > 1 else small[0].reshape(height, width, -1)


def resized(image: NDArray[Any], side: int) -> NDArray[Any]:
    """The image as `side` × `side` pixels; unchanged if side is 0."""
    return averaged(image, side, side) if side else image


def nearest(mask: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """uint8 [height, width], each pixel that of the nearest centre."""
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)


class Resized:
    """The store's images and masks as `side` × `side` pixels, each pair made when it is first asked for.

    Averaging a large image takes far longer than cutting a crop out of the result, so the result is kept: in a file,
    so that the memory holds one pair whatever the number of images. The file has no name and goes with the object. It
    is read and written, not mapped: a full disk is an error then, where a map would end the process. Any number of
    threads may ask.
    """

    def __init__(self, store: Store, side: int) -> None:
        self.store, self.side = store, side
        self._begins: dict[int, int] = {}  # position in the store → bytes before its image; its mask follows
        self._lock = Lock()  # the file has one place at which it is read and written
        # Beside the store, where there is room for images; the system's own temporary folder may lie in memory.
        self._file = tempfile.TemporaryFile(dir=store.folder.parent)  # noqa: SIM115, it stays open

    def pair(self, position: int) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        """The image [side, side, channels] of the store's dtype and its mask uint8 [side, side], both read-only."""
        with self._lock:
            if position not in self._begins:
                self._begins[position] = self._append(position)
            self._file.seek(self._begins[position])
            pixels = self._file.read(self.side**2 * self.store.channels * self.store.dtype.itemsize)
            labels = self._file.read(self.side**2)
        image = np.frombuffer(pixels, self.store.dtype).reshape(self.side, self.side, self.store.channels)
        return image, np.frombuffer(labels, np.uint8).reshape(self.side, self.side)

    def _append(self, position: int) -> int:
        """Make a pair and write it behind the others; the bytes before it. `UserError` if the disk is full."""
        image = averaged(self.store.image(position), self.side, self.side)
        mask = nearest(self.store.mask(position), self.side, self.side)
        begin = self._file.seek(0, io.SEEK_END)
        try:
            self._file.write(image.tobytes() + mask.tobytes())
            self._file.flush()
        except OSError as error:
            folder = self.store.folder.parent
            raise UserError(f"{folder}: {error.strerror}; data.resize keeps the resized images there") from None
        return begin
