"""Weights files as Keras's server has them, made from the networks of keras.applications with random weights."""

import h5py
import keras
import numpy as np
from keras import layers
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

from src.encoders import IMAGENET_MEAN, IMAGENET_STD


def randomise(network, seed=0):
    """Draw all weights of a network, so that no two of them are equal, and features stay finite."""
    rng = np.random.default_rng(seed)
    for layer in network.layers:
        if isinstance(layer, layers.Normalization):  # as in the file of EfficientNetB0: the variance is the deviation
            layer.set_weights([np.divide(IMAGENET_MEAN, 255), np.divide(IMAGENET_STD, 255), np.array(0)])
        elif isinstance(layer, layers.BatchNormalization):
            channels = layer.gamma.shape
            low_high = ((0.7, 1.3), (-0.2, 0.2), (-0.2, 0.2), (0.5, 1.5))  # gamma, beta, mean, variance
            layer.set_weights([rng.uniform(*bounds, channels) for bounds in low_high])
        else:
            layer.set_weights([_drawn(rng, weight.shape) for weight in layer.weights])


def _drawn(rng, shape):
    inputs = np.prod(shape[:-1]) if shape[-1] > 1 else np.prod(shape[:2])  # the latter: of a depthwise kernel
    return rng.normal(0, np.sqrt(1.6 / inputs) if len(shape) > 1 else 0.1, shape)


def legacy_file(path, network):
    """Save weights in the format before Keras 3."""
    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, network)
    return path


def as_from_the_server(build, path, monkeypatch):
    """The network as keras.applications makes it with weights="imagenet", reading `path` instead of a download."""
    monkeypatch.setattr(keras.src.utils.file_utils, "get_file", lambda *_, **__: path)
    return build(include_top=False, weights="imagenet", input_shape=(None, None, 3))
