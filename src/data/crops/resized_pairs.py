"""The scaled images and masks of a training, kept in a file."""

import io
import tempfile
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from src.data.crops.resize import scale_image, scale_mask, scaled_size
from src.data.store.store import Pixels, Store
from src.errors import UserError


class ResizedPairs:
    """The store's images and masks, scaled to one shorter side. Each pair is made when it is first asked for, and kept.

    Averaging a large image takes far longer than cutting a patch out of the result, so results are kept. They are kept
    in a file, so that memory holds one pair whatever the number of images. The file has no name and disappears with the
    object. It is read and written rather than mapped: on a full disk, writing raises an error, whereas a map would end
    the process. Several threads may use one object.
    """

    def __init__(self, store: Store, side: int) -> None:
        """Prepare an empty file.

        Args:
            store: The images and masks.
            side: The shorter side of the scaled pairs in pixels.
        """
        self.store, self.side = store, side
        self._starts: dict[int, int] = {}  # position in the store → byte at which its image starts; its mask follows
        self._lock = Lock()  # a file has a single position for reading and writing
        # Beside the store, where there is space for images; the system's temporary folder may be in memory.
        self._file = tempfile.TemporaryFile(dir=store.folder.parent)  # noqa: SIM115, it stays open

    def pair(self, position: int) -> tuple[Pixels, NDArray[np.uint8]]:
        """Return one pair, read-only: the image [height, width, channels] of the store's dtype, and its uint8 mask.

        Args:
            position: The position of the image in the store.

        Raises:
            UserError: The disk is full, or the scaled image would be too large.
        """
        record = self.store.records[position]
        height, width = scaled_size(record.height, record.width, self.side)
        with self._lock:
            if position not in self._starts:
                self._starts[position] = self._append(position)
            self._file.seek(self._starts[position])
            pixels = self._file.read(height * width * self.store.channels * self.store.dtype.itemsize)
            labels = self._file.read(height * width)
        image = np.frombuffer(pixels, self.store.dtype).reshape(height, width, self.store.channels)
        return image, np.frombuffer(labels, np.uint8).reshape(height, width)

    def _append(self, position: int) -> int:
        """Scale a pair, write it to the end of the file, and return the byte at which it starts."""
        image = scale_image(self.store.image(position), self.side)
        mask = scale_mask(self.store.mask(position), self.side)
        start = self._file.seek(0, io.SEEK_END)
        try:
            for array in (image, mask):
                self._file.write(np.ascontiguousarray(array).data)
            self._file.flush()
        except OSError as error:
            folder = self.store.folder.parent
            raise UserError(f"{folder}: {error.strerror}; data.resize stores the scaled images there") from None
        return start
