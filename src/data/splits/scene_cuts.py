"""Cut images in the order of their names into sequences where neighbours no longer resemble each other.

Names such as 1 … 612 do not say where one video ends and the next begins, but the pictures do.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from src.data.similarity.likeness import CONTENT, MEASURES, Likeness, standardised
from src.data.splits.dependence import Dependence, natural_key

FEWEST = 3  # sequences that a split needs; with fewer, images are cut into blocks
BLOCKS, BLOCK = 9, 3  # most blocks, and fewest images of a block: its borders remain alike
AT_ONCE = 256  # images that are compared together


def sequence_groups(ids: Sequence[str], thumbnails: NDArray[np.float16], found: Dependence) -> dict[str, str]:
    """Group consecutive images that resemble each other.

    Args:
        ids: The images.
        thumbnails: float16 [images, side, side].
        found: The dependence of their neighbours.

    Returns:
        id → group, in natural order; groups are numbered from 1. If there are fewer than `FEWEST` sequences, the groups
        are at most `BLOCKS` blocks of equal size. Empty if what neighbours have in common is not the content of frames.
    """
    if found.what not in CONTENT:
        return {}
    order = sorted(range(len(ids)), key=lambda position: natural_key(ids[position]))
    pictures = standardised(np.asarray(thumbnails[order], np.float32))
    level = (found.neighbours + found.others) / 2
    numbers = np.cumsum([1, *(neighbour_likeness(pictures, MEASURES[found.what]) < level)])
    if numbers[-1] < FEWEST:
        numbers = 1 + np.arange(len(ids)) * max(min(BLOCKS, len(ids) // BLOCK), 1) // len(ids)
    width = len(str(numbers[-1]))
    return {ids[position]: f"{number:0{width}d}" for position, number in zip(order, numbers.tolist(), strict=True)}


def neighbour_likeness(pictures: NDArray[np.float32], measure: Likeness) -> NDArray[np.float32]:
    """Measure how alike the images before and after each place are, so that a single odd frame is no cut.

    Args:
        pictures: float32 [n, side, side], standardised.
        measure: Compares two sets of pictures.

    Returns:
        float32 [n - 1]: of images k and k + 1, k - 1 and k + 1, and k and k + 2, the largest likeness.
    """
    count = len(pictures)
    next_, second = np.full(count, -1, np.float32), np.full(count, -1, np.float32)
    for start in range(0, count, AT_ONCE):
        likeness = measure(pictures[start : start + AT_ONCE], pictures[start : start + AT_ONCE + 2])
        for distance, result in ((1, next_), (2, second)):
            values = likeness.diagonal(distance)
            result[start : start + len(values)] = values
    return np.maximum.reduce([next_[:-1], second[:-1], np.concatenate([[-1], second[: count - 2]])[: count - 1]])


def group_rows(groups: Mapping[str, str]) -> list[dict[str, str]]:
    """The rows of a table of groups, with the columns image and group."""
    return [{"image": image, "group": group} for image, group in groups.items()]
