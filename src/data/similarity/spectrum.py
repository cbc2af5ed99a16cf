"""The cosine transform of small images."""

import functools

import numpy as np
from numpy.typing import NDArray


@functools.cache
def cosines(size: int, number: int) -> NDArray[np.float32]:
    """Matrix of the cosine transform (DCT-II), which does not depend on the size of the image.

    The transform is divided by that of a pixel's own width. Otherwise a smaller copy of an image would lose its high
    frequencies.

    Args:
        size: Number of pixels.
        number: Number of frequencies.

    Returns:
        float32 [number, size]. Frequencies that `size` pixels cannot represent are zeros.
    """
    frequency = np.arange(number)[:, None]
    waves = np.cos(np.pi * frequency * (np.arange(size) + 0.5) / size) / np.sinc(frequency / 2 / size)
    return np.where(frequency < size, waves * np.where(frequency, 1, np.sqrt(0.5)), 0).astype(np.float32)
