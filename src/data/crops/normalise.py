"""What is done to every image before the network sees it, in training and in prediction alike.

Networks see standardised intensities, of whole numbers (8 and 16 bits) their square roots: the root spreads the dark
part of the range, in which most pixels of many sets lie, at the cost of the bright. Both follow from the number type,
never from what an image holds. Floats, which may be negative or logarithms already, are taken as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from src.data.store.store import Record, release, strips

ROOTS = np.sqrt(np.arange(256, dtype=np.float32))
LARGEST = 1e18  # of floats: the square of a larger one is more than float32 holds
FLAT = 1e-6  # share of its mean below which a deviation is rounding
UNLIKE = 8.0  # times as dark or bright; 12 bits in place of 16 are 16 times as dark
THINNED = 512  # pixels of a side that are looked at
Pixels = NDArray[Any]


def scaled(pixels: Pixels) -> NDArray[np.float32]:
    """Square roots of uint8 and uint16, float32 as it is."""
    if pixels.dtype == np.uint8:
        return np.asarray(cv2.LUT(np.ascontiguousarray(pixels), ROOTS), np.float32).reshape(pixels.shape)
    return np.sqrt(pixels, dtype=np.float32) if pixels.dtype == np.uint16 else pixels


def usable(image: Pixels) -> bool:
    """Whether an image holds nothing but numbers that can be computed with: no NaN, none infinite or absurdly large."""
    return image.dtype != np.float32 or all((abs(image[rows]) < LARGEST).all() for rows in strips(*image.shape[:2]))


def moments(image: Pixels, counted: NDArray[np.bool_] | None = None) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of an image's scaled intensities, for each channel, strip by strip.

    counted: [height, width], the pixels to take, all of them if None; without any, both are 0.
    """
    pixels, mean, variance = 0, np.zeros(image.shape[2]), np.zeros(image.shape[2])
    for rows in strips(*image.shape[:2]):
        taken = None if counted is None else counted[rows].astype(np.uint8)
        number = image[rows].shape[0] * image.shape[1] if taken is None else int(np.count_nonzero(taken))
        found, spread = _strip_moments(image[rows], taken)
        pixels += number
        share = number / max(pixels, 1)  # two parts are joined: Chan, Golub and LeVeque 1979
        variance = (1 - share) * variance + share * spread**2 + share * (1 - share) * (found - mean) ** 2
        mean = mean + share * (found - mean)
        release(image)
    return mean.tolist(), np.sqrt(variance).tolist()


def other_range(image: Pixels, mean: Sequence[float]) -> bool:
    """Whether an image is `UNLIKE` times darker or brighter than the training images, as of another bit depth or scale.

    Args:
        image: [height, width, channels], of the number type that was trained on.
        mean: of the training pixels' scaled intensities, for each channel.
    """
    step = max(1, min(image.shape[:2]) // THINNED)
    found, usual = float(scaled(image[::step, ::step]).mean()), float(np.mean(mean))
    if min(found, usual) <= 0:  # of floats around 0 nothing can be said
        return False
    ratio = (found / usual) ** (1 if image.dtype == np.float32 else 2)
    return not 1 / UNLIKE < ratio < UNLIKE


def _strip_moments(pixels: Pixels, taken: NDArray[np.uint8] | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each channel; of 8 bits from its histogram, which is quicker."""
    if pixels.dtype != np.uint8:
        mean, std = cv2.meanStdDev(scaled(pixels), mask=taken)
        return np.asarray(mean, float).ravel(), np.asarray(std, float).ravel()
    counted = [cv2.calcHist([pixels], [c], taken, [256], [0, 256]).ravel() for c in range(pixels.shape[2])]
    shares = np.array(counted, float)  # OpenCV counts in float32, exactly up to 2**24, which is more than a strip
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1)
    mean = shares @ ROOTS.astype(float)
    return mean, np.sqrt((shares * (ROOTS - mean[:, None]) ** 2).sum(axis=1))


def pooled_moments(records: Sequence[Record]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel over all counted pixels of `records`, from those of each image."""
    weights = np.array([sum(record.pixels) for record in records], float)
    weights /= weights.sum()
    means, stds = (np.array([getattr(record, name) for record in records]) for name in ("mean", "std"))
    mean = weights @ means
    variance = weights @ (stds**2 + (means - mean) ** 2)
    return mean.tolist(), np.sqrt(variance).tolist()


@dataclass(frozen=True)
class Normalisation:
    """(scaled intensity - mean) / std for each channel; a channel that never varies is divided by 1."""

    mean: list[float]
    std: list[float]

    @classmethod
    def of(cls, records: Sequence[Record]) -> "Normalisation":
        """That of the training images, for every image alike."""
        return cls(*pooled_moments(records))

    @classmethod
    def of_image(cls, image: Pixels) -> "Normalisation":
        """That of one image, whose intensities cannot be compared with those of others."""
        return cls(*moments(image))

    def __call__(self, image: Pixels) -> NDArray[np.float32]:
        """uint8, uint16 or float32 [height, width, channels] → float32 of the same shape."""
        if image.dtype == np.uint8:  # the same numbers, looked up
            table = self._standardised(np.repeat(ROOTS[None, :, None], image.shape[2], axis=2))
            return np.asarray(cv2.LUT(np.ascontiguousarray(image), table), np.float32).reshape(image.shape)
        return self._standardised(scaled(image))

    def _standardised(self, intensities: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray((intensities - np.array(self.mean, np.float32)) / self._divisor(), np.float32)

    def undo(self, normalised: NDArray[np.float32], dtype: Any) -> Pixels:
        """The reverse, as numbers of `dtype`, rounded and limited to its range if it is a whole one."""
        pixels = normalised * self._divisor() + np.array(self.mean, np.float32)
        if dtype == np.float32:
            return pixels
        return np.asarray((pixels.clip(0, None) ** 2).round().clip(0, np.iinfo(dtype).max)).astype(dtype)

    def _divisor(self) -> NDArray[np.float32]:
        pairs = zip(self.mean, self.std, strict=True)
        return np.array([std if std > FLAT * abs(mean) else 1.0 for mean, std in pairs], np.float32)
