"""The mask of each class by itself."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from src.data.classes.label_format import LabelFormat

Mask = NDArray[np.uint8]


def class_masks(truth: Mask, prediction: Mask, labels: LabelFormat) -> Iterator[tuple[Mask, Mask]]:
    """Yield for each class where it is in the truth and where it is predicted, cropped to where it is in either.

    Args:
        truth: Labels, uint8 [height, width]. Ignored pixels belong to no class in either mask.
        prediction: Labels, uint8 [height, width].
        labels: The meaning of labels.

    Yields:
        A pair of masks for each class in order, uint8 of 0 and 1, cropped to the smallest rectangle that holds the
        class in both. For a class that is in neither they are [0, 0].

    Raises:
        ValueError: The shapes differ.
    """
    if truth.shape != prediction.shape:
        raise ValueError(f"truth is {truth.shape}, prediction {prediction.shape}")
    counted = labels.counted(truth)
    if labels.overlap:
        for label in range(labels.classes):
            planes = [(labels.of_class(mask, label) & counted).view(np.uint8) for mask in (truth, prediction)]
            yield from _cropped(planes, 1)
        return
    pair = [np.where(counted, mask + np.uint8(1), np.uint8(0)) for mask in (truth, prediction)]  # 0 is no class
    yield from _cropped(pair, labels.classes)


def _cropped(pair: Sequence[Mask], most: int) -> Iterator[tuple[Mask, Mask]]:
    """The masks of the values 1 … `most` of two masks, cropped."""
    places = [find_objects(mask, most) for mask in pair]
    for value, (true, predicted) in enumerate(zip(*places, strict=True), start=1):
        rows, columns = (_span(true, predicted, axis) for axis in (0, 1))
        one, other = ((mask[rows, columns] == value).view(np.uint8) for mask in pair)
        yield one, other


def _span(one: tuple[slice, ...] | None, other: tuple[slice, ...] | None, axis: int) -> slice:
    spans = [place[axis] for place in (one, other) if place is not None]
    return slice(min((span.start for span in spans), default=0), max((span.stop for span in spans), default=0))
