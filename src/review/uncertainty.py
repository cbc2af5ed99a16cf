"""How much a prediction is expected to differ from the truth, by its own calibrated probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from src.data.classes.label_format import LabelFormat, Mask
from src.evaluation.metrics.outputs import Values

AROUND = 2  # pixels on both sides of a boundary whose entropy counts


@dataclass(frozen=True)
class Uncertainty:
    """The numbers by which images are ordered for correction.

    Attributes:
        expected_dice: See `expected_dice`.
        boundary_entropy: See `boundary_entropy`.
    """

    expected_dice: float
    boundary_entropy: float


def measure_uncertainty(
    probabilities: Values, prediction: Mask, labels: LabelFormat, classes: Sequence[int]
) -> Uncertainty:
    """Compute both numbers of an image.

    Args:
        probabilities: Calibrated, float32 [height, width, classes].
        prediction: Labels, uint8 [height, width].
        labels: The meaning of the labels.
        classes: The foreground classes.
    """
    dice = expected_dice(probabilities, prediction, labels, classes)
    return Uncertainty(dice, boundary_entropy(probabilities, prediction, labels))


def expected_dice(probabilities: Values, prediction: Mask, labels: LabelFormat, classes: Sequence[int]) -> float:
    """Estimate the Dice of a prediction: the soft Dice confidence of Borges et al. 2024.

    It is 2 Σ p s / (Σ p + Σ s) for the probability p of each pixel and the prediction s, 0 or 1. If pixels are
    independent given the image, it is close to the expected Dice (https://arxiv.org/abs/2402.10665). The sums run over
    all classes. If nothing is predicted, the prediction is right if the image shows nothing, which has a probability of
    at most 1 - max p; this is returned.

    Args:
        probabilities: Calibrated, float32 [height, width, classes].
        prediction: Labels, uint8 [height, width].
        labels: The meaning of the labels.
        classes: The foreground classes.

    Returns:
        From 0 to 1; 1 without classes.
    """
    both, sizes, largest, predicted = 0.0, 0.0, 0.0, 0
    for label in classes:
        plane, probability = labels.of_class(prediction, label), probabilities[..., label]
        both += float(probability[plane].sum(dtype=np.float64))
        predicted += int(np.count_nonzero(plane))
        sizes += float(probability.sum(dtype=np.float64))
        largest = max(largest, float(probability.max(initial=0)))
    return 2 * both / (sizes + predicted) if predicted else 1 - largest


def boundary_entropy(probabilities: Values, prediction: Mask, labels: LabelFormat) -> float:
    """Compute the mean entropy of the pixels near predicted boundaries, up to `AROUND` pixels away.

    Args:
        probabilities: Calibrated, float32 [height, width, classes].
        prediction: Labels, uint8 [height, width].
        labels: The meaning of the labels.

    Returns:
        From 0 to 1: of exclusive classes, as a share of the entropy of equal probabilities; of overlapping classes, the
        mean over the classes in bits. 0 if there is no boundary.
    """
    near = _near_boundaries(prediction)
    if not near.any():
        return 0.0
    values = probabilities[near].astype(np.float64)
    if labels.overlap:
        return float((entr(values) + entr(1 - values)).mean() / np.log(2))
    return float(entr(values).sum(axis=-1).mean() / np.log(labels.classes))


def _near_boundaries(prediction: Mask) -> NDArray[np.bool_]:
    """The pixels that lie in a square around a pixel of another label, bool [height, width]."""
    square = np.ones((2 * AROUND + 1, 2 * AROUND + 1), np.uint8)
    return np.asarray(cv2.dilate(prediction, square) != cv2.erode(prediction, square))
