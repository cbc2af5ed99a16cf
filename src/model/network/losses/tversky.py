"""Tversky loss (Salehi et al. 2017) and focal Tversky loss (Abraham and Khan 2018)."""

from collections.abc import Sequence

import tensorflow as tf

from src.model.network.losses.sums import LossSums
from src.model.network.tensor import Tensor
from src.plan.class_weights import LossWeights

SMOOTH = 0.5  # pixels; alpha = beta = 0.5 then gives the soft Dice with its own smoothing
SMALLEST = 1e-6  # of 1 - index: the gradient of a power below 1 is infinite at 0


def tversky_loss(sums: LossSums, weights: LossWeights, foreground: Sequence[int]) -> Tensor:
    """Compute the Tversky loss over all pixels: Dice with separate weights of false positives and false negatives.

    It is the mean over the foreground classes of (1 - TP / (TP + alpha FP + beta FN)) ** (1 / gamma), with the
    probabilities as counts (https://arxiv.org/abs/1706.05721). gamma = 1 is the Tversky loss. A larger gamma gives
    classes with a small loss a larger share of the gradient (https://arxiv.org/abs/1810.07842, where alpha is the
    weight of the false negatives).

    Args:
        sums: from `loss_sums`.
        weights: hold tversky_alpha, tversky_beta and tversky_gamma.
        foreground: indices of the classes over which the mean is taken.

    Returns:
        A scalar from 0 to 1.
    """
    positives, negatives = sums.predicted - sums.overlap, sums.true - sums.overlap  # false ones
    mistakes = weights.tversky_alpha * positives + weights.tversky_beta * negatives
    index = (sums.overlap + SMOOTH) / (sums.overlap + mistakes + SMOOTH)
    each = tf.maximum(1 - tf.gather(index, list(foreground)), SMALLEST) ** (1 / weights.tversky_gamma)
    return tf.reduce_mean(each)
