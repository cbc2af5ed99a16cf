"""Small components of a mask given to what surrounds them: specks removed, holes filled."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from src.data.store.store import release
from src.evaluation.metrics.regions import Mask

STRIP = 2**22  # pixels that are looked at together, if `smallest` allows it: bounds the memory
AROUND = [(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1) if row or column]


def remove_small_components(mask: Mask, labels: Sequence[int], smallest: int, *, inside: bool = False) -> Mask:
    """The mask with every component of `labels` of less than `smallest` pixels given to a class that touches it.

    mask: uint8 [height, width] of class indices. A component's pixels get the class that is the most common among the
    pixels of other classes around it (those that touch it by a side or a corner, each counted once), of equally common
    ones the lowest. All are judged by the mask as it was, whatever becomes of their neighbours. A component that fills
    the picture stays.

    inside: only components that do not reach the picture's border: holes. They are 4-connected, as what surrounds them
    is 8-connected; otherwise 8-connected.

    Works in strips of rows, with the same result as at once. A window is a strip and what may reach into it, about
    max(`STRIP`, 3 `smallest` × width) pixels; it needs 20 bytes a pixel, and up to 100 where there are only specks.
    """
    result = np.array(mask)
    # A component of n pixels reaches n rows at most. So one that has pixels in a strip and more than n in all may be
    # cut by the window's edge, but what is left still has more than n; a smaller one is whole, with all around it.
    height, width = mask.shape
    for window, strip in _windows(height, width, halo=max(smallest, 0) + 1):
        pixels = np.ascontiguousarray(mask[window])
        own = slice(strip.start - window.start, strip.stop - window.start)
        for label in labels:
            numbers, given = _judged(pixels, label, smallest, own, inside)
            written = numbers[own] > 0
            result[strip][written] = given[numbers[own][written]]
        release(mask)
    return result


def _windows(height: int, width: int, halo: int) -> Iterator[tuple[slice, slice]]:
    """Strips of rows from top to bottom, each after the same with up to `halo` rows more at both ends."""
    step = max(STRIP // max(width, 1), halo)
    for top in range(0, height, step):
        end = min(top + step, height)
        yield slice(max(top - halo, 0), min(end + halo, height)), slice(top, end)


def _judged(pixels: Mask, label: int, smallest: int, own: slice, inside: bool) -> tuple[NDArray[np.int32], Mask]:
    """Which small component of `label` each pixel is in, from 1, else 0; and the class that each of them gets.

    own: the rows of the strip; only components that have pixels there are judged.
    """
    _, components, facts, _ = cv2.connectedComponentsWithStats(
        np.equal(pixels, label).view(np.uint8), connectivity=4 if inside else 8, ltype=cv2.CV_32S
    )
    left, top, width, height, area = np.asarray(facts, np.int64).T  # in the order of cv2.CC_STAT_LEFT … AREA
    small = (area < smallest) & (top < own.stop) & (top + height > own.start)
    if (
        inside
    ):  # what reaches from the strip to the edge of the window is too large, if that is not the picture's border
        small &= (left > 0) & (left + width < pixels.shape[1]) & (top > 0) & (top + height < pixels.shape[0])
    small[0] = False  # all other classes
    numbers = np.where(small, np.cumsum(small), 0).astype(np.int32)[components]
    return numbers, _commonest_around(pixels, numbers, label, int(small.sum()))


def _commonest_around(pixels: Mask, numbers: NDArray[np.int32], label: int, count: int) -> Mask:
    """Of components 1 … `count` of class `label` the class that most pixels around them have, uint8 [count + 1]."""
    around = cv2.dilate((numbers > 0).view(np.uint8), np.ones((3, 3), np.uint8)).view(np.bool_) & (pixels != label)
    row, column = np.nonzero(around)
    padded = np.pad(numbers, 1)
    touched = np.stack([padded[row + 1 + down, column + 1 + right] for down, right in AROUND])
    touched.sort(axis=0)  # so that a pixel that touches a component twice counts once
    counted = touched > 0
    counted[1:] &= touched[1:] != touched[:-1]
    component, found = touched[counted], np.broadcast_to(pixels[row, column], counted.shape)[counted]
    most, given = np.zeros(count + 1, np.int64), np.full(count + 1, label, np.uint8)
    for value in np.unique(found):  # rising: of equally common ones the lowest stays
        votes = np.bincount(component[found == value], minlength=count + 1)
        given[votes > most] = value
        most = np.maximum(most, votes)
    return given
