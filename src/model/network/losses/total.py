"""The loss: the weighted sum of its terms."""

from collections.abc import Sequence

import tensorflow as tf

from src.model.network.losses.sums import LossSums
from src.model.network.tensor import Tensor
from src.plan.class_weights import LossWeights

SMOOTH = 1.0  # pixels, in the loss only; without it, false positives of a class that a batch lacks would cost nothing


def total_loss(sums: LossSums, weights: LossWeights, foreground: Sequence[int]) -> Tensor:
    """Add up the weighted terms of the loss.

    Args:
        sums: from `loss_sums`.
        weights: of the terms; those of the classes are in the sums already.
        foreground: indices of the classes over which Dice is averaged.

    Returns:
        weights.cross_entropy × weighted mean of the cross-entropy + weights.dice × (1 - mean soft Dice of the
        foreground classes) + weights.focal × weighted mean of the focal loss, a scalar; means over no pixel are 0.
    """
    soft_dice = (2 * sums.overlap + SMOOTH) / (sums.predicted + sums.true + SMOOTH)
    mean_dice = tf.reduce_mean(tf.gather(soft_dice, list(foreground)))
    entropy = tf.math.divide_no_nan(sums.cross_entropy, sums.weight)
    loss = weights.cross_entropy * entropy + weights.dice * (1 - mean_dice)
    if weights.focal:
        loss += weights.focal * tf.math.divide_no_nan(sums.focal, sums.weight)
    return loss
