"""Changes of a whole mask that would make it fit the prediction better: a shift, or an exchange of classes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.optimize import linear_sum_assignment

from src.suspects.evidence import Evidence
from src.suspects.maps import Values

FARTHEST = 0.2  # of the sides: longer shifts leave too little of the image to compare
LEAST = 0.5  # nats: smaller gains are rounding
Spectrum = NDArray[np.complex64]


@dataclass(frozen=True)
class Shift:
    """The shift of a mask that fits the prediction best.

    Attributes:
        gain: Nats of log-likelihood.
        down: Pixels of the map that the mask has to be moved down.
        right: Pixels of the map that it has to be moved to the right.
    """

    gain: float
    down: int
    right: int


@dataclass(frozen=True)
class Exchange:
    """The exchange of classes that fits the prediction best.

    Attributes:
        gain: Nats of log-likelihood.
        classes: The class that the pixels of each class should have.
    """

    gain: float
    classes: list[int]


def best_shift(found: Evidence) -> Shift | None:
    """Find the best shift by cross-correlation, with the fast Fourier transform.

    For each shift, the moved mask is compared with the mask as it is, over the pixels that both cover.

    Args:
        found: The prediction and the mask.

    Returns:
        The shift, or None if the mask fits best where it is.
    """
    gains = shift_gains(found)
    down, right = (side // 2 for side in gains.shape)
    row, column = np.unravel_index(int(gains.argmax()), gains.shape)
    gain = float(gains[row, column])
    return Shift(gain, int(row) - down, int(column) - right) if gain > LEAST else None


def shift_gains(found: Evidence) -> Values:
    """Return what each shift gains, in nats: float32 [2 n + 1, 2 m + 1], without a shift in the middle.

    n and m are `FARTHEST` of the height and the width.
    """
    height, width = found.counted.shape
    down, right = int(FARTHEST * height), int(FARTHEST * width)
    shape = (next_fast_len(height + down, real=True), next_fast_len(width + right, real=True))
    total = np.zeros((shape[0], shape[1] // 2 + 1), np.complex64)
    for margin, plane in zip(found.margins, found.planes, strict=True):
        if margin.any():
            total += _correlation(margin, plane, shape)
    total -= _correlation((found.margins * found.planes).sum(axis=0), found.counted, shape)
    gains = irfft2(total, shape)
    return np.asarray(gains[np.ix_(np.arange(-down, down + 1), np.arange(-right, right + 1))], np.float32)


def best_exchange(found: Evidence) -> Exchange | None:
    """Find the permutation of classes that fits best, which is an assignment problem.

    Args:
        found: The prediction and the mask.

    Returns:
        The exchange, or None if the classes fit best as they are.
    """
    classes = len(found.planes)
    planes, margins = (values.reshape(classes, -1) for values in (found.planes, found.margins))
    fits = (planes @ margins.T).astype(np.float64)
    rows, columns = linear_sum_assignment(fits, maximize=True)
    gain = float(fits[rows, columns].sum() - np.trace(fits))
    return Exchange(gain, columns.tolist()) if gain > LEAST else None


def _correlation(one: Values, two: Values, shape: tuple[int, int]) -> Spectrum:
    """The spectrum of the cross-correlation: at (y, x), the sum over p of one(p + (y, x)) × two(p)."""
    return np.asarray(rfft2(one, shape) * np.conj(rfft2(two, shape)))
