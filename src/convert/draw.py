"""Draws the mask of an image: a value for each class, or a number for each object."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from src.convert.annotations import Item, Shape
from src.convert.frame import apply_orientation
from src.convert.regions import Region
from src.data.source.dataset import IGNORE

MOST_OBJECTS = 2**16 - 1  # numbers in a mask of 16 bits
Counts = Counter[str]


def draw_mask(item: Item, by_size: bool) -> tuple[NDArray[np.uint8], Counts]:
    """Draw the classes of an image. Later shapes cover earlier ones.

    Args:
        item: The image with its shapes. Those with `below_others` are drawn first.
        by_size: Draw larger shapes first; else shapes are drawn in their order.

    Returns:
        The mask of stored values, uint8 [height, width], as the image is shown; and the counts of `Summary` for this
        image: shapes, cut, invisible, redundant, hidden, overlaps.
    """
    mask, counts = np.zeros((item.frame.height, item.frame.width), np.uint8), Counts()
    drawn = [(shape, shape.draw()) for shape in item.shapes]
    drawn.sort(key=lambda pair: (not pair[0].below_others, -pair[1].area if by_size else 0))  # a stable sort
    for shape, region in drawn:
        window = _window(mask, region)
        taken = region.inside & (window != 0) & (window != IGNORE) & (window != shape.value)
        visible, is_class = bool(region.inside.any()), shape.value not in (0, IGNORE)
        counts.update(shapes=1, cut=shape.cut, invisible=not visible, overlaps=int(np.count_nonzero(taken)))
        counts.update(redundant=visible and is_class and bool((window[region.inside] == shape.value).all()))
        window[region.inside] = shape.value
    counts["hidden"] = sum(_is_hidden(shape, region, mask) for shape, region in drawn if not shape.below_others)
    return apply_orientation(mask, item.frame.orientation), counts


def draw_numbers(item: Item) -> tuple[NDArray[np.uint16], Counts]:
    """Draw the objects of an image with the numbers 1, 2 … in their order. Later objects cover earlier ones.

    Args:
        item: The image with one shape for each object, at most `MOST_OBJECTS`.

    Returns:
        The mask of numbers, uint16 [height, width], as the image is shown; and the counts of `Summary` for this image:
        shapes, cut, invisible, hidden, overlaps.
    """
    mask, counts = np.zeros((item.frame.height, item.frame.width), np.uint16), Counts()
    for number, shape in enumerate(item.shapes, 1):
        region = shape.draw()
        window = _window(mask, region)
        taken = int(np.count_nonzero(window[region.inside]))
        counts.update(shapes=1, cut=shape.cut, invisible=not region.inside.any(), overlaps=taken)
        window[region.inside] = number
    counts["hidden"] = counts["shapes"] - counts["invisible"] - np.unique(mask[mask > 0]).size
    return apply_orientation(mask, item.frame.orientation), counts


def _window(mask: NDArray[np.generic], region: Region) -> NDArray[np.generic]:
    """A view of the mask at the place of a region."""
    rows, columns = region.inside.shape
    return mask[region.top : region.top + rows, region.left : region.left + columns]


def _is_hidden(shape: Shape, region: Region, mask: NDArray[np.uint8]) -> bool:
    """Return whether no pixel of a shape is left in the finished mask."""
    values = _window(mask, region)[region.inside]
    return values.size > 0 and bool((values != shape.value).all())
