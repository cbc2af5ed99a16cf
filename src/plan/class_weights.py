"""Weights of the parts of the loss, and of the classes in its cross-entropy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

POWERS: dict[str, float] = {"root": 0.5, "balanced": 1.0}


@dataclass(frozen=True)
class LossWeights:
    """Weights of the loss.

    Attributes:
        cross_entropy: Weight of the cross-entropy.
        dice: Weight of 1 - soft Dice.
        classes: Weights of the pixels of each class in the cross-entropy; empty if all pixels count the same.
    """

    cross_entropy: float = 1.0
    dice: float = 1.0
    classes: tuple[float, ...] = ()


def class_weights(kind: Literal["none", "root", "balanced"], shares: Sequence[float]) -> tuple[float, ...]:
    """Compute the weights of the pixels of each class.

    The weight of a class with the share p of the training pixels is p ** -1 (balanced: all pixels of each class
    together weigh the same) or p ** -0.5 (root), times a factor that makes the mean weight of all these pixels 1. The
    cross-entropy is a weighted mean, so this factor only matters beside a class without pixels.

    Args:
        kind: train.loss.class_weights.
        shares: Share of each class in the pixels of the training images. A class without pixels weighs 1.

    Returns:
        A weight for each class; empty for none.
    """
    if kind == "none":
        return ()
    weights = [share ** -POWERS[kind] if share else 0.0 for share in shares]
    mean = sum(share * weight for share, weight in zip(shares, weights, strict=True))
    return tuple(weight / mean if weight else 1.0 for weight in weights)
