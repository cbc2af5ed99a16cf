"""Apply the settings of data.masks to stored values, and make 8-bit codes of them."""

import cv2
import numpy as np
from numpy.typing import NDArray

from src.data.reading.channels import MAX_VALUES, Pixels
from src.data.reading.object_numbers import foreground_of_objects
from src.data.reading.runs import runs
from src.data.reading.stored_values import Labels, StoredValues
from src.data.reading.unreadable import LARGE_IMAGE_PIXELS, Unreadable
from src.data.store.store import release, strips
from src.params import Masks


def encode_values(array: Pixels, values: StoredValues, masks: Masks, ignore: int | None) -> NDArray[np.uint8]:
    """Apply the settings to stored values and make codes of them.

    Args:
        array: [height, width] of stored values, or [height, width, 3] for data.masks.read: instances.
        values: Receives the values and their counts.
        masks: The section data.masks.
        ignore: The stored value that data.masks.read: instances leaves as it is, if there is one.

    Returns:
        uint8 [height, width]; it may be `array` itself.

    Raises:
        Unreadable: The values are not finite, or fractions.
    """
    if array.dtype == np.uint8 and masks.threshold == 0 and masks.read != "instances":
        return encode_uint8(array, values).codes
    height, width = array.shape[:2]
    codes = np.empty((height, width), np.uint8)
    for rows in strips(height, width):
        codes[rows] = _encode(_apply_settings(array[rows], masks, ignore), values)
        release(array)
    return codes


def encode_uint8(array: NDArray[np.uint8], values: StoredValues | None = None) -> Labels:
    """Use 8-bit stored values as their own codes. In a mask of 0 and 255 alone, 255 gets code 1, its later class index.

    Args:
        array: uint8 [height, width] of stored values. It is not copied unless codes differ from it.
        values: The object to add values and counts to; a new one for grey values if it is None.
    """
    values = values or StoredValues("grey")
    for rows in strips(*array.shape):
        counts = cv2.calcHist([array[rows]], [0], None, [256], [0, 256]).ravel()  # float32, exact for a strip
        for value in np.flatnonzero(counts).tolist():
            values.codes[value] = value
            values.pixels[value] = values.pixels.get(value, 0) + int(counts[value])
        release(array)
    if values.codes.keys() <= {0, 255} and array.size <= LARGE_IMAGE_PIXELS:
        values.codes = {value: value & 1 for value in values.codes}
        return Labels(array & np.uint8(1), values)
    return Labels(array, values)


def _apply_settings(values: Pixels, masks: Masks, ignore: int | None) -> Pixels:
    """Apply data.masks.threshold or data.masks.read: instances; floats become whole numbers."""
    if not np.isfinite(values).all():
        raise Unreadable("holds NaN or infinite values", "save whole numbers, one for each class")
    if masks.threshold:
        return (values >= masks.threshold).astype(np.uint8)
    if values.dtype.kind == "f":
        if (values != np.round(values)).any():
            raise Unreadable("holds fractions", "data.masks.threshold: 0.5, or save whole numbers, one for each class")
        values = values.astype(np.int64)
    return foreground_of_objects(values, ignore) if masks.read == "instances" else values


def _encode(array: Pixels, values: StoredValues) -> NDArray[np.uint8]:
    """Codes of any stored values. New values are added to `values`. Works on runs, since masks have few of them."""
    values_of_runs, lengths = runs(array.ravel())
    found, inverse = np.unique(values_of_runs, return_inverse=True)
    counts = np.bincount(inverse, lengths)
    codes = np.zeros(len(found), np.uint8)
    last = len(found) - 1
    # If there are too many values, record enough to exceed `MAX_VALUES`, and the highest one for the range.
    for position in dict.fromkeys([*range(min(last, MAX_VALUES) + 1), last]):
        value = found[position].item()
        codes[position] = min(values.codes.setdefault(value, len(values.codes)), MAX_VALUES)
        values.pixels[value] = values.pixels.get(value, 0) + int(counts[position])
    return np.repeat(codes[inverse], lengths).reshape(array.shape)
