"""What is done to every image before the network sees it, in training and in prediction alike."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from src.data.store import Store, intensity


@dataclass(frozen=True)
class Normalisation:
    """(intensity - mean) / std for each channel, taken over the training images; std 0 is replaced by 1."""

    mean: list[float]
    std: list[float]

    @classmethod
    def of(cls, store: Store, indices: Sequence[int]) -> "Normalisation":
        mean, std = intensity([store.records[index] for index in indices])
        return cls(mean, [value if value > 0 else 1.0 for value in std])

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 [height, width, channels] → float32 of the same shape."""
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        return np.asarray((image.astype(np.float32) - mean) / std, np.float32)

    def undo(self, normalised: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The reverse, rounded and limited to 0 … 255."""
        return (
            (normalised * np.array(self.std, np.float32) + np.array(self.mean, np.float32))
            .round()
            .clip(0, 255)
            .astype(np.uint8)
        )


def resized(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The image as `side` × `side` pixels, each an average over its area; unchanged if side is 0."""
    if not side:
        return image
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.uint8).reshape(side, side, -1)


def resized_mask(mask: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The mask as `side` × `side` pixels by nearest neighbour; unchanged if side is 0."""
    return np.asarray(cv2.resize(mask, (side, side), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8) if side else mask
