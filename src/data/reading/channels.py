"""Masks of several channels: one-hot, colours in one number, and whether alpha is the mask."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from src.data.reading.unreadable import Unreadable

MOST_VALUES = 255  # different ones in a mask; no set has more classes
Array = NDArray[Any]


def one_hot(pixels: Array) -> NDArray[np.uint8] | None:
    """The number of the one channel that is set; None if not exactly one is in every pixel.

    Three channels of more than 1 are RGB: pure red, green and blue are colours that people draw with.
    """
    highest = pixels.max()
    if not highest > 0 or (pixels.shape[2] == 3 and highest > 1):
        return None
    chosen = pixels == highest
    if (chosen.sum(axis=-1) != 1).any() or (pixels[~chosen] != 0).any():
        return None
    return chosen.argmax(axis=-1).astype(np.uint8)


def packed(pixels: Array) -> NDArray[np.uint32]:
    """uint8 [height, width, n ≤ 4] → n bytes in one number, the first channel in the highest."""
    numbers = np.zeros(pixels.shape[:2], np.uint32)
    for channel in range(pixels.shape[2]):
        numbers = numbers << np.uint32(8) | pixels[..., channel]
    return numbers


def alpha_decides(pixels: Array, alpha: Array) -> bool:
    """Whether alpha, not colour, tells the classes apart: it varies where colour does not.

    Or two greys go with two alphas and the transparent one is the brighter: a dark drawing on transparent ground, or a
    one-hot mask of two channels. Read as grey, the ground would be the foreground.
    """
    if alpha.min() == alpha.max():
        return False
    if pixels.dtype != np.uint8:
        raise Unreadable(f"has an alpha channel of type {pixels.dtype}", "save it with 8 bits a channel")
    colours = packed(pixels if pixels.ndim == 3 else pixels[..., None])
    if colours.min() == colours.max():
        return True
    both = np.unique(colours.astype(np.int64) << 8 | alpha)
    if len(np.unique(both >> 8)) < len(both) or len(both) > MOST_VALUES:
        raise Unreadable("differs in colour and in alpha", "data.masks.read: alpha, or save it without alpha")
    grey = pixels.ndim == 2 or bool((pixels == pixels[..., :1]).all())
    return grey and len(both) == 2 and bool(both[0] & 255 > both[1] & 255)
