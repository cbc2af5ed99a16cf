"""Resize images and masks."""

import io
import tempfile
from threading import Lock
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from src.data.store.store import Number, Pixels, Store
from src.errors import UserError

MOST_CHANNELS = 4  # that OpenCV averages in one call
Value = TypeVar("Value", bound=Number)


def resize_image(image: NDArray[Value], width: int, height: int) -> NDArray[Value]:
    """Resize an image; each new pixel is the average over its area.

    Args:
        image: [height, width, channels].
        width: New width in pixels.
        height: New height in pixels.

    Returns:
        [height, width, channels] of the same number type.
    """
    parts = [image[..., first : first + MOST_CHANNELS] for first in range(0, image.shape[2], MOST_CHANNELS)]
    small = [cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA) for part in parts]
    stacked = np.dstack(small) if len(small) > 1 else small[0].reshape(height, width, -1)
    return np.asarray(stacked, image.dtype)


def resize_to_side(image: Pixels, side: int) -> Pixels:
    """Resize an image to a square.

    Args:
        image: [height, width, channels].
        side: New height and width in pixels; 0 leaves the image as it is.
    """
    return resize_image(image, side, side) if side else image


def resize_mask(mask: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Resize a mask by nearest neighbour.

    Args:
        mask: uint8 [height, width].
        width: New width in pixels.
        height: New height in pixels.
    """
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)


class ResizedPairs:
    """The store's images and masks as squares. Each pair is made when it is first asked for, and kept in a file.

    Averaging a large image takes far longer than cutting a patch out of the result, so results are kept. They are kept
    in a file, so that memory holds one pair whatever the number of images. The file has no name and disappears with the
    object. It is read and written rather than mapped: on a full disk, writing raises an error, whereas a map would end
    the process. Several threads may use one object.
    """

    def __init__(self, store: Store, side: int) -> None:
        """Prepare an empty file.

        Args:
            store: The images and masks.
            side: Height and width of the resized pairs in pixels.
        """
        self.store, self.side = store, side
        self._starts: dict[int, int] = {}  # position in the store → byte at which its image starts; its mask follows
        self._lock = Lock()  # a file has a single position for reading and writing
        # Beside the store, where there is space for images; the system's temporary folder may be in memory.
        self._file = tempfile.TemporaryFile(dir=store.folder.parent)  # noqa: SIM115, it stays open

    def pair(self, position: int) -> tuple[Pixels, NDArray[np.uint8]]:
        """Return one pair, read-only: the image [side, side, channels] of the store's dtype, and uint8 [side, side].

        Raises:
            UserError: The disk is full.
        """
        with self._lock:
            if position not in self._starts:
                self._starts[position] = self._append(position)
            self._file.seek(self._starts[position])
            pixels = self._file.read(self.side**2 * self.store.channels * self.store.dtype.itemsize)
            labels = self._file.read(self.side**2)
        image = np.frombuffer(pixels, self.store.dtype).reshape(self.side, self.side, self.store.channels)
        return image, np.frombuffer(labels, np.uint8).reshape(self.side, self.side)

    def _append(self, position: int) -> int:
        """Resize a pair, write it to the end of the file, and return the byte at which it starts."""
        image = resize_image(self.store.image(position), self.side, self.side)
        mask = resize_mask(self.store.mask(position), self.side, self.side)
        start = self._file.seek(0, io.SEEK_END)
        try:
            self._file.write(image.tobytes() + mask.tobytes())
            self._file.flush()
        except OSError as error:
            folder = self.store.folder.parent
            raise UserError(f"{folder}: {error.strerror}; data.resize stores the resized images there") from None
        return start
