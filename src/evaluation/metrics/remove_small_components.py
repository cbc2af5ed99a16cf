"""Post-processing: small components of a mask get the class that surrounds them, so specks vanish and holes fill."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from src.data.store.store import release
from src.evaluation.metrics.components import connected_components
from src.evaluation.metrics.regions import Mask

STRIP = 2**22  # pixels of a strip, if `smallest` allows it; bounds the memory
AROUND = [(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1) if row or column]


def remove_small_components(mask: Mask, labels: Sequence[int], smallest: int, *, inside: bool = False) -> Mask:
    """Replace the class of every small component by the most common class around it.

    The pixels around a component are those of other classes that touch it by a side or a corner, each counted once.
    Between equally common classes the lowest index wins. All components are judged by the mask as it was given. A
    component that fills the whole image stays.

    The mask is processed in strips of rows, with the same result as in one piece. A strip and the rows that may reach
    into it have about max(`STRIP`, 3 `smallest` × width) pixels and need 20 bytes a pixel, or up to 100 if the mask
    consists of specks.

    Args:
        mask: Class indices, uint8 [height, width]; not changed.
        labels: The classes whose components may be replaced.
        smallest: Components of fewer pixels are replaced.
        inside: Replace only components that do not touch the image's border (holes). These are 4-connected, since what
            surrounds them is 8-connected. Otherwise components are 8-connected.

    Returns:
        A new mask, uint8 [height, width].
    """
    result = np.array(mask)
    # A component of n pixels spans at most n rows. If it has pixels in a strip and more than n pixels in all, the
    # window's edge may cut it, but the part that is left still has more than n. A smaller one is whole in the window,
    # with all pixels around it.
    height, width = mask.shape
    for window, strip in _windows(height, width, halo=max(smallest, 0) + 1):
        pixels = np.ascontiguousarray(mask[window])
        own = slice(strip.start - window.start, strip.stop - window.start)
        for label in labels:
            numbers, replacements = _small_components(pixels, label, smallest, own, inside)
            written = numbers[own] > 0
            result[strip][written] = replacements[numbers[own][written]]
        release(mask)
    return result


def _windows(height: int, width: int, halo: int) -> Iterator[tuple[slice, slice]]:
    """Strips of rows from top to bottom; before each, the window: the strip and up to `halo` rows at both ends."""
    step = max(STRIP // max(width, 1), halo)
    for top in range(0, height, step):
        end = min(top + step, height)
        yield slice(max(top - halo, 0), min(end + halo, height)), slice(top, end)


def _small_components(
    pixels: Mask, label: int, smallest: int, own: slice, inside: bool
) -> tuple[NDArray[np.int32], Mask]:
    """The number of each pixel's small component of `label`, from 1, else 0; and the class that each of them gets.

    own: the rows of the strip. Only components that have pixels there are judged.
    """
    found = connected_components(np.equal(pixels, label).view(np.uint8), 4 if inside else 8)
    top, left, bottom, right = found.top, found.left, found.top + found.height, found.left + found.width
    small = (found.areas < smallest) & (top < own.stop) & (bottom > own.start)
    if inside:
        # A component that reaches from the strip to an edge of the window that is not the image's border is too large.
        small &= (left > 0) & (right < pixels.shape[1]) & (top > 0) & (bottom < pixels.shape[0])
    small[0] = False  # all other classes
    numbers = np.where(small, np.cumsum(small), 0).astype(np.int32)[found.labels]
    return numbers, _commonest_around(pixels, numbers, label, int(small.sum()))


def _commonest_around(pixels: Mask, numbers: NDArray[np.int32], label: int, count: int) -> Mask:
    """The most common class around each of the components 1 … `count` of class `label`, uint8 [count + 1]."""
    around = cv2.dilate((numbers > 0).view(np.uint8), np.ones((3, 3), np.uint8)).view(np.bool_) & (pixels != label)
    row, column = np.nonzero(around)
    padded = np.pad(numbers, 1)
    touched = np.stack([padded[row + 1 + down, column + 1 + right] for down, right in AROUND])
    touched.sort(axis=0)  # so that a pixel that touches a component twice counts once
    counted = touched > 0
    counted[1:] &= touched[1:] != touched[:-1]
    component, classes = touched[counted], np.broadcast_to(pixels[row, column], counted.shape)[counted]
    most, commonest = np.zeros(count + 1, np.int64), np.full(count + 1, label, np.uint8)
    for value in np.unique(classes):  # rising, so that the lowest of equally common classes wins
        votes = np.bincount(component[classes == value], minlength=count + 1)
        commonest[votes > most] = value
        most = np.maximum(most, votes)
    return commonest
