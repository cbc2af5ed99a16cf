"""Deep supervision (Lee et al., https://arxiv.org/abs/1409.5185): lower decoder levels learn to predict, too.

Their losses reach the lower levels directly. The saved model does not hold these extra outputs.
"""

from collections.abc import Sequence

import keras
from keras import layers

from src.archive import layer_names
from src.model.network.losses.sums import loss_sums
from src.model.network.losses.total import total_loss
from src.model.network.replicas import sum_over_replicas
from src.model.network.tensor import Tensor
from src.plan.class_weights import LossWeights


def add_supervision(model: keras.Model, levels: int) -> keras.Model:
    """Add the logits of lower decoder levels as further outputs.

    Args:
        model: a network of `build_unet`, which shares its layers with the result.
        levels: how many; from 0 to the depth of the network - 1.

    Returns:
        A network with 1 + `levels` outputs; each has half the resolution of the one before it.
    """
    classes = model.outputs[0].shape[-1]
    heads = []
    for level in range(1, levels + 1):
        features = model.get_layer(layer_names.activation(layer_names.decoder(level), layer_names.PARTS[-1])).output
        logits = layers.Conv2D(classes, 1, name=f"supervised{level}")(features)
        heads.append(layers.Activation("linear", dtype="float32", name=f"supervised{level}_logits")(logits))
    return keras.Model(model.inputs, [model.outputs[0], *heads], name="supervised")


def deep_losses(
    outputs: Sequence[Tensor], masks: Tensor, weights: LossWeights, foreground: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Compute the loss to learn from, and the loss of the first output alone.

    Args:
        outputs: logits of a network of `add_supervision`.
        masks: class indices [batch, height, width]; each lower resolution takes every second pixel of the one before.
        weights: of the terms of each loss, and of the classes.
        foreground: indices of the classes over which Dice is averaged.

    Returns:
        The weighted mean over all outputs, each with half the weight of the one before; and the first output's loss.
    """
    losses = [
        total_loss(
            sum_over_replicas(loss_sums(logits, masks[:, :: 2**level, :: 2**level], weights)),
            weights,
            foreground,
        )
        for level, logits in enumerate(outputs)
    ]
    shares = [0.5**level for level in range(len(losses))]
    return sum(share * loss for share, loss in zip(shares, losses, strict=True)) / sum(shares), losses[0]
