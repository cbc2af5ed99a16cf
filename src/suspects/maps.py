"""Maps of predicted probabilities as they are kept: reduced, and a byte for each logit."""

import cv2
import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]
Bytes = NDArray[np.uint8]

LONGEST = 640  # pixels of a map's longer side; larger images are reduced, since errors of masks are larger than a pixel
STEPS = 8.0  # steps of a kept logit: a probability is off by 0.016 at most
ZERO = 128  # the byte of the logit 0


def reduced(values: Values) -> Values:
    """Average values over areas, so that the longer side is at most `LONGEST`.

    Args:
        values: float32 [height, width, n].

    Returns:
        float32 [rows, columns, n]; `values` themselves if they are small enough.
    """
    height, width = values.shape[:2]
    factor = LONGEST / max(height, width)
    return values if factor >= 1 else averaged(values, (max(round(height * factor), 1), max(round(width * factor), 1)))


def averaged(values: Values, shape: tuple[int, int]) -> Values:
    """Average values over areas.

    Args:
        values: float32 [height, width, n], or without the last axis.
        shape: Height and width of the result.

    Returns:
        float32 [*shape, n], or without the last axis.
    """
    if values.ndim == 2:
        return np.asarray(cv2.resize(values, shape[::-1], interpolation=cv2.INTER_AREA), np.float32)
    return np.stack([averaged(np.ascontiguousarray(part), shape) for part in np.moveaxis(values, -1, 0)], axis=-1)


def to_bytes(logits: Values) -> Bytes:
    """Round logits of any shape to `STEPS`; those beyond ±15.9 are cut off."""
    return np.clip(np.rint(logits * STEPS) + ZERO, 0, 255).astype(np.uint8)


def from_bytes(kept: Bytes) -> Values:
    """Return the logits of `to_bytes`, float32."""
    return (kept.astype(np.float32) - ZERO) / np.float32(STEPS)
