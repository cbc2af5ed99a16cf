"""Images and masks at another size."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

TOGETHER = 4  # channels that OpenCV averages at a time


def averaged(image: NDArray[Any], width: int, height: int) -> NDArray[Any]:
    """[height, width, channels] of the image's number type, each pixel the average over its area."""
    groups = [image[..., first : first + TOGETHER] for first in range(0, image.shape[2], TOGETHER)]
    small = [cv2.resize(group, (width, height), interpolation=cv2.INTER_AREA) for group in groups]
    return np.dstack(small) if len(small) > 1 else small[0].reshape(height, width, -1)


def resized(image: NDArray[Any], side: int) -> NDArray[Any]:
    """The image as `side` × `side` pixels; unchanged if side is 0."""
    return averaged(image, side, side) if side else image


def resized_mask(mask: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The mask as `side` × `side` pixels by nearest neighbour, which makes no new labels; unchanged if side is 0."""
    return nearest(mask, side, side) if side else mask


def nearest(mask: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """uint8 [height, width], each pixel that of the nearest centre."""
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
