"""Separate objects that touch each other by a watershed on the distance transform."""

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.measure import label
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import watershed

DEPTH = 0.75  # pixels: the least depth of a valley between two parts; the distance transform itself is exact to a pixel
SHARE = 0.05  # of the object's largest distance to its outline: the same for large objects, whose outlines are uneven


def split_touching(inside: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Divide an object at its waists.

    The distance to the outline has a summit in each part. Two summits are of different parts if the distance falls on
    every way between them by more than `DEPTH` pixels and by more than `SHARE` of the object's largest distance below
    the lower summit (h-maxima, Soille 2003, chapter 6). The parts meet along the valley (watershed).

    Args:
        inside: The pixels of one object, bool [height, width]. What lies around the array is outside.

    Returns:
        The part of each pixel, from 1, int32 [height, width]; 0 outside. Each part is connected, also by corners.
    """
    padded = np.pad(inside, 1).view(np.uint8)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    depth = max(DEPTH, SHARE * float(distance.max()))
    own = slice(1, -1)
    if label(local_maxima(distance) & (padded > 0), connectivity=2, return_num=True)[1] < 2:
        return inside.astype(np.int32)
    lowered = reconstruction(np.maximum(distance - depth, 0), distance)
    markers = label(local_maxima(lowered) & (padded > 0), connectivity=2)
    parts = watershed(-distance, markers, mask=padded > 0, connectivity=2)
    return parts[own, own].astype(np.int32)
