"""Measure how large the parts of each class are, which decides at which resolution a patch can show them whole."""

import numpy as np
from numpy.typing import NDArray

from src.data.classes.label_format import LabelFormat
from src.data.store.subsets import Subset

MOST_MASKS = 64  # masks that are measured, evenly spaced among those of the training images
SIDE = 2048  # pixels: in larger masks, evenly spaced rows and columns are left out
QUANTILE = 0.5  # the median image. With the lower quartile, large objects of photographs were cut apart by patches


def typical_sizes(trained: Subset) -> dict[str, float]:
    """Measure the parts of each foreground class.

    In one image, the size is 4 × area / border: the side of a square with the same ratio of border to area. For a disc
    it is 0.79 of the diameter, for a long strip twice the width. It is infinite if the class has no border.

    Args:
        trained: The training images.

    Returns:
        Foreground class → median of its size over the images that contain it, as a share of an image's shorter
        side. Classes that no measured mask contains are left out.
    """
    store, indices = trained.store, trained.indices
    names, form, sizes = store.dataset.names, LabelFormat.of(store.dataset), dict[int, list[float]]()
    for index in indices[:: -(-len(indices) // MOST_MASKS)]:
        mask = _thinned(store.mask(index))
        areas, borders = areas_and_borders(mask, form)
        for label in np.flatnonzero(areas).tolist():
            side = 4 * areas[label] / borders[label] if borders[label] else np.inf
            sizes.setdefault(label, []).append(side / min(mask.shape))
        store.release()
    foreground = [label for label in store.dataset.foreground if label in sizes]
    return {names[label]: float(np.quantile(sizes[label], QUANTILE, method="lower")) for label in foreground}


def areas_and_borders(mask: NDArray[np.uint8], form: LabelFormat) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Measure area and border of each class.

    Args:
        mask: Labels, uint8 [height, width].
        form: Their meaning. Ignored pixels are of no class.

    Returns:
        int64 [classes]: the pixels of each class, and the sides of its pixels that touch pixels outside the class.
    """
    areas, borders = np.zeros(form.classes, np.int64), np.zeros(form.classes, np.int64)
    for label in range(form.classes):
        inside = form.of_class(mask, label)
        areas[label] = np.count_nonzero(inside)
        for first, second in ((inside[:, :-1], inside[:, 1:]), (inside[:-1], inside[1:])):
            borders[label] += np.count_nonzero(first != second)
    return areas, borders


def _thinned(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    step = -(-max(mask.shape) // SIDE)
    return mask[::step, ::step]
