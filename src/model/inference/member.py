"""One network of a predictor: it predicts a part of an image, with the surroundings and padding that it needs."""

import functools
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from src.archive.project import Project
from src.data.crops.normalise import Normalisation
from src.data.store.store import Pixels
from src.model.inference.tiling import Logits, Window
from src.model.network.tensor import Tensor
from src.plan.tiles import BLENDED, HALO

Axes = tuple[int, ...]  # of [n, height, width, channels]


class Member:
    """A network with the normalisation and the tiling that it needs.

    Attributes:
        model: the network.
        project: the meaning of its inputs and outputs.
        multiple: height and width of what the network sees are multiples of this.
        blended: pixels on either side of the border between two tiles in which their predictions are blended.
        halo: further pixels around a tile that the network sees.
    """

    def __init__(self, model: keras.Model, project: Project) -> None:
        """Prepare predictions; one graph serves images of all sizes.

        Args:
            model: a network of `build_unet`, with or without normalisation layers.
            project: the meaning of its inputs and outputs.
        """
        self.model, self.project = model, project
        self.multiple = 2**project.depth
        self.blended = 0 if project.encoder == "plain" else BLENDED * self.multiple
        self.halo = HALO * self.multiple - self.blended
        signature = [tf.TensorSpec((1, None, None, model.inputs[0].shape[-1]), tf.float32)]
        self.graph: Callable[[Tensor], Tensor] = tf.function(
            functools.partial(model, training=False),  # TensorFlow takes lambdas of several members for one function
            input_signature=signature,
            jit_compile=False,  # XLA would compile anew for every size of image
            autograph=False,  # the network has no Python loops to convert, and looking for them takes a second
        )

    def normalisation(self, image: Pixels) -> Normalisation:
        """The normalisation of an image [height, width, channels], before it is scaled."""
        project = self.project
        if project.normalise == "encoder":
            return Normalisation.of_encoder(project.encoder, image.dtype, image.shape[-1])
        if project.normalise == "image":
            return Normalisation.of_image(image)
        return Normalisation(project.mean, project.std)

    def predict(self, image: Pixels, window: Window, normalisation: Normalisation, mirrored: Sequence[Axes]) -> Logits:
        """Predict a window of an image.

        Args:
            image: [height, width, channels].
            window: rows and columns; their first pixels are multiples of `multiple`.
            normalisation: of the image.
            mirrored: the axes along which further copies are mirrored; the logits of all copies are averaged.

        Returns:
            Logits float32 [rows, columns, n].
        """
        (top, bottom), (left, right) = ((part.start, part.stop) for part in window)
        y, x = max(top - self.halo, 0), max(left - self.halo, 0)
        pixels = image[y : bottom + self.halo, x : right + self.halo]
        return self.padded(pixels, normalisation, mirrored)[top - y : bottom - y, left - x : right - x]

    def padded(self, pixels: Pixels, normalisation: Normalisation, mirrored: Sequence[Axes]) -> Logits:
        """Predict pixels that are mirrored at bottom and right up to a size that the network can halve.

        Args:
            pixels: [height, width, channels].
            normalisation: see `predict`.
            mirrored: see `predict`.
        """
        padded = normalisation(pixels)
        height, width = padded.shape[:2]
        if height % self.multiple or width % self.multiple:
            padded = np.pad(padded, [(0, -height % self.multiple), (0, -width % self.multiple), (0, 0)], "reflect")
        logits = self.graph(padded[None])
        for axes in mirrored:
            logits += tf.reverse(self.graph(np.flip(padded[None], axes)), axes)
        logits /= 1 + len(mirrored)
        return np.asarray(logits[0, :height, :width], np.float32)
