"""Fold batch normalisation into convolutions: the same network with fewer layers, for prediction."""

import keras
import numpy as np
from numpy.typing import NDArray

from src.archive import layer_names
from src.model.network.batch_normalisation import FusedBatchNormalization
from src.model.network.device import global_precision
from src.model.network.unet import build_unet
from src.params import Encoder, PlannedModel, Precision


def fold_normalisation(model: keras.Model, precision: Precision, encoder: Encoder = "plain") -> keras.Model:
    """Build the same function of images without normalisation layers.

    Normalisation by fixed statistics multiplies each channel by a factor and adds an offset. The factor goes into the
    weights of the convolution before it, the offset into its bias. The result is equal up to rounding.

    Args:
        model: a network of `build_unet`.
        precision: in which the new network computes.
        encoder: model.encoder of this network.

    Returns:
        The network without normalisation.
    """
    channels, outputs = model.inputs[0].shape[-1], model.outputs[0].shape[-1]
    depth = sum(isinstance(layer, keras.layers.Conv2DTranspose) for layer in model.layers)
    size = PlannedModel(encoder=encoder, filters=model.get_layer(layer_names.LAST_BLOCK).filters, depth=depth)
    with global_precision(precision):
        network = build_unet(size, channels, outputs, normalised=False)
    layers = {layer.name: layer for layer in model.layers}
    normalisations = {
        layer.input._keras_history.operation.name: layer
        for layer in model.layers
        if isinstance(layer, FusedBatchNormalization)
    }
    for layer in network.layers:
        weights = layers[layer.name].get_weights() if layer.weights else []
        if layer.name in normalisations:
            factor, offset = _affine(normalisations[layer.name])
            kernel, bias = weights if len(weights) > 1 else (weights[0], 0)
            depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)  # its kernel is [height, width, channels, 1]
            weights = [kernel * (factor[:, None] if depthwise else factor), bias * factor + offset]
        layer.set_weights(weights)
    return network


def compute_precision(model: keras.Model) -> Precision:
    """The precision in which the convolutions of a U-Net compute."""
    return model.get_layer(layer_names.LOGITS_CONVOLUTION).compute_dtype


def _affine(layer: FusedBatchNormalization) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Factor and offset of each channel, [channels]."""
    weights = (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
    gamma, beta, mean, variance = (np.asarray(weight) for weight in weights)
    factor = gamma / np.sqrt(variance + layer.epsilon)
    return factor, beta - mean * factor
