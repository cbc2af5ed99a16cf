"""Predictions for whole images of any size, at their own resolution."""

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
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
from src.evaluation.metrics.calibration import probabilities
from src.evaluation.metrics.remove_small_components import remove_small_components
from src.model.inference.member import Member
from src.model.inference.tiling import Logits, Window, blend_tiles
from src.model.network.device import fastest_precision, set_arithmetic
from src.model.network.layer_folding import compute_precision, fold_normalisation
from src.model.network.model_file import read_models
from src.params import Precision
from src.plan.tiles import TILE

TINIEST = np.finfo(np.float32).tiny  # smaller probabilities count as this one, whose logarithm is finite
Image = Pixels  # [height, width, channels]
Labels = NDArray[np.uint8]  # class indices [height, width]


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
        outputs: logits of each pixel.
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
        self.channels, self.outputs = model.inputs[0].shape[-1], model.outputs[0].shape[-1]
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

    def with_decisions(self, **changes: float | str) -> "Predictor":
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
        changed = self.project.decisions.model_dump(exclude_defaults=True)
        return {name: 1.0 if name == "mirror" else float(value) for name, value in changed.items()}

    def __call__(self, image: Image, on_window: Callable[[Window, Logits], None] | None = None) -> Labels:
        """Predict the class of every pixel.

        Args:
            image: [height, width, channels] in the number type of the training images.
            on_window: called with each window and its logits float32 [rows, columns, n].

        Returns:
            Class indices uint8 [height, width], after post-processing.

        Raises:
            UserError: the image is not of the kind that the model was trained on.
        """
        classes = np.empty(image.shape[:2], np.uint8)
        for window, logits in self.tiles(image):
            classes[window] = classes_from_logits(logits, self.logit_threshold)
            if on_window:
                on_window(window, logits)
        return self.postprocess(classes)

    @property
    def logit_threshold(self) -> float:
        """With two classes, a pixel is foreground if its logit is above this."""
        decisions = self.project.decisions
        return decisions.temperature * math.log(decisions.threshold / (1 - decisions.threshold))

    def postprocess(self, classes: Labels) -> Labels:
        """Give small components, then small holes, the class around them."""
        decisions, background = self.project.decisions, self.project.background
        if decisions.min_object:
            classes = remove_small_components(classes, self.project.foreground, decisions.min_object)
        if decisions.fill_holes and background is not None:
            classes = remove_small_components(classes, [background], decisions.fill_holes, inside=True)
        return classes

    def probabilities(self, image: Image) -> NDArray[np.float32]:
        """Predict probabilities float32 [height, width, classes], which add up to 1 for each pixel."""
        return probabilities(self.logits(image), self.project.decisions.temperature)

    def logits(self, image: Image) -> Logits:
        """Predict logits float32 [height, width, n]; n = 1 for two classes."""
        logits = np.empty((*image.shape[:2], self.outputs), np.float32)
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
            predicted[window] = probabilities(part)
        height, width = image.shape[:2]
        for rows in strips(height, width, TILE**2):
            resampled = resample_rows(predicted, rows, height, width)
            yield (rows, slice(None)), logits_of_probabilities(resampled, self.outputs)

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
            logits = average_logits(member.predict(image, window, own, mirrored) for member, own in pairs)
            release(image)
            return logits

        height, width = image.shape[:2]
        yield from blend_tiles(height, width, tile, 2 * blended, predict)


def average_logits(parts: Iterable[Logits]) -> Logits:
    """Average the probabilities of several networks.

    Args:
        parts: the logits of each network, float32 [height, width, n]; at least one.

    Returns:
        The logits of the mean probabilities at a temperature of 1, float32 [height, width, n]. Those of a single
        network are returned as they are.
    """
    remaining = iter(parts)
    first, second = next(remaining), next(remaining, None)
    if second is None:
        return first
    total, count = probabilities(first) + probabilities(second), 2
    for part in remaining:  # one at a time: only the sum is kept
        total += probabilities(part)
        count += 1
    return logits_of_probabilities(total / np.float32(count), first.shape[-1])


def classes_from_logits(logits: Logits, threshold: float = 0.0) -> Labels:
    """Choose the class of every pixel.

    Args:
        logits: [height, width, n].
        threshold: with n = 1, a pixel is of the second class if its logit is above this; else it is not used.

    Returns:
        Class indices uint8 [height, width]; the first class if there is a tie.
    """
    if logits.shape[-1] == 1:
        return (logits[..., 0] > threshold).astype(np.uint8)
    return logits.argmax(axis=-1).astype(np.uint8)


def logits_of_probabilities(predicted: NDArray[np.float32], outputs: int) -> Logits:
    """Convert probabilities to logits that give the same probabilities at a temperature of 1.

    Args:
        predicted: float32 [..., classes].
        outputs: 1 for two classes: the log-odds of the second one; else the number of classes: their logarithms.

    Returns:
        float32 [..., outputs], all finite.
    """
    logarithms = np.log(np.maximum(predicted, TINIEST))
    return logarithms[..., 1:] - logarithms[..., :1] if outputs == 1 else logarithms
