"""Calibrate the predictions of a fold: the temperature that divides its logits."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from src.evaluation.metrics.outputs import Outputs
from src.suspects.maps import Values

TEMPERATURES = 2 ** (np.arange(-30, 31) / 10)  # from 1/8 to 8


def robust_temperature(outputs: Outputs, logits: Sequence[Values], labels: Sequence[NDArray[np.uint8]]) -> float:
    """Fit the temperature to the median loss of the images, since masks with errors would raise their mean.

    Args:
        outputs: The meaning of the logits.
        logits: Those of some pixels of each image, float32 [n, outputs].
        labels: The true labels of these pixels, uint8 [n]; all of them count.

    Returns:
        One of `TEMPERATURES`; 1 if no pixel counts.
    """
    images = [pair for pair in zip(logits, labels, strict=True) if len(pair[1])]
    if not images:
        return 1.0
    loss = outputs.negative_log_likelihood
    losses = [np.median([loss(*image, temperature) for image in images]) for temperature in TEMPERATURES.tolist()]
    return float(TEMPERATURES[int(np.argmin(losses))])
