"""Pair the arrays of a downloaded file with the layers of an encoder."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from src.archive import layer_names
from src.encoders import DEEPEST, ENCODERS, IMAGENET_MEAN, IMAGENET_STD
from src.errors import quoted, some
from src.model.network.encoders.applications import stock_network
from src.model.network.encoders.pretrained import encoder_layers
from src.model.network.unet import encode
from src.params import Encoder, PlannedModel
from src.pretrained.keras_file import StoredLayer, read_layers
from src.pretrained.lite0 import read_lite0

CHANNELS = 3  # red, green, blue
CAFFE = ("resnet50", "vgg16")  # trained in Caffe: blue comes first, and intensities are not divided by anything
Array = NDArray[np.float32]


def encoder_arrays(encoder: Encoder, content: bytes) -> dict[str, list[Array]]:
    """Find the weights of each layer of an encoder in a downloaded file.

    The first convolution is adapted to the project's scaling of images, `EncoderFacts.mean` and `std`. Networks of
    keras.applications may expect another order of the channels, or intensities that are not divided by `std`.

    Args:
        encoder: any but plain.
        content: the file; for EfficientNet-Lite0 that of its package, otherwise that of Keras's server, with or without
            the classifier.

    Returns:
        The name of each layer with weights → its weights in the layer's order, for images of three channels.

    Raises:
        ValueError: the content is not such a file, or holds the weights of another network.
    """
    weighted = encoder_layers(encoder_network(encoder))
    if encoder == "efficientnet_lite0":
        arrays = _in_order(weighted, read_lite0(content))
    else:
        arrays = _by_name(stock_network(encoder), read_layers(content))
    kernel, *bias = arrays[weighted[0].name]
    if encoder in CAFFE:
        kernel = kernel[:, :, ::-1] * np.array(ENCODERS[encoder].std, np.float32)[:, None]
    arrays[weighted[0].name] = [kernel, *bias]
    return {layer.name: arrays[layer.name] for layer in weighted}


def encoder_network(encoder: Encoder) -> keras.Model:
    """Build an encoder without a decoder, with random weights.

    Args:
        encoder: any but plain.

    Returns:
        A model from images float32 [batch, height, width, 3] to the encoder's features, without the image itself.
    """
    image = keras.Input((None, None, CHANNELS), name=layer_names.IMAGE)
    features = encode(image, PlannedModel(encoder=encoder, filters=1, depth=DEEPEST))
    return keras.Model(image, [feature for feature in features if feature is not image])


def _in_order(weighted: Sequence[layers.Layer], arrays: Sequence[Array]) -> dict[str, list[Array]]:
    """Layer → its arrays, which follow each other; those of the classifier at the end are left out."""
    assigned, place = {}, 0
    for layer in weighted:
        assigned[layer.name] = list(arrays[place : place + len(layer.weights)])
        place += len(layer.weights)
    _compare(weighted, [StoredLayer(name, tuple(found)) for name, found in assigned.items()])
    return assigned


def _by_name(stock: keras.Model, stored: Sequence[StoredLayer]) -> dict[str, list[Array]]:
    """Layer of the network of keras.applications → its arrays.

    Keras pairs the layers by their order, too. More layers are allowed at the end if they are a classifier's.
    """
    weighted = [layer for layer in stock.layers if _weights(layer)]
    if len(stored) < len(weighted):
        raise ValueError(f"it has {len(stored)} layers with weights; the network has {len(weighted)}")
    if other := [layer.name for layer in stored[len(weighted) :] if layer.arrays[0].ndim != 2]:
        raise ValueError(f"layers that the network does not have: {some(other)}")
    stored = stored[: len(weighted)]
    _compare(weighted, stored)
    arrays = {layer.name: list(found.arrays) for layer, found in zip(weighted, stored, strict=True)}
    if isinstance(weighted[0], layers.Normalization):  # of EfficientNetB0
        scale, first = _relative_scale(*arrays[weighted[0].name]), arrays[weighted[1].name]
        first[0] = first[0] * scale[:, None]
    return arrays


def _compare(weighted: Sequence[layers.Layer], stored: Sequence[StoredLayer]) -> None:
    """Raise `ValueError` unless all shapes agree."""
    different = [
        f"{quoted(found.name)} has {[array.shape for array in found.arrays]}, {layer.name} {shapes}"
        for layer, found in zip(weighted, stored, strict=True)
        if [array.shape for array in found.arrays] != (shapes := [tuple(weight.shape) for weight in _weights(layer)])
    ]
    if different:
        raise ValueError(f"it holds the weights of another network: {some(different, 3, str)}")


def _relative_scale(mean: Array, variance: Array) -> Array:
    """How much larger the numbers are after the scaling inside of EfficientNetB0 than after the project's, [3].

    The network divides by √variance and then by √std. The weights on Keras's server hold the standard deviation in
    place of the variance, so that the factor is 1.

    Args:
        mean: of intensities between 0 and 1, as the file holds it.
        variance: the file's.
    """
    if not np.allclose(255 * mean, IMAGENET_MEAN, atol=0.1) or not (variance > 0).all():
        raise ValueError("its images were scaled in another way than those of ImageNet")
    factors = np.sqrt(np.divide(IMAGENET_STD, 255 * variance))
    return np.where(np.isclose(factors, 1, atol=1e-5), 1, factors).astype(np.float32)


def _weights(layer: layers.Layer) -> list[keras.Variable]:
    """The weights of a layer in the order of Keras's earlier files, without counters."""
    return [weight for weight in [*layer.trainable_weights, *layer.non_trainable_weights] if len(weight.shape)]
