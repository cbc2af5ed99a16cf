"""Floating-point operations of a training step, from the network's layers."""

import math
from typing import Any


def step_flop(model: Any) -> int:
    """Count the operations of a training step on one image, in a Keras model with a fixed image size.

    Convolutions only; all else is a few percent. One multiplication and one addition for every weight of the kernel at
    every place where it is applied, at borders too. The backward pass needs as many again for the gradient of the
    weights, and as many for that of the layer's input, which the first layer does not need.
    """
    forward = [_forward(layer) for layer in model.layers if type(layer).__name__ in ("Conv2D", "Conv2DTranspose")]
    return 3 * sum(forward) - forward[0]


def _forward(layer: Any) -> int:
    """A convolution's kernel is applied for each pixel of its output, a transposed one's for each of its input."""
    places = layer.input if type(layer).__name__ == "Conv2DTranspose" else layer.output
    return 2 * math.prod(layer.kernel.shape) * math.prod(places.shape[1:3])
