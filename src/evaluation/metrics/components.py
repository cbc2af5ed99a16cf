"""The connected components of a mask."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from src.evaluation.metrics.confusion import Counts
from src.evaluation.metrics.regions import Mask


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
