"""Predictions for whole images of any size, at their own resolution."""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

import keras
import numpy as np
from numpy.typing import NDArray

from src.archive.project import Decisions, Project
from src.data.crops.normalise import Normalisation, has_usable_values
from src.data.crops.resample_rows import resample_rows
from src.data.crops.resize import scale_image
from src.data.store.store import Pixels, release, strips
from src.errors import UserError
from src.evaluation.metrics.outputs import Outputs
from src.evaluation.metrics.postprocess import fill_small_holes, has_holes, remove_small_objects
from src.model.inference.member import Member
from src.model.inference.tiling import Logits, Window, blend_tiles
from src.model.network.device import fastest_precision, set_arithmetic
from src.model.network.layer_folding import compute_precision, fold_normalisation
from src.model.network.model_file import read_models
from src.params import Precision
from src.plan.tiles import TILE

Image = Pixels  # [height, width, channels]
Labels = NDArray[np.uint8]  # [height, width], see `LabelFormat`


def load_predictor(path: str | Path, tile: int = TILE) -> "Predictor":
    """Load a model file, or that of an ensemble, for prediction; see `predictor_of`.

    Args:
        path: such as models/unet.keras.
        tile: see `Predictor`.

    Raises:
        UserError: the file is not a model of this project.
    """
    return predictor_of(read_models(Path(path)), tile)


def predictor_of(models: Sequence[tuple[keras.Model, Project]], tile: int = TILE) -> "Predictor":
    """Prepare predictions of one model, or of an ensemble.

    The arithmetic is the fastest on this machine, but float32 if a model was trained in float32.

    Args:
        models: networks of `read_model`, each with the meaning of its inputs and outputs; see `Predictor.of_members`.
        tile: see `Predictor`.
    """
    in_float32 = any(compute_precision(model) == "float32" for model, _ in models)
    precision: Precision = "float32" if in_float32 else fastest_precision()
    set_arithmetic(precision)
    members = [Member(fold_normalisation(model, precision, own.encoder), own) for model, own in models]
    return Predictor.of_members(members, tile)


class Predictor:
    """Predicts the classes of whole images, following the decisions of the project.

    One graph serves images of all sizes. It is shared with all copies that have other decisions.

    Attributes:
        members: the network, or those of an ensemble, whose probabilities are averaged.
        project: the meaning of their inputs and outputs, and the decisions.
        tile: side in pixels of the tiles in which large images are predicted.
        channels: of the images.
        outputs: the meaning of the logits of each pixel.
        multiple: tiles start at multiples of this, in pixels.
    """

    def __init__(self, model: keras.Model, project: Project, tile: int = TILE) -> None:
        """Prepare predictions of one network.

        Args:
            model: a network of `build_unet`, with or without normalisation layers.
            project: the meaning of its inputs and outputs.
            tile: side of a tile in pixels; it changes speed and memory. It does not change the result of the plain
                encoder. The other encoders see further than a tile shows, so that values differ a little.
        """
        self.members, self.project, self.tile = [Member(model, project)], project, tile
        self.channels, self.outputs = model.inputs[0].shape[-1], Outputs(project.labels)
        self.multiple = self.members[0].multiple

    @classmethod
    def of_members(cls, members: Sequence[Member], tile: int = TILE) -> Self:
        """Prepare predictions of an ensemble: the probability of a class is the mean over the members.

        Args:
            members: one or more, for the same images and classes. The decisions, and what applies to the whole, are
                those of the first member's project.
            tile: as above.
        """
        first = members[0]
        predictor = cls(first.model, first.project, tile)
        predictor.members = list(members)
        predictor.multiple = max(member.multiple for member in members)
        return predictor

    @property
    def model(self) -> keras.Model:
        """The network; the first one of an ensemble."""
        return self.members[0].model

    def with_decisions(self, **changes: float | str | Sequence[float]) -> "Predictor":
        """A predictor with the same network and graph, and some decisions changed."""
        other = copy.copy(self)
        decisions = self.project.decisions.model_copy(update=changes)
        other.project = self.project.model_copy(update={"decisions": decisions})
        return other

    def with_default_decisions(self) -> "Predictor":
        """A predictor with the same network and graph, and the default decisions."""
        return self.with_decisions(**Decisions().model_dump())

    @property
    def changed_decisions(self) -> dict[str, float]:
        """The decisions that differ from the default, as numbers; mirror is 1 if mirror images are averaged."""
        values, default = self.project.decision_values, self.project.default_values
        changed = {name: value for name, value in values.items() if value != default[name]}
        return {name: 1.0 if name == "mirror" else float(value) for name, value in changed.items()}

    def __call__(self, image: Image, on_window: Callable[[Window, Logits], None] | None = None) -> Labels:
        """Predict the label of every pixel.

        Args:
            image: [height, width, channels] in the number type of the training images.
            on_window: called with each window and its logits float32 [rows, columns, n].

        Returns:
            Labels uint8 [height, width], after post-processing.

        Raises:
            UserError: the image is not of the kind that the model was trained on.
        """
        labels = np.empty(image.shape[:2], np.uint8)
        for window, logits in self.tiles(image):
            labels[window] = self.decide(logits)
            if on_window:
                on_window(window, logits)
        return self.postprocess(labels)

    def decide(self, logits: Logits) -> Labels:
        """Choose the label of every pixel, before post-processing.

        Args:
            logits: [height, width, n].

        Returns:
            Labels uint8 [height, width].
        """
        temperature = self.project.decisions.temperature
        levels = [temperature * math.log(level / (1 - level)) for level in self.project.thresholds]
        return self.outputs.decide(logits, levels)

    def postprocess(self, labels: Labels) -> Labels:
        """Give small components, then small holes, the class around them."""
        decisions, dataset = self.project.decisions, self.project.dataset
        if decisions.min_object:
            labels = remove_small_objects(labels, dataset, decisions.min_object)
        if decisions.fill_holes and has_holes(dataset):
            labels = fill_small_holes(labels, dataset, decisions.fill_holes)
        return labels

    def probabilities(self, image: Image) -> NDArray[np.float32]:
        """Predict probabilities float32 [height, width, classes]; they add up to 1 unless classes overlap."""
        return self.outputs.probabilities(self.logits(image), self.project.decisions.temperature)

    def logits(self, image: Image) -> Logits:
        """Predict logits float32 [height, width, n], see `Outputs`."""
        logits = np.empty((*image.shape[:2], self.outputs.number), np.float32)
        for window, part in self.tiles(image):
            logits[window] = part
        return logits

    def tiles(self, image: Image) -> Iterator[tuple[Window, Logits]]:
        """Predict an image part by part.

        Args:
            image: [height, width, channels] in the number type of the training images.

        Yields:
            Windows that cover the image once, each with its logits float32 [rows, columns, n].

        Raises:
            UserError: the image is not of the kind that the model was trained on, or its shape does not allow scaling.
        """
        self._check(image)
        normalisations = [member.normalisation(image) for member in self.members]
        scaled = scale_image(image, self.project.shorter_side)
        if scaled is image:
            yield from self._tiles(image, normalisations)
            return
        predicted = np.empty((*scaled.shape[:2], len(self.project.classes)), np.float32)
        for window, part in self._tiles(scaled, normalisations):
            predicted[window] = self.outputs.probabilities(part)
        height, width = image.shape[:2]
        for rows in strips(height, width, TILE**2):
            resampled = resample_rows(predicted, rows, height, width)
            yield (rows, slice(None)), self.outputs.logits(resampled)

    def _check(self, image: Image) -> None:
        if image.ndim != 3:
            raise UserError(f"the image has the shape {image.shape}; the shape must be [height, width, channels]")
        wanted, found = (self.channels, self.project.dtype), (image.shape[-1], image.dtype.name)
        if wanted != found:
            message = "{} channel(s) of type {}".format
            raise UserError(f"the image has {message(*found)}, the model was trained on {message(*wanted)}")
        if not has_usable_values(image):
            raise UserError("the image holds NaN, infinite or absurdly large values, perhaps where there is no data")

    def _tiles(self, image: Image, normalisations: Sequence[Normalisation]) -> Iterator[tuple[Window, Logits]]:
        """Predict tiles that fit all members; normalisations: of the image, one for each member."""
        widest, mirrored = max(member.blended for member in self.members), self.project.decisions.mirrored_axes[1:]
        blended = -(-widest // self.multiple) * self.multiple  # so that tiles start at multiples for all members
        tile = max(self.tile // self.multiple * self.multiple, 4 * blended)

        def predict(window: Window) -> Logits:
            pairs = zip(self.members, normalisations, strict=True)
            logits = self.outputs.average(member.predict(image, window, own, mirrored) for member, own in pairs)
            release(image)
            return logits

        height, width = image.shape[:2]
        yield from blend_tiles(height, width, tile, 2 * blended, predict)
