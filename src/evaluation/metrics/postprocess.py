"""Post-processing of a predicted mask, for classes that exclude each other and for overlapping ones."""

from collections.abc import Callable

import numpy as np

from src.data.classes.label_format import LabelFormat
from src.data.source.dataset import Dataset
from src.data.store.store import release
from src.evaluation.metrics.regions import Mask
from src.evaluation.metrics.remove_small_components import remove_small_components


def remove_small_objects(mask: Mask, dataset: Dataset, smallest: int) -> Mask:
    """Give small components of the foreground classes the class around them.

    Args:
        mask: Labels, uint8 [height, width]; not changed.
        dataset: Its classes. If they overlap, the components of each class are removed from this class alone.
        smallest: Components of fewer pixels are removed.

    Returns:
        A new mask, uint8 [height, width].
    """
    if dataset.overlap:
        return _each_class(mask, dataset, lambda plane: remove_small_components(plane, [1], smallest))
    return remove_small_components(mask, dataset.foreground, smallest)


def fill_small_holes(mask: Mask, dataset: Dataset, smallest: int) -> Mask:
    """Give small holes the class around them.

    Args:
        mask: Labels, uint8 [height, width]; not changed.
        dataset: Its classes. Holes are background that one other class surrounds. If classes overlap, they are pixels
            outside of a class that this class surrounds.
        smallest: Holes of fewer pixels are filled.

    Returns:
        A new mask, uint8 [height, width]; equal to `mask` if the data set has no holes, see `has_holes`.
    """
    if dataset.overlap:
        return _each_class(mask, dataset, lambda plane: remove_small_components(plane, [0], smallest, inside=True))
    holes = [] if dataset.background_index is None else [dataset.background_index]
    return remove_small_components(mask, holes, smallest, inside=True)


def has_holes(dataset: Dataset) -> bool:
    """Return whether a class of the data set, or the absence of one, can be a hole in another class."""
    return dataset.overlap or dataset.background_index is not None


def _each_class(mask: Mask, dataset: Dataset, change: Callable[[Mask], Mask]) -> Mask:
    """Change the binary mask of each class, uint8 of 0 and 1, one after the other."""
    labels, changed = LabelFormat.of(dataset), np.zeros(mask.shape, np.uint8)
    for label in range(labels.classes):
        changed |= change(labels.of_class(mask, label).view(np.uint8)) << np.uint8(label)
        release(mask)
    return changed
