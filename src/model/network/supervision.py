"""Deep supervision (Lee et al., https://arxiv.org/abs/1409.5185): in training, lower resolutions predict as well.

Their losses reach the lower levels directly. The predictions are left out of the saved model.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from src.model.network.losses import loss_sums, total_loss
from src.model.network.replicas import sum_over_replicas
from src.params import Loss


def supervised(model: keras.Model, levels: int) -> keras.Model:
    """`model`, with the logits of the next lower `levels` as further outputs, each of half the resolution before it."""
    classes = model.outputs[0].shape[-1]
    heads = []
    for level in range(1, levels + 1):
        logits = layers.Conv2D(classes, 1, name=f"supervised{level}")(model.get_layer(f"up{level}_relu_b").output)
        heads.append(layers.Activation("linear", dtype="float32", name=f"supervised{level}_logits")(logits))
    return keras.Model(model.inputs, [model.outputs[0], *heads], name="supervised")


def deep_losses(outputs: Sequence[Any], masks: Any, weights: Loss, foreground: Sequence[int]) -> tuple[Any, Any]:
    """The loss to learn from, and that of the first output alone.

    outputs: as of `supervised`; masks [batch, height, width], of which each lower resolution sees every second pixel of
    the one before. Each weighs half as much as the one before it, all together 1.
    """
    losses = [
        total_loss(sum_over_replicas(loss_sums(logits, masks[:, :: 2**level, :: 2**level])), weights, foreground)
        for level, logits in enumerate(outputs)
    ]
    shares = [0.5**level for level in range(len(losses))]
    return sum(share * loss for share, loss in zip(shares, losses, strict=True)) / sum(shares), losses[0]
