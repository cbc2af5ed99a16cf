"""Give an encoder the weights of models/initial/NAME.weights.h5, for any number of channels and any depth."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from src.archive import layer_names
from src.archive.encoder_file import read_encoder_file
from src.encoders import DEEPEST
from src.errors import UserError, printable, some

Array = NDArray[np.float32]


class EncoderWeightsError(UserError):
    """A file of weights is missing, or does not hold what it should, on whatever device."""


def read_encoder_weights(path: Path) -> dict[str, list[Array]]:
    """Read a file of weights.

    Args:
        path: a file of `python -m tools.encoder`.

    Returns:
        Name of each layer → its weights.

    Raises:
        EncoderWeightsError: the file is missing or damaged.
    """
    try:
        return read_encoder_file(path)
    except (OSError, ValueError) as error:
        raise _refusal(path, error) from None


def load_encoder_weights(model: keras.Model, path: Path) -> str:
    """Copy the weights of a file into the encoder of a network. The decoder keeps its weights.

    Args:
        model: a network of `build_unet` with a pretrained encoder, which is changed in place. Its depth may be smaller
            than that of the file, which holds the whole encoder.
        path: a file of `python -m tools.encoder`.

    Returns:
        A line for the user: how many weights were copied, and how the first convolution was adapted.

    Raises:
        EncoderWeightsError: the file is missing, or does not hold the weights of this encoder.
    """
    encoder, stored = encoder_layers(model), read_encoder_weights(path)
    channels = model.inputs[0].shape[-1]
    name, of_file = encoder[0].name, encoder[0].kernel.shape
    kernel = next(iter(stored.get(name, [])), np.empty(0, np.float32))
    adapted = kernel.ndim == len(of_file) and kernel.shape[2] not in (0, channels)
    if adapted:
        stored[name][0] = adapt_first_convolution(kernel, channels)
    try:
        _compare(encoder, stored)
    except ValueError as error:
        raise _refusal(path, error) from None
    for layer in encoder:
        layer.set_weights(stored[layer.name])
    return _words(encoder, path, channels if adapted else 0)


def adapt_first_convolution(kernel: Array, channels: int) -> Array:
    """Make a kernel for images of another number of channels, by the rule of segmentation_models.pytorch.

    One channel gets the sum of the weights, so that a grey image has the features of three equal normalised channels.
    Two channels, or more than three, get the weights of red, green and blue in turn, times the ratio of the numbers, so
    that the features keep their size.

    Args:
        kernel: float32 [height, width, n, filters].
        channels: 1 or more.

    Returns:
        float32 [height, width, channels, filters].
    """
    stored = kernel.shape[2]
    if channels == stored:
        return kernel
    if channels == 1:
        return kernel.sum(axis=2, keepdims=True)
    return kernel[:, :, np.arange(channels) % stored] * np.float32(stored / channels)


def encoder_layers(model: keras.Model) -> list[layers.Layer]:
    """The layers with weights of a network's encoder, in the order of the network.

    Args:
        model: a network of `build_unet`, or an encoder alone.
    """
    decoder = {layer_names.LOGITS_CONVOLUTION}
    for level in range(DEEPEST):
        block = layer_names.decoder(level)
        decoder.add(layer_names.upsampling(level))
        for part in layer_names.PARTS:
            decoder |= {layer_names.convolution(block, part), layer_names.normalisation(block, part)}
    return [layer for layer in model.layers if layer.weights and layer.name not in decoder]


def _refusal(path: Path, error: OSError | ValueError) -> EncoderWeightsError:
    reason = printable(str(getattr(error, "strerror", None) or error))
    remedy = "python -m tools.encoder writes the right ones"
    return EncoderWeightsError(f"model.weights: {path}: not the weights of this encoder: {reason}; {remedy}")


def _compare(encoder: Sequence[layers.Layer], stored: dict[str, list[Array]]) -> None:
    """Raise `ValueError` unless all layers are there, with the right shapes."""
    different = [
        layer.name
        for layer in encoder
        if [array.shape for array in stored.get(layer.name, [])] != [tuple(weight.shape) for weight in layer.weights]
    ]
    if different:
        raise ValueError(f"layers missing or of another size: {some(different)}")


def _words(encoder: Sequence[layers.Layer], path: Path, channels: int) -> str:
    count = sum(len(layer.weights) for layer in encoder)
    how = "added up" if channels == 1 else "repeated and scaled"
    adapted = f"; of the first convolution {how} for images of {channels} channel(s)" if channels else ""
    return f"{count} weights of the encoder from {path}{adapted}"
