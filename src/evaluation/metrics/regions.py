"""Each class of an image by itself, cut out to where it is: what scores of shapes look at."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

LARGEST = 64_000_000  # pixels of an image above which boundaries and objects are left out: they need it as a whole
Mask = NDArray[np.uint8]


def class_masks(truth: Mask, prediction: Mask, classes: int) -> Iterator[tuple[Mask, Mask]]:
    """Of each class where it is true and where it was predicted, uint8 0 or 1 [height, width], in the classes' order.

    truth, prediction: uint8 [height, width] of class indices; pixels whose truth is no class (IGNORE) are in no class
    of either. Both masks are cut out to the smallest rectangle that holds the class; of a class that is nowhere they
    are [0, 0]. ValueError if the shapes differ.
    """
    if truth.shape != prediction.shape:
        raise ValueError(f"truth is {truth.shape}, prediction {prediction.shape}")
    counted = truth < classes
    pair = [np.where(counted, mask + np.uint8(1), np.uint8(0)) for mask in (truth, prediction)]  # 0 is no class
    places = [find_objects(mask, classes) for mask in pair]
    for label, (true, found) in enumerate(zip(*places, strict=True), start=1):
        rows, columns = (_span(true, found, axis) for axis in (0, 1))
        one, other = ((mask[rows, columns] == label).view(np.uint8) for mask in pair)
        yield one, other


def _span(one: tuple[slice, ...] | None, other: tuple[slice, ...] | None, axis: int) -> slice:
    spans = [place[axis] for place in (one, other) if place is not None]
    return slice(min((span.start for span in spans), default=0), max((span.stop for span in spans), default=0))
