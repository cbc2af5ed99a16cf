"""The mask of each class by itself, and the connected components of a mask."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from src.evaluation.metrics.confusion import Counts

Mask = NDArray[np.uint8]


def class_masks(truth: Mask, prediction: Mask, classes: int) -> Iterator[tuple[Mask, Mask]]:
    """Yield for each class where it is in the truth and where it is predicted, cropped to where it is in either.

    Args:
        truth: Class indices, uint8 [height, width]. Pixels of `classes` or more (the ignore index) belong to no class
            in either mask.
        prediction: Class indices, uint8 [height, width].
        classes: Number of classes.

    Yields:
        A pair of masks for each class in order, uint8 of 0 and 1, cropped to the smallest rectangle that holds the
        class in both. For a class that is in neither they are [0, 0].

    Raises:
        ValueError: The shapes differ.
    """
    if truth.shape != prediction.shape:
        raise ValueError(f"truth is {truth.shape}, prediction {prediction.shape}")
    counted = truth < classes
    pair = [np.where(counted, mask + np.uint8(1), np.uint8(0)) for mask in (truth, prediction)]  # 0 is no class
    places = [find_objects(mask, classes) for mask in pair]
    for label, (true, predicted) in enumerate(zip(*places, strict=True), start=1):
        rows, columns = (_span(true, predicted, axis) for axis in (0, 1))
        one, other = ((mask[rows, columns] == label).view(np.uint8) for mask in pair)
        yield one, other


def _span(one: tuple[slice, ...] | None, other: tuple[slice, ...] | None, axis: int) -> slice:
    spans = [place[axis] for place in (one, other) if place is not None]
    return slice(min((span.start for span in spans), default=0), max((span.stop for span in spans), default=0))


@dataclass(frozen=True)
class Components:
    """The connected components of a mask. Entry 0 of every list is the background, entry n is component n.

    Attributes:
        labels: The component of each pixel, int32 [height, width]; 0 for the background.
        left: First column of the bounding box, int64 [components + 1], as the next four.
        top: First row of the bounding box.
        width: Columns of the bounding box.
        height: Rows of the bounding box.
        areas: Number of pixels.
    """

    labels: NDArray[np.int32]
    left: Counts
    top: Counts
    width: Counts
    height: Counts
    areas: Counts


def connected_components(mask: Mask, connectivity: Literal[4, 8]) -> Components:
    """Label the connected components of a mask (OpenCV).

    Args:
        mask: uint8 [height, width], not empty; pixels other than 0 belong to components.
        connectivity: 4 if pixels are connected by sides only, 8 if also by corners.

    Returns:
        The components, numbered from 1.
    """
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=connectivity, ltype=cv2.CV_32S)
    left, top, width, height, areas = np.asarray(stats, np.int64).T  # in the order of cv2.CC_STAT_LEFT … AREA
    return Components(labels.astype(np.int32, copy=False), left, top, width, height, areas)
