"""Focal loss (Lin et al. 2017, https://arxiv.org/abs/1708.02002)."""

import tensorflow as tf

from src.model.network.tensor import Tensor

EASIEST = 1e-6  # smallest 1 - probability: the gradient of a power below 1 is infinite at 0


def focal_terms(entropy: Tensor, gamma: float) -> Tensor:
    """Compute the focal loss of each pixel.

    It is (1 - p) ** gamma × -log(p), with the probability p of the true class: pixels that are predicted well already
    count less. The paper's balance of classes is the weight of the class.

    Args:
        entropy: -log(p), float32 [batch, height, width].
        gamma: 0 or more; 0 gives the cross-entropy.

    Returns:
        float32 [batch, height, width].
    """
    return entropy * tf.maximum(-tf.math.expm1(-entropy), EASIEST) ** gamma
