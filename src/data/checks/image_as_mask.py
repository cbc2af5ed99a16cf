"""Detect mask files that hold an image: exported from the wrong layer, or saved in the wrong folder."""

import numpy as np
from numpy.typing import NDArray

from src.data.checks.mask_interpretation import MOST_CLASSES
from src.data.reading.channels import LUMA_WEIGHTS, Pixels
from src.data.reading.stored_values import StoredValues
from src.params import Masks

SIDE = 256  # pixels along each side that are compared
CORRELATED = 0.95  # least correlation of mask and image, so that rescaled and lossy copies are found, too
FEW_VALUES = 4  # most distinct values of an image that may be a mask
FLAT = 0.5  # share of the two most frequent values above which a file is a mask, even if it has soft edges


def may_hold_image(values: StoredValues, masks: Masks) -> bool:
    """Return whether a mask file may hold an image, so that it should be compared with its image.

    Args:
        values: Stored values of the mask, after the settings.
        masks: The section data.masks.

    Returns:
        True if there are too many values for classes, or if a setting reduced them to two and would hide the mistake.
    """
    return len(values.pixels) > MOST_CLASSES or masks.threshold > 0 or masks.read == "instances"


def holds_image(mask: Pixels, image: Pixels) -> bool:
    """Return whether a mask file holds the image itself, perhaps in another range of numbers.

    Args:
        mask: Pixels of the mask file, [height, width, channels].
        image: The image, [height, width, channels].
    """
    if mask.shape[:2] != image.shape[:2]:
        return False
    one = _channels(mask)[0]
    counts = np.sort(np.unique(one, return_counts=True)[1])
    if len(counts) < 2 or counts[-2:].sum() > FLAT * one.size:
        return False
    others = [other for other in _channels(image) if other.std() > 0]
    return any(np.corrcoef(one.ravel(), other.ravel())[0, 1] > CORRELATED for other in others)


def looks_swapped(mask: Pixels, image: Pixels) -> bool:
    """Return whether the mask file looks like an image, and the image like a mask.

    Args:
        mask: Pixels of the mask file, [height, width, channels].
        image: The image, [height, width, channels].
    """
    one, other = _channels(mask)[0], _channels(image)[0]
    counts = np.sort(np.unique(one, return_counts=True)[1])
    return len(counts) > MOST_CLASSES and counts[-2:].sum() < FLAT * one.size and len(np.unique(other)) <= FEW_VALUES


def _channels(pixels: Pixels) -> list[NDArray[np.float64]]:
    """A sample of the pixels: the image in grey, then each of its channels."""
    step = max(1, min(pixels.shape[:2]) // SIDE)
    thin = pixels[::step, ::step].astype(np.float64)
    grey = thin @ np.array(LUMA_WEIGHTS) if thin.shape[-1] == 3 else thin.mean(axis=-1)
    return [grey, *np.moveaxis(thin, -1, 0)]
