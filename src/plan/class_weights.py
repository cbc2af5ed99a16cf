"""Weights of the terms of the loss, and of the classes in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from src.errors import MOST_SHOWN, UserError, some

POWERS: dict[str, float] = {"root": 0.5, "balanced": 1.0}


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms of the loss, and their constants. They are named as in `train.loss`.

    Attributes:
        cross_entropy: Weight of the cross-entropy.
        dice: Weight of 1 - soft Dice.
        classes: Weights of the pixels of each class in the terms that are means over pixels (cross-entropy, focal);
            empty if all pixels count the same.
        focal: Weight of the focal loss.
        focal_gamma: Exponent of 1 - probability of the true class in the focal loss.
    """

    cross_entropy: float = 1.0
    dice: float = 1.0
    classes: tuple[float, ...] = ()
    focal: float = 0.0
    focal_gamma: float = 2.0


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


def given_weights(weights: Mapping[str, float], names: Sequence[str]) -> tuple[float, ...]:
    """Order the weights that train.loss.class_weights gives to the classes by name.

    The terms that use them are weighted means, so that only their ratios matter.

    Args:
        weights: Name of a class → its weight.
        names: The names of all classes, in their order.

    Raises:
        UserError: The names are not those of the classes; the message lists all that are unknown or missing.
    """
    unknown, missing = [name for name in weights if name not in names], [name for name in names if name not in weights]
    wrong = [
        f"{word}: {some(found, MOST_SHOWN)}" for word, found in (("unknown", unknown), ("missing", missing)) if found
    ]
    if wrong:
        rule = f"must give each class of the data set a weight: {some(names, MOST_SHOWN)}"
        raise UserError(f"the plan: train.loss.class_weights {rule} ({'; '.join(wrong)})")
    return tuple(weights[name] for name in names)
