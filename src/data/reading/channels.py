"""Reduce several channels to one number per pixel: luma weights, colours as 0xRRGGBB, one-hot masks, alpha masks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from src.data.reading.unreadable import Unreadable

LUMA_WEIGHTS = (0.299, 0.587, 0.114)  # of red, green, blue; ITU-R BT.601, which OpenCV and Pillow use, too
GREY_TO_COLOUR = 0x010101  # an 8-bit grey value times this is the same grey as a colour 0xRRGGBB
WHITE = 0xFFFFFF  # a set bit as a colour 0xRRGGBB
MAX_VALUES = 255  # distinct stored values of a mask; no data set has more classes
Pixels = NDArray[Any]  # Any: the file decides the dtype: bool, whole numbers or floats


def grey_weights(channels: int) -> NDArray[np.float32]:
    """Weights that turn the channels of an image into one grey channel by a weighted sum.

    Returns:
        float32 [channels]: the luma weights for three channels (red, green, blue), else equal weights.
    """
    return np.array(LUMA_WEIGHTS, np.float32) if channels == 3 else np.full(channels, 1 / channels, np.float32)


def one_hot_channel(pixels: Pixels) -> NDArray[np.uint8] | None:
    """Index of the channel that is set in each pixel, if the array is one-hot.

    An array of three channels with values above 1 is taken as RGB: pure red, green and blue are common mask colours.

    Args:
        pixels: [height, width, channels], any dtype.

    Returns:
        uint8 [height, width], or None if some pixel does not have exactly one channel set.
    """
    highest = pixels.max()
    if not highest > 0 or (pixels.shape[2] == 3 and highest > 1):
        return None
    chosen = pixels == highest
    if (chosen.sum(axis=-1) != 1).any() or (pixels[~chosen] != 0).any():
        return None
    return chosen.argmax(axis=-1).astype(np.uint8)


def pack_channels(pixels: Pixels) -> NDArray[np.uint32]:
    """Pack the 8-bit channels of a pixel into one number, so that RGB becomes 0xRRGGBB.

    Args:
        pixels: uint8 or bool [height, width, channels] with 1 to 4 channels.

    Returns:
        uint32 [height, width]; the first channel is the highest byte.
    """
    numbers = np.zeros(pixels.shape[:2], np.uint32)
    for channel in range(pixels.shape[2]):
        numbers = numbers << np.uint32(8) | pixels[..., channel]
    return numbers


def alpha_is_mask(pixels: Pixels, alpha: Pixels) -> bool:
    """Decide whether the classes of a mask are in its alpha channel rather than in its colours.

    They are if alpha varies and the colour does not. They are also if there are two greys with one alpha value each
    and the more transparent grey is the brighter one: a dark drawing on a transparent background, or a one-hot mask of
    two channels. Read as grey, the background of such a mask would become the foreground.

    Args:
        pixels: [height, width] grey or [height, width, 3] RGB.
        alpha: [height, width], the alpha channel.

    Raises:
        Unreadable: Colour and alpha vary independently, or the channels do not have 8 bits.
    """
    if alpha.min() == alpha.max():
        return False
    if pixels.dtype != np.uint8:
        raise Unreadable(f"has an alpha channel of type {pixels.dtype}", "save it with 8 bits a channel")
    colours = pack_channels(pixels if pixels.ndim == 3 else pixels[..., None])
    if colours.min() == colours.max():
        return True
    both = np.unique(colours.astype(np.int64) << 8 | alpha)
    if len(np.unique(both >> 8)) < len(both) or len(both) > MAX_VALUES:
        raise Unreadable("differs in colour and in alpha", "data.masks.read: alpha, or save it without alpha")
    grey = pixels.ndim == 2 or bool((pixels == pixels[..., :1]).all())
    return grey and len(both) == 2 and bool(both[0] & 255 > both[1] & 255)
