"""Pictures of some validation images after each epoch: the true masks above, the predictions below."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from src.data.drawing.drawing import Drawing, blended, shown
from src.data.store.store import Store
from src.data.store.subsample import subsample
from src.data.store.subsets import Subset
from src.files import atomic
from src.model.inference.tiling import Window

IMAGES = 4  # in a picture
SIDE = 384  # pixels of the longer side of an image: of larger images, every second, third … row and column is drawn
SMALLEST = 192  # pixels of the longer side; smaller images are enlarged
TITLE, GAP = 20, 8  # pixels: height of a line of text, and the distance between images
QUALITY = 85  # of the JPEG
PATTERN = "epoch-*.jpg"
MOST = 200  # pictures of a training; those of thousands of epochs would need gigabytes


@dataclass
class _Panel:
    """A validation image.

    Attributes:
        step: every so many rows and columns are drawn.
        prediction: class indices, uint8 [height, width] of the drawn pixels.
        image: uint8 [height, width, 3].
        truth: the image with its true mask.
    """

    step: int
    prediction: NDArray[np.uint8]
    image: Drawing
    truth: Drawing


@dataclass
class ValidationPictures:
    """Collects predictions of a few validation images, and draws them.

    The images are the same in all epochs. They represent the classes and groups of all validation images.

    Attributes:
        folder: where epoch-NNN.jpg are written.
        store: the prepared data set.
        indices: of the images in the store.
    """

    folder: Path
    store: Store
    indices: Sequence[int]
    _panels: dict[int, _Panel] = field(default_factory=dict, init=False)

    @classmethod
    def of(cls, folder: Path, validated: Subset) -> "ValidationPictures":
        """Choose the images.

        Args:
            folder: where the pictures are written.
            validated: the validation images of each epoch.
        """
        return cls(folder, validated.store, subsample(validated, IMAGES).indices)

    def path(self, epoch: int) -> Path:
        """The picture of an epoch."""
        return self.folder / f"epoch-{epoch:03d}.jpg"

    def keep(self, epochs: int, best: int) -> None:
        """Delete the pictures of later epochs, and of a long training those between; see `shown_epochs`.

        Args:
            epochs: that are done.
            best: number of the best one, from 1; 0 if none is done.
        """
        kept = {self.path(epoch) for epoch in shown_epochs(epochs, best)}
        for path in self.folder.glob(PATTERN):
            if path not in kept:
                path.unlink(missing_ok=True)

    def add(self, index: int, window: Window, classes: NDArray[np.uint8]) -> None:
        """Keep a part of a prediction, if it belongs to one of the images.

        Args:
            index: position of the image in the store.
            window: of the image.
            classes: class indices of the window, uint8 [rows, columns].
        """
        if index not in self.indices:
            return
        if index not in self._panels:
            self._panels[index] = self._panel(index)
        panel, shape = self._panels[index], self.store.mask(index).shape
        (top, _, _), (left, _, _) = (part.indices(length) for part, length in zip(window, shape, strict=True))
        part = classes[-top % panel.step :: panel.step, -left % panel.step :: panel.step]
        row, column = -(-top // panel.step), -(-left // panel.step)
        panel.prediction[row : row + part.shape[0], column : column + part.shape[1]] = part

    def _panel(self, index: int) -> _Panel:
        mask = self.store.mask(index)
        step = -(-max(mask.shape) // SIDE)
        image = shown(np.ascontiguousarray(self.store.image(index)[::step, ::step]))
        truth = np.ascontiguousarray(mask[::step, ::step])
        return _Panel(step, np.zeros_like(truth), image, blended(image, truth, self.store.dataset))

    def draw(self, epoch: int, title: str) -> Path:
        """Draw the predictions that were added.

        Args:
            epoch: gives the file its name.
            title: text above the images.

        Returns:
            The file.
        """
        columns = []
        for index in self.indices:
            panel = self._panels[index]
            drawings = panel.truth, blended(panel.image, panel.prediction, self.store.dataset)
            columns.append(_column(self.store.records[index].id, [_enlarged(drawing) for drawing in drawings]))
        content = _encoded(_titled(title, _row(columns)))
        path = self.path(epoch)
        with atomic(path) as temporary:
            temporary.write_bytes(content)
        return path


def shown_epochs(epochs: int, best: int) -> set[int]:
    """Select the epochs whose pictures are kept: the first, the best and the last one, and others at equal distances.

    The distance is a power of 2, so that an epoch that was not kept earlier is not needed later.

    Args:
        epochs: that are done.
        best: number of the best one, from 1; 0 if none is done.

    Returns:
        At most `MOST` numbers; all of them if there are no more.
    """
    step = 1
    while -(-epochs // step) + 2 * (step > 1) > MOST:
        step *= 2
    return {*range(1, epochs + 1, step), best, epochs}


def _enlarged(drawing: Drawing) -> Drawing:
    factor = max(-(-SMALLEST // max(drawing.shape[:2])), 1)
    return drawing.repeat(factor, axis=0).repeat(factor, axis=1)


def _column(name: str, drawings: Sequence[Drawing]) -> Drawing:
    gap = np.full((GAP, drawings[0].shape[1], 3), 255, np.uint8)
    return _titled(name, np.concatenate([drawings[0], gap, *drawings[1:]]))


def _row(columns: Sequence[Drawing]) -> Drawing:
    height = max(column.shape[0] for column in columns)
    padded = [
        np.pad(column, [(0, height - column.shape[0]), (0, GAP), (0, 0)], constant_values=255) for column in columns
    ]
    return np.concatenate(padded, axis=1)


def _titled(text: str, drawing: Drawing) -> Drawing:
    """Put a line of text above a drawing, as much of it as fits. OpenCV can only draw ASCII characters."""
    line = np.full((TITLE, drawing.shape[1], 3), 255, np.uint8)
    plain = text.encode("ascii", "replace").decode()
    cv2.putText(line, plain, (2, TITLE - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([line, drawing])


def _encoded(drawing: Drawing) -> bytes:
    return cv2.imencode(".jpg", drawing[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
