"""The numbers of objects in masks that number them (data.masks.read: instances), as files of a store hold them."""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.uint16 | np.uint32]  # numbers of objects from 1; 0 for no object


def number_type(objects: int) -> np.dtype[np.uint16 | np.uint32]:
    """Return the type of numbers of so many objects: uint16 if they fit, else uint32."""
    return np.dtype(np.uint16 if objects <= np.iinfo(np.uint16).max else np.uint32)


def numbers_at(content: NDArray[np.uint8], shape: tuple[int, int], start: int, objects: int) -> Numbers:
    """Return the numbers of the objects of one class in one image, from the content of a file of numbers.

    Args:
        content: uint8 [bytes].
        shape: Height and width of the image.
        start: The byte at which its numbers start; -1 if it has no mask of the class.
        objects: The number of objects.

    Returns:
        [height, width], a view of the file; 0 for no object.
    """
    if start < 0:
        return np.zeros(shape, number_type(0))
    dtype = number_type(objects)
    size = shape[0] * shape[1] * dtype.itemsize
    return content[start : start + size].view(dtype).reshape(shape)
