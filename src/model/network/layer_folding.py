"""A trained network as prediction runs it: without the layers that only training needs."""

from typing import Any

import keras
import numpy as np

from src.model.network.device import policy_of
from src.model.network.unet import build_unet
from src.params import PlannedModel, Precision


def folded(model: keras.Model, precision: Precision) -> keras.Model:
    """The same function of images, each normalisation taken into the convolution before it; in another arithmetic.

    Normalisation by fixed statistics is a factor and an offset for each channel: the factor goes into the weights, the
    offset becomes the bias. Up to rounding nothing changes.
    """
    layers = {layer.name: layer for layer in model.layers}
    depth = sum(name.endswith("_pool") for name in layers)
    filters, outputs = layers["bottom_conv_a"].filters // 2**depth, model.outputs[0].shape[-1]
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(policy_of(precision))
    try:
        channels, classes = model.inputs[0].shape[-1], max(outputs, 2)
        network = build_unet(PlannedModel(filters=filters, depth=depth), channels, classes, normalised=False)
    finally:
        keras.mixed_precision.set_global_policy(before)
    for layer in network.layers:
        weights = layers[layer.name].get_weights()
        norm = layers.get(layer.name.replace("_conv_", "_norm_"))
        if norm is not None and norm is not layers[layer.name]:
            factor, offset = _affine(norm)
            weights = [weights[0] * factor, offset]
        layer.set_weights(weights)
    return network


def precision_of(model: keras.Model) -> Precision:
    """What the convolutions of a network compute in."""
    return model.get_layer("bottom_conv_a").compute_dtype


def _affine(norm: Any) -> tuple[Any, Any]:
    """Factor and offset of a FusedBatchNormalization, float32 [channels]."""
    gamma, beta, mean, variance = (
        np.asarray(weight) for weight in (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance)
    )
    factor = gamma / np.sqrt(variance + norm.EPSILON)
    return factor, beta - mean * factor
