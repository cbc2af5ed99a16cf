"""Fold batch normalisation into convolutions: the same network with fewer layers, for prediction."""

import keras
import numpy as np
from numpy.typing import NDArray

from src.archive import layer_names
from src.model.network.device import global_precision
from src.model.network.unet import FusedBatchNormalization, build_unet
from src.params import PlannedModel, Precision


def fold_normalisation(model: keras.Model, precision: Precision) -> keras.Model:
    """Build the same function of images without normalisation layers.

    Normalisation by fixed statistics multiplies each channel by a factor and adds an offset. The factor goes into the
    weights of the convolution before it, the offset becomes its bias. The result is equal up to rounding.

    Args:
        model: a network of `build_unet`.
        precision: in which the new network computes.

    Returns:
        The network without normalisation.
    """
    layers = {layer.name: layer for layer in model.layers}
    depth = sum(isinstance(layer, keras.layers.MaxPooling2D) for layer in model.layers)
    size = PlannedModel(filters=layers[layer_names.FIRST_CONVOLUTION].filters, depth=depth)
    channels, classes = model.inputs[0].shape[-1], max(model.outputs[0].shape[-1], 2)
    with global_precision(precision):
        network = build_unet(size, channels, classes, normalised=False)
    normalisations = {
        layer_names.convolution(block, part): layers[layer_names.normalisation(block, part)]
        for block in layer_names.blocks(depth)
        for part in layer_names.PARTS
    }
    for layer in network.layers:
        weights = layers[layer.name].get_weights()
        if layer.name in normalisations:
            factor, offset = _affine(normalisations[layer.name])
            weights = [weights[0] * factor, offset]
        layer.set_weights(weights)
    return network


def compute_precision(model: keras.Model) -> Precision:
    """The precision in which the convolutions of a U-Net compute."""
    return model.get_layer(layer_names.FIRST_CONVOLUTION).compute_dtype


def _affine(layer: FusedBatchNormalization) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Factor and offset of each channel, [channels]."""
    weights = (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
    gamma, beta, mean, variance = (np.asarray(weight) for weight in weights)
    factor = gamma / np.sqrt(variance + layer.EPSILON)
    return factor, beta - mean * factor
