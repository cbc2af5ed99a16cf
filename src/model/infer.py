"""The network on whole images of any size, at their own resolution."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from src.data.normalise import Normalisation, resized
from src.model.archive import Project, load
from src.model.device import repeatable

TILE = 1024  # pixels: larger images are predicted in tiles of this side
HALO = 8  # times 2 ** depth pixels around a tile: more than the network can see, so that tiling changes nothing


def load_predictor(path: Path) -> "Predictor":
    """The predictor of a saved model, equal in every run; `UserError` if the file is not one."""
    repeatable()
    return Predictor(*load(path))


class Predictor:
    """Predictions for whole images, from one graph for all sizes."""

    def __init__(self, model: keras.Model, project: Project) -> None:
        self.normalisation, self.resize = Normalisation(project.mean, project.std), project.resize
        self.multiple = 2**project.depth
        signature = [tf.TensorSpec((1, None, None, model.inputs[0].shape[-1]), tf.float32)]
        self._graph: Callable[[Any], Any] = tf.function(
            lambda image: model(image, training=False),
            input_signature=signature,
            jit_compile=False,  # XLA would compile anew for every size of image
        )

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """uint8 [height, width, channels] → class indices uint8 [height, width]."""
        return classes_of(self.logits(image))

    def logits(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 [height, width, channels] → logits float32 [height, width, n], on the image's own pixels."""
        height, width = image.shape[:2]
        logits = self._tiled(resized(image, self.resize))
        if self.resize:  # channel by channel: OpenCV takes some at a time only
            channels = np.moveaxis(logits, -1, 0)
            logits = np.stack([cv2.resize(channel, (width, height)) for channel in channels], axis=-1)
        return logits

    def _tiled(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        halo, tile = HALO * self.multiple, TILE // self.multiple * self.multiple
        height, width = image.shape[:2]
        rows = []
        for top in range(0, height, tile):
            row = []
            for left in range(0, width, tile):
                y, x = max(top - halo, 0), max(left - halo, 0)
                part = self._padded(image[y : top + tile + halo, x : left + tile + halo])
                row.append(part[top - y : min(top + tile, height) - y, left - x : min(left + tile, width) - x])
            rows.append(np.concatenate(row, axis=1))
        return np.concatenate(rows)

    def _padded(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Normalise, and mirror at bottom and right to a size that the network can halve; what was added is cut off."""
        image = self.normalisation(pixels)
        height, width = image.shape[:2]
        padded = np.pad(image, [(0, -height % self.multiple), (0, -width % self.multiple), (0, 0)], mode="reflect")
        return np.asarray(self._graph(padded[None])[0, :height, :width], np.float32)


def classes_of(logits: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Class indices uint8 [height, width] from logits [height, width, n]; of a tie, the first class."""
    return (logits[..., 0] > 0).astype(np.uint8) if logits.shape[-1] == 1 else logits.argmax(axis=-1).astype(np.uint8)
