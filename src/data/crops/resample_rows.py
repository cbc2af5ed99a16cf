"""Resample some rows of an array at a time, so that the memory for the result is bounded.

Pixels are areas. The centre of pixel i of n lies at (i + 0.5) / n of the side before and after, so that nothing shifts.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from src.data.store.store import Pixels, release, strips

MOST_AVERAGED = 4  # channels that OpenCV averages in one call
MOST_INTERPOLATED = 64  # channels that OpenCV interpolates in one call; it takes 128 at most
TOGETHER = 2**22  # numbers that are converted to float32 together: 16 MiB


def resample_rows(pixels: Pixels, rows: slice, height: int, width: int) -> NDArray[np.float32]:
    """Resample an array, and return some of the rows: averages over areas if it shrinks, else bilinear.

    Args:
        pixels: [height, width, channels] of any size.
        rows: The rows of the result to compute, with a start and a stop.
        height: Height of the whole result in pixels.
        width: Width of the whole result in pixels.

    Returns:
        float32 [rows, width, channels].
    """
    if height < len(pixels):
        return _resized_rows(_averaged(pixels, rows, height), width, cv2.INTER_AREA, MOST_AVERAGED)
    return _resized_rows(_interpolated(pixels, rows, height), width, cv2.INTER_LINEAR, MOST_INTERPOLATED)


def _averaged(pixels: Pixels, rows: slice, height: int) -> NDArray[np.float32]:
    """The vertical averages: float32 [rows, width of the pixels, channels]. A pixel may count in part."""
    before = len(pixels)
    averaged = np.zeros((rows.stop - rows.start, *pixels.shape[1:]), np.float32)
    for place, row in enumerate(range(rows.start, rows.stop)):
        first, last = row * before // height, -(-(row + 1) * before // height)  # exact, unlike products of floats
        edges = np.arange(first, last + 1).clip(row * before / height, (row + 1) * before / height)
        shares = (np.diff(edges) * height / before).astype(np.float32)
        for part in strips(last - first, averaged[place].size, TOGETHER):
            used = np.asarray(pixels[first + part.start : first + part.stop], np.float32)
            averaged[place] += np.tensordot(shares[part], used, 1)
        release(pixels)
    return averaged


def _interpolated(pixels: Pixels, rows: slice, height: int) -> NDArray[np.float32]:
    """Vertical linear interpolation between the centres of pixels: float32 [rows, width of the pixels, channels]."""
    last = len(pixels) - 1
    places = ((np.arange(rows.start, rows.stop) + 0.5) * len(pixels) / height - 0.5).clip(0, last)
    above = np.minimum(places.astype(int), max(last - 1, 0))
    shares = (places - above)[:, None, None].astype(np.float32)
    return np.asarray(pixels[above] * (1 - shares) + pixels[np.minimum(above + 1, last)] * shares, np.float32)


def _resized_rows(strip: NDArray[np.float32], width: int, interpolation: int, most: int) -> NDArray[np.float32]:
    """Resize the rows horizontally, `most` channels in one call."""
    height, _, channels = strip.shape
    parts = [strip[..., first : first + most] for first in range(0, channels, most)]
    resized = [cv2.resize(part, (width, height), interpolation=interpolation) for part in parts]
    return np.concatenate([part.reshape(height, width, -1) for part in resized], axis=2, dtype=np.float32)
