"""Mask files that hold an image: exported from the wrong layer, or in the wrong folder."""

import numpy as np
from numpy.typing import NDArray

from src.data.checks.mask_interpretation import MOST_CLASSES
from src.data.reading.channels import LUMA_WEIGHTS, Pixels
from src.data.reading.masks import StoredValues
from src.params import Masks

SIDE = 256  # pixels that are compared along each side
CORRELATED = 0.95  # of the two as grey: saved again, with other numbers, or lossy
FEW_VALUES = 4  # of an image that may be a mask
FLAT = 0.5  # share of the two most frequent values above which something is a mask, as smooth as its edges may be


def may_hold_image(values: StoredValues, masks: Masks) -> bool:
    """Whether a mask holds too many values for classes, or a setting made two of them, so that nobody would notice."""
    return len(values.pixels) > MOST_CLASSES or masks.threshold > 0 or masks.read == "instances"


def holds_image(mask: Pixels, image: Pixels) -> bool:
    """Whether a mask file's pixels, [height, width, channels], are those of the image, perhaps in another range."""
    if mask.shape[:2] != image.shape[:2]:
        return False
    one = _channels(mask)[0]
    counts = np.sort(np.unique(one, return_counts=True)[1])
    if len(counts) < 2 or counts[-2:].sum() > FLAT * one.size:
        return False
    others = [other for other in _channels(image) if other.std() > 0]
    return any(np.corrcoef(one.ravel(), other.ravel())[0, 1] > CORRELATED for other in others)


def looks_swapped(mask: Pixels, image: Pixels) -> bool:
    """Whether a mask file's pixels are those of a picture, and the image's no more than a mask's."""
    one, other = _channels(mask)[0], _channels(image)[0]
    counts = np.sort(np.unique(one, return_counts=True)[1])
    return len(counts) > MOST_CLASSES and counts[-2:].sum() < FLAT * one.size and len(np.unique(other)) <= FEW_VALUES


def _channels(pixels: Pixels) -> list[NDArray[np.float64]]:
    """Thinned out: the image in grey, then its channels."""
    step = max(1, min(pixels.shape[:2]) // SIDE)
    thin = pixels[::step, ::step].astype(np.float64)
    grey = thin @ np.array(LUMA_WEIGHTS) if thin.shape[-1] == 3 else thin.mean(axis=-1)
    return [grey, *np.moveaxis(thin, -1, 0)]
