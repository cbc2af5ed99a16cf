"""How large the parts of each class are: what decides at which resolution a crop can show them whole."""

import numpy as np
from numpy.typing import NDArray

from src.data.store.subsets import Subset

LOOKED_AT = 64  # masks, evenly spaced among those of the training images
SIDE = 2048  # pixels: of larger masks some rows and columns are left out, evenly
QUANTILE = 0.25  # so that in three of four images they are as large


def part_sizes(trained: Subset) -> dict[str, float]:
    """Foreground class → the size of its parts in typical images that hold it, a share of the image's shorter side.

    trained: the training images. Of one image it is the side of a square with as much border for its area, 4 × area
    / border: of a disc 0.79 of its diameter, of a long strip twice its width; infinite if the class has no border.
    Classes that no mask holds are left out.
    """
    store, indices = trained.store, trained.indices
    names, sizes = store.dataset.names, dict[int, list[float]]()
    for index in indices[:: -(-len(indices) // LOOKED_AT)]:
        mask = _thinned(store.mask(index))
        areas, borders = areas_and_borders(mask, len(names))
        for label in np.flatnonzero(areas).tolist():
            side = 4 * areas[label] / borders[label] if borders[label] else np.inf
            sizes.setdefault(label, []).append(side / min(mask.shape))
        store.release()
    foreground = [label for label in store.dataset.foreground if label in sizes]
    return {names[label]: float(np.quantile(sizes[label], QUANTILE, method="lower")) for label in foreground}


def areas_and_borders(mask: NDArray[np.uint8], classes: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each class, int64 [classes]: its pixels, and their sides that touch a pixel of another or of no class."""
    borders = np.zeros(256, np.int64)
    for first, second in ((mask[:, :-1], mask[:, 1:]), (mask[:-1], mask[1:])):
        for touching in (first, second):
            borders += np.bincount(touching[first != second], minlength=256)
    return np.bincount(mask.ravel(), minlength=256)[:classes], borders[:classes]


def _thinned(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    step = -(-max(mask.shape) // SIDE)
    return mask[::step, ::step]
