"""The network on whole images of any size, at their own resolution."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from src.archive.project import Decisions, Project
from src.data.crops.normalise import Normalisation, has_usable_values
from src.data.crops.resize import resize_to_side
from src.data.store.store import release, strips
from src.errors import UserError
from src.evaluation.metrics.calibration import probabilities
from src.evaluation.metrics.remove_small_components import absorbed
from src.model.network.device import fastest_precision, set_arithmetic
from src.model.network.layer_folding import folded, precision_of
from src.model.network.model_file import load
from src.params import Precision
from src.plan.tiles import HALO, TILE

MOST_RESIZED = 64  # channels at a time: OpenCV takes 128 at most
Window = tuple[slice, slice]  # rows and columns of an image
Logits = NDArray[np.float32]


def load_predictor(path: str | Path, tile: int = TILE) -> "Predictor":
    """The predictor of a saved model, equal in every run; `UserError` if the file is not one.

    Its arithmetic is what is fastest here, but float32 if the model was trained so. tile: see `Predictor`.
    """
    model, project = load(Path(path))
    precision: Precision = "float32" if precision_of(model) == "float32" else fastest_precision()
    set_arithmetic(precision)
    return Predictor(folded(model, precision), project, tile)


class Predictor:
    """Predictions for whole images, from one graph for all sizes, as the project's decisions say.

    tile: side in pixels of the parts in which large images are predicted; changes speed and memory, not the result.
    """

    def __init__(self, model: keras.Model, project: Project, tile: int = TILE) -> None:
        self.model, self.project, self.tile = model, project, tile
        self.channels, self.outputs = model.inputs[0].shape[-1], model.outputs[0].shape[-1]
        self.multiple = 2**project.depth
        signature = [tf.TensorSpec((1, None, None, self.channels), tf.float32)]
        self._graph: Callable[[Any], Any] = tf.function(
            lambda image: model(image, training=False),
            input_signature=signature,
            jit_compile=False,  # XLA would compile anew for every size of image
            autograph=False,  # the network has no Python loops to convert, and looking for them takes a second
        )

    def deciding(self, **changes: Any) -> "Predictor":
        """The same network with other decisions: of those in force, these changed."""
        decisions = self.project.decisions.model_copy(update=changes)
        return Predictor(self.model, self.project.model_copy(update={"decisions": decisions}), self.tile)

    @property
    def decided(self) -> dict[str, float]:
        """The decisions that are not the usual ones, as numbers."""
        return {name: float(value) for name, value in self.project.decisions.model_dump(exclude_defaults=True).items()}

    def undecided(self) -> "Predictor":
        """The same network with the usual decisions."""
        return self.deciding(**Decisions().model_dump())

    def __call__(self, image: NDArray[Any], seen: Callable[[Window, Logits], None] | None = None) -> NDArray[np.uint8]:
        """[height, width, channels] → class indices uint8 [height, width].

        seen: is shown the logits float32 [rows, columns, n] of every window.
        """
        classes = np.empty(image.shape[:2], np.uint8)
        for window, logits in self.tiles(image):
            classes[window] = classes_of(logits, self.cut)
            if seen:
                seen(window, logits)
        return self.tidied(classes)

    @property
    def cut(self) -> float:
        """The logit above which a pixel is foreground, of two classes."""
        decided = self.project.decisions
        return decided.temperature * math.log(decided.threshold / (1 - decided.threshold))

    def tidied(self, classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Small objects, then small holes, taken into what surrounds them."""
        decided, background = self.project.decisions, self.project.background
        if decided.min_object:
            classes = absorbed(classes, self.project.foreground, decided.min_object)
        if decided.fill_holes and background is not None:
            classes = absorbed(classes, [background], decided.fill_holes, inside=True)
        return classes

    def probabilities(self, image: NDArray[Any]) -> NDArray[np.float32]:
        """[height, width, channels] → float32 [height, width, classes], which add up to 1 for each pixel."""
        return probabilities(self.logits(image), self.project.decisions.temperature)

    def logits(self, image: NDArray[Any]) -> Logits:
        """[height, width, channels] → logits float32 [height, width, n], n = 1 for two classes."""
        logits = np.empty((*image.shape[:2], self.outputs), np.float32)
        for window, part in self.tiles(image):
            logits[window] = part
        return logits

    def tiles(self, image: NDArray[Any]) -> Iterator[tuple[Window, Logits]]:
        """Windows that cover the image, and logits float32 [rows, columns, n] on the image's own pixels.

        image: [height, width, channels] of the number type that the model was trained on, else `UserError`.
        """
        self._refuse_others(image)
        normalisation = Normalisation(self.project.mean, self.project.std)
        if self.project.normalise == "image":
            normalisation = Normalisation.of_image(image)
        if not self.project.resize:
            yield from self._tiles(image, normalisation)
            return
        small = resize_to_side(image, self.project.resize)
        logits = np.empty((*small.shape[:2], self.outputs), np.float32)
        for window, part in self._tiles(small, normalisation):
            logits[window] = part
        height, width = image.shape[:2]
        for rows in strips(height, width, TILE**2):
            yield (rows, slice(None)), enlarged(logits, rows, height, width)

    def _refuse_others(self, image: NDArray[Any]) -> None:
        if image.ndim != 3:
            raise UserError(f"the image is an array of shape {image.shape}, needed is [height, width, channels]")
        wanted, found = (self.channels, self.project.dtype), (image.shape[-1], image.dtype.name)
        if wanted != found:
            message = "{} channel(s) of type {}".format
            raise UserError(f"the image has {message(*found)}, the model was trained on {message(*wanted)}")
        if not has_usable_values(image):
            raise UserError("the image holds NaN, infinite or absurdly large values, perhaps where there is no data")

    def _tiles(self, image: NDArray[Any], normalisation: Normalisation) -> Iterator[tuple[Window, Logits]]:
        halo, tile = HALO * self.multiple, self.tile // self.multiple * self.multiple
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
        padded = normalisation(pixels)
        height, width = padded.shape[:2]
        if height % self.multiple or width % self.multiple:
            padded = np.pad(padded, [(0, -height % self.multiple), (0, -width % self.multiple), (0, 0)], "reflect")
        logits = self._graph(padded[None])
        if self.project.decisions.mirror:
            for axes in ((1,), (2,), (1, 2)):
                logits += tf.reverse(self._graph(np.flip(padded[None], axes)), axes)
            logits /= 4
        return np.asarray(logits[0, :height, :width], np.float32)


def classes_of(logits: Logits, cut: float = 0.0) -> NDArray[np.uint8]:
    """Class indices uint8 [height, width] from logits [height, width, n]; of a tie, the first class.

    cut: of one logit, the one above which a pixel is of the second class.
    """
    return (logits[..., 0] > cut).astype(np.uint8) if logits.shape[-1] == 1 else logits.argmax(axis=-1).astype(np.uint8)


def enlarged(logits: Logits, rows: slice, height: int, width: int) -> Logits:
    """These rows of logits [side, side, n] enlarged to [height, width, n], bilinear between pixel centres."""
    side = len(logits)
    place = ((np.arange(rows.start, rows.stop) + 0.5) * side / height - 0.5).clip(0, side - 1)
    above = np.minimum(place.astype(int), max(side - 2, 0))
    share = (place - above)[:, None, None].astype(np.float32)
    strip = logits[above] * (1 - share) + logits[np.minimum(above + 1, side - 1)] * share
    parts = (strip[..., first : first + MOST_RESIZED] for first in range(0, strip.shape[2], MOST_RESIZED))
    sized = [cv2.resize(part, (width, len(strip))).reshape(len(strip), width, -1) for part in parts]
    return np.concatenate(sized, axis=2, dtype=np.float32)
