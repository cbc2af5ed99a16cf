"""The cosine transform of small pictures."""

import functools

import numpy as np
from numpy.typing import NDArray


@functools.cache
def cosines(size: int, number: int) -> NDArray[np.float32]:
    """[number, size]: the cosine transform (DCT-II) of `size` pixels; zeros for frequencies beyond what they can hold.

    Divided by the transform of a pixel's own width, or a smaller copy of an image would lose its high frequencies.
    """
    frequency = np.arange(number)[:, None]
    waves = np.cos(np.pi * frequency * (np.arange(size) + 0.5) / size) / np.sinc(frequency / 2 / size)
    return np.where(frequency < size, waves * np.where(frequency, 1, np.sqrt(0.5)), 0).astype(np.float32)
