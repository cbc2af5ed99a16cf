"""The network on whole images of any size, at their own resolution."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from src.data.normalise import Normalisation
from src.data.resize import resized
from src.data.store import release, strips
from src.errors import UserError
from src.model.archive import Project, load
from src.model.device import repeatable

Window = tuple[slice, slice]  # rows and columns of an image
TILE = 1024  # pixels: larger images are predicted in tiles of this side
HALO = 8  # times 2 ** depth pixels around a tile: more than the network can see, so that tiling changes nothing


def load_predictor(path: Path) -> "Predictor":
    """The predictor of a saved model, equal in every run; `UserError` if the file is not one."""
    repeatable()
    return Predictor(*load(path))


class Predictor:
    """Predictions for whole images, from one graph for all sizes."""

    def __init__(self, model: keras.Model, project: Project) -> None:
        self.project = project
        self.channels, self.outputs = model.inputs[0].shape[-1], model.outputs[0].shape[-1]
        self.multiple = 2**project.depth
        signature = [tf.TensorSpec((1, None, None, self.channels), tf.float32)]
        self._graph: Callable[[Any], Any] = tf.function(
            lambda image: model(image, training=False),
            input_signature=signature,
            jit_compile=False,  # XLA would compile anew for every size of image
            autograph=False,  # the network has no Python loops to convert, and looking for them takes a second
        )

    def __call__(self, image: NDArray[Any]) -> NDArray[np.uint8]:
        """[height, width, channels] → class indices uint8 [height, width]."""
        classes = np.empty(image.shape[:2], np.uint8)
        for window, logits in self.tiles(image):
            classes[window] = classes_of(logits)
        return classes

    def logits(self, image: NDArray[Any]) -> NDArray[np.float32]:
        """[height, width, channels] → logits float32 [height, width, n]."""
        logits = np.empty((*image.shape[:2], self.outputs), np.float32)
        for window, part in self.tiles(image):
            logits[window] = part
        return logits

    def tiles(self, image: NDArray[Any]) -> Iterator[tuple[Window, NDArray[np.float32]]]:
        """Windows that cover the image, and logits float32 [rows, columns, n] on the image's own pixels.

        image: [height, width, channels] of the number type that the model was trained on, else `UserError`.
        """
        wanted, found = (self.channels, self.project.dtype), (image.shape[-1], image.dtype.name)
        if wanted != found:
            message = "{} channel(s) of type {}".format
            raise UserError(f"the image has {message(*found)}, the model was trained on {message(*wanted)}")
        normalisation = Normalisation(self.project.mean, self.project.std)
        if self.project.normalise == "image":
            normalisation = Normalisation.of_image(image)
        if not self.project.resize:
            yield from self._tiles(image, normalisation)
            return
        small = resized(image, self.project.resize)
        logits = np.empty((*small.shape[:2], self.outputs), np.float32)
        for window, part in self._tiles(small, normalisation):
            logits[window] = part
        for rows in strips(*image.shape[:2]):
            yield (rows, slice(None)), enlarged(logits, rows, *image.shape[:2])

    def _tiles(self, image: NDArray[Any], normalisation: Normalisation) -> Iterator[tuple[Window, NDArray[np.float32]]]:
        halo, tile = HALO * self.multiple, TILE // self.multiple * self.multiple
        height, width = image.shape[:2]
        for top in range(0, height, tile):
            for left in range(0, width, tile):
                y, x = max(top - halo, 0), max(left - halo, 0)
                part = self._padded(image[y : top + tile + halo, x : left + tile + halo], normalisation)
                bottom, right = min(top + tile, height), min(left + tile, width)
                window = slice(top, bottom), slice(left, right)
                yield window, part[top - y : bottom - y, left - x : right - x]
            release(image)

    def _padded(self, pixels: NDArray[Any], normalisation: Normalisation) -> NDArray[np.float32]:
        """Normalise, and mirror at bottom and right to a size that the network can halve; what was added is cut off."""
        image = normalisation(pixels)
        height, width = image.shape[:2]
        padded = np.pad(image, [(0, -height % self.multiple), (0, -width % self.multiple), (0, 0)], mode="reflect")
        return np.asarray(self._graph(padded[None])[0, :height, :width], np.float32)


def classes_of(logits: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Class indices uint8 [height, width] from logits [height, width, n]; of a tie, the first class."""
    return (logits[..., 0] > 0).astype(np.uint8) if logits.shape[-1] == 1 else logits.argmax(axis=-1).astype(np.uint8)


def enlarged(logits: NDArray[np.float32], rows: slice, height: int, width: int) -> NDArray[np.float32]:
    """These rows of logits [side, side, n] enlarged to [height, width, n], bilinear between pixel centres."""
    side = len(logits)
    place = ((np.arange(rows.start, rows.stop) + 0.5) * side / height - 0.5).clip(0, side - 1)
    above = np.minimum(place.astype(int), max(side - 2, 0))
    share = (place - above)[:, None, None].astype(np.float32)
    strip = logits[above] * (1 - share) + logits[np.minimum(above + 1, side - 1)] * share
    return np.asarray(cv2.resize(strip, (width, len(strip))), np.float32).reshape(len(strip), width, -1)
