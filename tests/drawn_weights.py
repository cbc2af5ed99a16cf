"""A file of encoder weights where training looks for those of ImageNet, made without them."""

import keras
import numpy as np

from src.archive.encoder_file import encoder_file
from src.model.network.encoders.pretrained import encoder_layers
from src.model.network.unet import build_unet
from tests.small_training import small_params


def write_drawn_weights(settings, seed=0):
    """Write weights for images of three channels below the current folder; no weight keeps its usual initial value.

    Args:
        settings: Changes of `small_params`, with model.encoder.
        seed: Of the weights.

    Returns:
        Path of each variable in a network → its weights.
    """
    model, rng = small_params(**settings).model, np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    weighted = encoder_layers(build_unet(model, 3, 1))
    for layer in weighted:
        layer.set_weights([weight + rng.uniform(0.01, 0.1, weight.shape) for weight in layer.get_weights()])
    model.weights_file.parent.mkdir(parents=True, exist_ok=True)
    model.weights_file.write_bytes(encoder_file({layer.name: layer.get_weights() for layer in weighted}))
    return {weight.path: weight.numpy() for layer in weighted for weight in layer.weights}
