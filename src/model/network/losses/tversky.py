"""Tversky loss (Salehi et al. 2017, https://arxiv.org/abs/1706.05721)."""

from collections.abc import Sequence

import tensorflow as tf

from src.model.network.losses.sums import LossSums
from src.model.network.tensor import Tensor
from src.plan.class_weights import LossWeights

SMOOTH = 0.5  # pixels; alpha = beta = 0.5 then gives the soft Dice with its own smoothing


def tversky_loss(sums: LossSums, weights: LossWeights, foreground: Sequence[int]) -> Tensor:
    """Compute the Tversky loss over all pixels: Dice with separate weights of false positives and false negatives.

    It is the mean over the foreground classes of 1 - TP / (TP + alpha FP + beta FN), with the probabilities as counts.

    Args:
        sums: from `loss_sums`.
        weights: hold tversky_alpha and tversky_beta.
        foreground: indices of the classes over which the mean is taken.

    Returns:
        A scalar from 0 to 1.
    """
    positives, negatives = sums.predicted - sums.overlap, sums.true - sums.overlap  # false ones
    mistakes = weights.tversky_alpha * positives + weights.tversky_beta * negatives
    index = (sums.overlap + SMOOTH) / (sums.overlap + mistakes + SMOOTH)
    return 1 - tf.reduce_mean(tf.gather(index, list(foreground)))
