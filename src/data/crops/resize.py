"""Resize images and masks, and scale them to a shorter side with the aspect ratio kept."""

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from src.data.crops.resample_rows import MOST_AVERAGED, TOGETHER, resample_rows
from src.data.store.store import LARGE, Number, strips
from src.errors import UserError

MOST_PIXELS = 2**28  # of a scaled image, which lies in memory as a whole; a square of the largest data.resize has them
Value = TypeVar("Value", bound=Number)


class TooLarge(UserError):
    """A scaled image would have more than `MOST_PIXELS` pixels."""


def scaled_size(height: int, width: int, side: int) -> tuple[int, int]:
    """Return the size of an image whose shorter side becomes `side`, with the aspect ratio kept.

    Args:
        height: Height of the image in pixels.
        width: Width of the image in pixels.
        side: The new shorter side in pixels; 0 leaves the image as it is.

    Returns:
        Height and width in whole pixels. The longer side is rounded; halves are rounded up.
    """
    if not side:
        return height, width
    shorter = min(height, width)
    return (2 * height * side + shorter) // (2 * shorter), (2 * width * side + shorter) // (2 * shorter)


def scale_image(image: NDArray[Value], side: int) -> NDArray[Value]:
    """Scale an image to a shorter side: averages over areas if it becomes smaller, cubic if it becomes larger.

    Args:
        image: [height, width, channels].
        side: The new shorter side in pixels; 0 leaves the image as it is.

    Returns:
        [height, width, channels] of the same number type, with a size as `scaled_size` says. No value leaves the range
        of the number type; floats stay between the lowest and the highest value of their channel, but for rounding.

    Raises:
        TooLarge: The result would have more than `MOST_PIXELS` pixels.
    """
    height, width = scaled_size(len(image), image.shape[1], side)
    if (height, width) == image.shape[:2]:
        return image
    if height * width > MOST_PIXELS:
        most = f"more than {MOST_PIXELS:,}"
        remedy = "cut the image, or train with a lower data.resize"
        raise TooLarge(f"with data.resize: {side} an image would have {height} × {width} pixels, {most}: {remedy}")
    return resize_image(image, width, height) if height < len(image) else _enlarge_image(image, width, height)


def scale_mask(mask: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Scale a mask to a shorter side, by nearest neighbour: each label is one that the mask has at that place.

    Args:
        mask: uint8 [height, width].
        side: The new shorter side in pixels; 0 leaves the mask as it is.

    Returns:
        uint8 [height, width], with a size as `scaled_size` says.
    """
    height, width = scaled_size(len(mask), mask.shape[1], side)
    return mask if (height, width) == mask.shape else resize_mask(mask, width, height)


def resize_image(image: NDArray[Value], width: int, height: int) -> NDArray[Value]:
    """Resize an image; each new pixel is the average over its area.

    An image of more than `LARGE` bytes that becomes smaller is averaged strip by strip, as it may not fit into memory.

    Args:
        image: [height, width, channels].
        width: New width in pixels.
        height: New height in pixels.

    Returns:
        [height, width, channels] of the same number type.
    """
    if image.nbytes > LARGE and height < image.shape[0] and width < image.shape[1]:
        return _average_in_strips(image, width, height)
    return _resize_parts(image, width, height, cv2.INTER_AREA)


def resize_mask(mask: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Resize a mask by nearest neighbour.

    Args:
        mask: uint8 [height, width].
        width: New width in pixels.
        height: New height in pixels.
    """
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)


def _average_in_strips(image: NDArray[Value], width: int, height: int) -> NDArray[Value]:
    small = np.empty((height, width, image.shape[2]), image.dtype)
    for rows in strips(height, image.shape[1] * image.shape[2], TOGETHER):
        averaged = resample_rows(image, rows, height, width)
        small[rows] = averaged if image.dtype == np.float32 else np.rint(averaged)
    return small


def _enlarge_image(image: NDArray[Value], width: int, height: int) -> NDArray[Value]:
    """Cubic interpolation; OpenCV rounds whole numbers into their range where it overshoots."""
    large = _resize_parts(image, width, height, cv2.INTER_CUBIC)
    if image.dtype == np.float32:
        np.clip(large, image.min(axis=(0, 1)), image.max(axis=(0, 1)), out=large)
    return large


def _resize_parts(image: NDArray[Value], width: int, height: int, interpolation: int) -> NDArray[Value]:
    """Resize with OpenCV, `MOST_AVERAGED` channels in one call."""
    parts = [image[..., first : first + MOST_AVERAGED] for first in range(0, image.shape[2], MOST_AVERAGED)]
    resized = [cv2.resize(part, (width, height), interpolation=interpolation) for part in parts]
    stacked = np.dstack(resized) if len(resized) > 1 else resized[0].reshape(height, width, -1)
    return np.asarray(stacked, image.dtype)
