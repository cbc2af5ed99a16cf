"""How large the parts of each class are: what decides at which resolution a network can see them whole."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from src.data.store import Store

LOOKED_AT = 64  # masks, evenly spaced among those of the training images
WINDOW = 2048  # pixels: side of the part that is looked at, in the middle of larger masks
QUANTILE = 0.25  # so that they are as large in three of four images


def part_sides(store: Store, trained: Sequence[int]) -> dict[str, float]:
    """Foreground class → the side of its parts in pixels, in a typical image that holds it; classes in none left out.

    trained: positions in the store. Of one image it is the side of a square with as much border for its area, 4 × area
    / border: of a disc 0.79 of its diameter, of a long strip twice its width; infinite if the class has no border.
    """
    names, sides = store.dataset.names, dict[int, list[float]]()
    for index in trained[:: -(-len(trained) // LOOKED_AT)]:
        areas, borders = areas_and_borders(_middle(store.mask(index)), len(names))
        for label in np.flatnonzero(areas).tolist():
            sides.setdefault(label, []).append(4 * areas[label] / borders[label] if borders[label] else np.inf)
        store.release()
    foreground = [label for label in store.dataset.foreground if label in sides]
    return {names[label]: float(np.quantile(sides[label], QUANTILE, method="lower")) for label in foreground}


def areas_and_borders(mask: NDArray[np.uint8], classes: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each class, int64 [classes]: its pixels, and their sides that touch a pixel of another or of no class."""
    borders = np.zeros(256, np.int64)
    for first, second in ((mask[:, :-1], mask[:, 1:]), (mask[:-1], mask[1:])):
        for touching in (first, second):
            borders += np.bincount(touching[first != second], minlength=256)
    return np.bincount(mask.ravel(), minlength=256)[:classes], borders[:classes]


def _middle(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    top, left = (max(side - WINDOW, 0) // 2 for side in mask.shape)
    return mask[top : top + WINDOW, left : left + WINDOW]
