"""One function from stored pixels to probabilities. Every exported format is made from it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from src.archive.network import Json
from src.archive.project import Project
from src.data.crops.normalise import FLAT, Normalisation
from src.errors import UserError
from src.evaluation.metrics.outputs import NEAREST, TINIEST, Outputs
from src.model.inference.member import Member
from src.model.inference.predictor import Predictor
from src.model.network.tensor import Tensor

IMAGE, PROBABILITIES = "image", "probabilities"  # names of input and output in every format
OF_MEMBER = {"mean", "std", "normalise", "encoder", "depth"}  # fields that members of an ensemble need not share


@dataclass(frozen=True)
class Export:
    """A network ready to be written.

    Attributes:
        function: a tf.function from {`IMAGE`: …} to {`PROBABILITIES`: …}; its weights are constants.
        metadata: see `describe_export`.
    """

    function: Tensor
    metadata: Json

    @classmethod
    def of(cls, predictor: Predictor) -> "Export":
        """Prepare a network, or an ensemble.

        Args:
            predictor: its networks compute in float32.

        Raises:
            UserError: normalisation needs the image before it is scaled, which an export does not see.
        """
        project = predictor.project
        if project.shorter_side and any(member.project.normalise == "image" for member in predictor.members):
            reason = "it is normalised by each image as it was before data.resize, which an export does not see"
            raise UserError(f"this model cannot be exported: {reason}; train with data.normalise: dataset")
        image = tf.TensorSpec((None, None, None, predictor.channels), tf.as_dtype(project.dtype), name=IMAGE)
        return cls(_frozen(_graph(predictor), image), describe_export(predictor))


def describe_export(predictor: Predictor) -> Json:
    """Collect the metadata of an export: everything that a program needs to use it, as plain values for JSON."""
    project = predictor.project
    side = project.shorter_side
    scaled = f"scaled so that the shorter side has {side} pixels and the aspect ratio is kept, see `left_to_do`"
    before = " at a temperature of 1" if side else ""
    apart = "; classes overlap, so the probabilities are independent of each other" if project.overlap else ""
    return {
        "input": {
            "name": IMAGE,
            "dtype": project.dtype,
            "shape": ["n", "height", "width", predictor.channels],
            "meaning": f"pixels as stored, {scaled if side else 'of any size'}",
        },
        "output": {
            "name": PROBABILITIES,
            "dtype": "float32",
            "shape": ["n", "height", "width", len(project.classes)],
            "meaning": f"probability of each class of `classes`, in their order{before}{apart}",
        },
        "left_to_do": _left_to_do(project),
        **_networks(predictor),
        **project.decisions.model_dump(),
    }


def _networks(predictor: Predictor) -> Json:
    """The project without decisions; of an ensemble, what its members do not share is listed for each."""
    project, rest = predictor.project, {"plan", "decisions"}
    if len(predictor.members) == 1:
        return project.model_dump(exclude=rest)
    members = [member.project.model_dump(include=OF_MEMBER) for member in predictor.members]
    return {**project.model_dump(exclude=rest | OF_MEMBER), "members": members}


def _left_to_do(project: Project) -> list[str]:
    """The steps of prediction that an export leaves to the program that uses it."""
    decisions, names = project.decisions, project.classes
    steps, where = _scaling(project), "give"
    if project.overlap:
        above = ", ".join(f"{name}: {level}" for name, level in zip(names, project.thresholds, strict=True))
        steps.append(f"take every class where its probability is above its threshold ({above})")
        where = "in the mask of each class by itself, give"
    elif len(names) == 2 and decisions.threshold != 0.5:
        steps.append(f"take {names[1]} where its probability is above {decisions.threshold}")
    else:
        steps.append("take the likeliest class")
    if decisions.min_object:
        smallest = f"if fewer than {decisions.min_object}"
        steps.append(f"{where} connected pixels of a class, {smallest}, the class around them")
    if decisions.fill_holes:
        steps.append(f"{where} holes of fewer than {decisions.fill_holes} pixels the class around them")
    return steps


def _scaling(project: Project) -> list[str]:
    """The steps that data.resize needs around the network; none without it."""
    side, temperature = project.shorter_side, project.decisions.temperature
    if not side:
        return []
    steps = [
        f"before: scale the image to a shorter side of {side} pixels; round the longer side, halves up; average "
        "over areas if the image becomes smaller, else interpolate cubically, within the range of the values (OpenCV: "
        "INTER_AREA, INTER_CUBIC)",
        "after: resample the probabilities to the image's own size; average over areas if there are more of them than "
        "pixels, else interpolate bilinearly between centres (OpenCV: INTER_AREA, INTER_LINEAR)",
    ]
    if temperature != 1 and project.overlap:
        steps.append(f"divide log(p / (1 - p)) of each probability p by {temperature} and take the sigmoid")
    elif temperature != 1:
        steps.append(f"divide the logarithms of the probabilities by {temperature} and take the softmax of each pixel")
    return steps


def _graph(predictor: Predictor) -> Callable[[Tensor], Tensor]:
    """A function from pixels [n, height, width, channels] to probabilities [n, height, width, classes].

    It computes the same as `Predictor`. With data.resize the temperature is left out, since it is used after the
    probabilities were resampled.
    """
    members, decisions, outputs = predictor.members, predictor.project.decisions, predictor.outputs
    temperature = np.float32(1.0 if predictor.project.shorter_side else decisions.temperature)

    def probabilities(image: Tensor) -> Tensor:
        logits = [_logits(member, image, decisions.mirrored_axes) for member in members]
        if len(members) == 1:
            return _probabilities(logits[0] / temperature, outputs)
        mean = tf.add_n([_probabilities(part, outputs) for part in logits]) / len(members)
        return mean if temperature == 1 else _at_temperature(mean, temperature, outputs)

    return probabilities


def _logits(member: Member, image: Tensor, copies: Sequence[Sequence[int]]) -> Tensor:
    """Logits [n, height, width, outputs] of one network; copies: see `_averaged`."""
    height, width = tf.shape(image)[1], tf.shape(image)[2]
    padded = _padded(_normalised(image, member.project), member.multiple)
    return _averaged(member.model, padded, copies)[:, :height, :width]


def _scaled(image: Tensor) -> Tensor:
    """Square roots of integers; floats stay as they are (src/data/crops/normalise.py)."""
    return tf.sqrt(tf.cast(image, tf.float32)) if image.dtype.is_integer else image


def _normalised(image: Tensor, project: Project) -> Tensor:
    """Standardise by the statistics of the training, each image by its own, or as the encoder expects."""
    if project.normalise == "encoder":
        fixed = Normalisation.of_encoder(project.encoder, image.dtype.as_numpy_dtype, image.shape[-1])
        return (tf.cast(image, tf.float32) - tf.constant(fixed.mean, tf.float32)) / tf.constant(fixed.std, tf.float32)
    scaled = _scaled(image)
    if project.normalise == "dataset":
        mean, std = tf.constant(project.mean, tf.float32), tf.constant(project.std, tf.float32)
        centred = scaled - mean
    else:
        mean = _mean(scaled)
        centred = scaled - mean
        centred -= _mean(centred)  # removes the rounding error of the mean of a large image
        std = tf.sqrt(_mean(centred**2))
    return centred / tf.where(std > FLAT * tf.abs(mean), std, tf.ones_like(std))


def _mean(pixels: Tensor) -> Tensor:
    """Mean of each image and channel, [n, 1, 1, channels]; rows first, as one long sum loses digits in float32."""
    return tf.reduce_mean(tf.reduce_mean(pixels, 2, keepdims=True), 1, keepdims=True)


def _padded(image: Tensor, multiple: int) -> Tensor:
    """Mirror at bottom and right, repeatedly for tiny images, up to multiples of `multiple` pixels.

    TensorFlow's padding cannot mirror more pixels than there are. Gathering by index can, in every format.
    """
    for axis in (1, 2):
        size = tf.shape(image)[axis]
        period = tf.maximum(2 * size - 2, 1)  # there and back, without the ends twice
        places = tf.range((size + multiple - 1) // multiple * multiple) % period
        image = tf.gather(image, tf.minimum(places, period - places), axis=axis)
    return image


def _averaged(model: keras.Model, image: Tensor, copies: Sequence[Sequence[int]]) -> Tensor:
    """Average the logits of the image and its mirror images. A runtime may compute several at once.

    Args:
        model: the network.
        image: [n, height, width, channels].
        copies: for each, the axes along which it is mirrored.
    """
    logits = [_mirrored(model(_mirrored(image, axes), training=False), axes) for axes in copies]
    return tf.add_n(logits) / len(logits) if len(logits) > 1 else logits[0]


def _mirrored(image: Tensor, axes: Sequence[int]) -> Tensor:
    return image[:, :: -1 if 1 in axes else 1, :: -1 if 2 in axes else 1] if axes else image


def _probabilities(logits: Tensor, outputs: Outputs) -> Tensor:
    """The same as `Outputs.probabilities`, at a temperature of 1."""
    if outputs.labels.overlap:
        return tf.sigmoid(logits)
    if outputs.number == 1:
        return tf.concat([tf.sigmoid(-logits), tf.sigmoid(logits)], -1)
    return tf.nn.softmax(logits)


def _at_temperature(mean: Tensor, temperature: np.float32, outputs: Outputs) -> Tensor:
    """The same as `Outputs.logits`, and then `Outputs.probabilities` at a temperature."""
    if outputs.labels.overlap:
        clipped = tf.clip_by_value(mean, np.float32(NEAREST), np.float32(1 - NEAREST))
        return tf.sigmoid((tf.math.log(clipped) - tf.math.log1p(-clipped)) / temperature)
    return tf.nn.softmax(tf.math.log(tf.maximum(mean, TINIEST)) / temperature)


def _frozen(graph: Callable[[Tensor], Tensor], image: tf.TensorSpec) -> Tensor:
    """A tf.function of the graph with constant weights: no format has to find Keras's variables."""
    traced = tf.function(graph, input_signature=[image], autograph=False, jit_compile=False)
    constant = convert_variables_to_constants_v2(traced.get_concrete_function())
    return tf.function(
        lambda image: {PROBABILITIES: tf.ensure_shape(constant(image)[0], constant.outputs[0].shape)},
        input_signature=[image],
        autograph=False,
        jit_compile=False,
    )
