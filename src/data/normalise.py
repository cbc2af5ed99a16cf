"""What is done to every image before the network sees it, in training and in prediction alike.

Networks see square roots of intensities, standardised over the training images. The root is the same for every image
and data set; it spreads the dark half of the range, in which most pixels of many sets lie, at the cost of the bright.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from src.data.store import Record

ROOTS = np.sqrt(np.arange(256, dtype=np.float32))


def root_moments(image: NDArray[np.uint8], counted: NDArray[np.bool_]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of the square roots of an image's intensities, for each channel.

    counted: [height, width], the pixels to take; without any, both are 0.
    """
    mean, std = cv2.meanStdDev(cv2.LUT(image, ROOTS), mask=counted.astype(np.uint8))
    return [float(value) for value in mean.ravel()], [float(value) for value in std.ravel()]


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
    """(√intensity - mean) / std for each channel, mean and std taken over the training images."""

    mean: list[float]
    std: list[float]

    @classmethod
    def of(cls, records: Sequence[Record]) -> "Normalisation":
        """The normalisation of these images; a channel that never varies is divided by 1."""
        mean, std = pooled_moments(records)
        return cls(mean, [value if value > 0 else 1.0 for value in std])

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 [height, width, channels] → float32 of the same shape."""
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        return np.asarray((ROOTS[image] - mean) / std, np.float32)

    def undo(self, normalised: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The reverse, rounded and limited to 0 … 255."""
        roots = normalised * np.array(self.std, np.float32) + np.array(self.mean, np.float32)
        return (roots.clip(0, None) ** 2).round().clip(0, 255).astype(np.uint8)


def resized(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The image as `side` × `side` pixels, each an average over its area; unchanged if side is 0."""
    if not side:
        return image
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.uint8).reshape(side, side, -1)


def resized_mask(mask: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The mask as `side` × `side` pixels by nearest neighbour; unchanged if side is 0."""
    return np.asarray(cv2.resize(mask, (side, side), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8) if side else mask
