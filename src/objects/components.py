"""Number the objects of a mask: connected components of each class, also of images larger than the memory.

The mask is labelled in strips of rows, and components that meet at the edge of two strips are joined afterwards. The
result is that of one piece. Objects are connected by sides and corners, as in src/evaluation/metrics/objects.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components as connected_graph

from src.data.classes.label_format import LabelFormat, Mask
from src.data.predictions.prediction_files import allocate
from src.data.store.store import release, strips
from src.evaluation.metrics.components import connected_components
from src.objects.split import split_touching

Numbers = NDArray[np.uint32]
Index = NDArray[np.int64]
CONNECTIVITY: Literal[8] = 8  # neighbours of a pixel: objects are connected by sides and corners
RELEASED = 1000  # objects that are split before the memory of the pages that they lie on is given back


@dataclass(frozen=True)
class Objects:
    """Numbered objects of an image.

    Attributes:
        numbers: The number of the object of each pixel, uint32 [height, width]; 0 where there is none.
        classes: The class index of object n is at n - 1, int64 [objects], as in the next attribute.
        boxes: Left, top, right and bottom of each object, in pixels; right and bottom are exclusive; int64
            [objects, 4].
    """

    numbers: Numbers
    classes: Index
    boxes: Index

    def __len__(self) -> int:
        return len(self.classes)


@dataclass
class _Parts:
    """Components of strips, in the order of their numbers, from 1: lists of class, left, top, right and bottom."""

    rows: list[Index]
    count: int = 0

    def add(self, classes: Index, boxes: Index) -> None:
        self.rows.append(np.column_stack([classes, boxes]))
        self.count += len(classes)

    @property
    def table(self) -> Index:
        return np.concatenate([np.zeros((0, 5), np.int64), *self.rows])


def number_objects(
    mask: Mask, labels: LabelFormat, classes: Sequence[int], scratch: Path, *, split: bool = False
) -> Objects:
    """Number the connected components of some classes, class by class, and from top to bottom and left to right.

    Args:
        mask: Labels, uint8 [height, width].
        labels: The meaning of labels.
        classes: The classes whose components are objects, in their order. Overlapping classes are numbered one by one.
        scratch: Folder on the disk for the numbers of an image larger than `LARGE` bytes of the store.
        split: Divide objects that touch, see `split_touching`.

    Returns:
        The objects.

    Raises:
        ValueError: Several classes are given that overlap.
        OSError: The disk is too small.
    """
    if labels.overlap and len(classes) > 1:
        raise ValueError("overlapping classes are numbered one by one")
    numbers: Numbers = allocate(mask.shape, np.uint32, scratch)
    parts, pairs = _number_strips(mask, labels, classes, numbers)
    objects = _join(numbers, parts, pairs)
    return _split(objects) if split else objects


def _number_strips(
    mask: Mask, labels: LabelFormat, classes: Sequence[int], numbers: Numbers
) -> tuple[Index, NDArray[np.uint32]]:
    """Number the components of each strip, and find those that touch across the edges of strips.

    Returns the table of `_Parts`, and pairs of numbers, [pairs, 2].
    """
    parts, pairs = _Parts([]), [np.zeros((0, 2), np.uint32)]
    for rows in strips(*mask.shape):
        numbers[rows] = 0
        for index in classes:
            plane = labels.of_class(mask[rows], index)
            found = connected_components(plane.view(np.uint8), CONNECTIVITY)
            numbers[rows][plane] = found.labels[plane] + np.uint32(parts.count)
            left, top = found.left[1:], found.top[1:] + rows.start
            boxes = np.column_stack([left, top, left + found.width[1:], top + found.height[1:]])
            parts.add(np.full(len(left), index, np.int64), boxes)
        if rows.start:
            pairs += _touching(numbers[rows.start - 1], numbers[rows.start])
        release(mask)
        release(numbers)
    table, found_pairs = parts.table, np.concatenate(pairs)
    same = table[found_pairs[:, 0] - 1, 0] == table[found_pairs[:, 1] - 1, 0]
    return table, found_pairs[same]


def _touching(above: Numbers, below: Numbers) -> Iterator[Numbers]:
    """Pairs of different numbers that touch by a side or a corner in two rows; each is [pairs, 2]."""
    width = len(above)
    for shift in (-1, 0, 1):
        first, last = max(shift, 0), width + min(shift, 0)
        pairs = np.column_stack([above[first:last], below[first - shift : last - shift]])
        yield np.unique(pairs[pairs.all(axis=1)], axis=0)


def _join(numbers: Numbers, parts: Index, pairs: NDArray[np.uint32]) -> Objects:
    """Join the parts that are pairs, and number the objects in order; `numbers` is changed in place."""
    count = len(parts)
    one, other = pairs.T.astype(np.int64) - 1
    links = coo_array((np.ones(len(pairs), bool), (one, other)), (count, count))
    joined, component = connected_graph(links, directed=False)
    found = np.concatenate([np.full((joined, 3), np.iinfo(np.int64).max), np.zeros((joined, 2), np.int64)], axis=1)
    np.minimum.at(found[:, :3], component, parts[:, :3])  # class, left, top
    np.maximum.at(found[:, 3:], component, parts[:, 3:])  # right, bottom
    return _renumber(numbers, found, component)


def _renumber(numbers: Numbers, table: Index, row_of_part: Index) -> Objects:
    """Number the objects in order; `numbers` is changed in place.

    table: Class, left, top, right and bottom of each object, [objects, 5].
    row_of_part: The row of the table of each number so far, from 1, int64 [parts].
    """
    order = np.lexsort(table.T[[3, 4, 1, 2, 0]])  # class, then top, left, bottom, right
    rank = np.empty(len(table), np.uint32)
    rank[order] = np.arange(1, len(table) + 1, dtype=np.uint32)
    new = np.concatenate([np.zeros(1, np.uint32), rank[row_of_part]])
    for rows in strips(*numbers.shape):
        numbers[rows] = new[numbers[rows]]
        release(numbers)
    return Objects(numbers, table[order, 0], table[order, 1:])


def _split(objects: Objects) -> Objects:
    """Divide objects that touch; the numbers are changed in place."""
    parts, numbers = _Parts([np.column_stack([objects.classes, objects.boxes])], len(objects)), objects.numbers
    kept = np.ones(len(objects), bool)
    for index, (left, top, right, bottom) in enumerate(objects.boxes.tolist()):
        window = numbers[top:bottom, left:right]
        inside = window == index + 1
        found = split_touching(inside)
        if found.max() > 1:
            kept[index] = False
            window[inside] = found[inside] + np.uint32(parts.count)
            places = [(left + x.start, top + y.start, left + x.stop, top + y.stop) for y, x in find_objects(found)]
            parts.add(np.full(len(places), objects.classes[index]), np.array(places))
        if index % RELEASED == RELEASED - 1:
            release(numbers)
    table = parts.table
    kept = np.append(kept, np.ones(len(table) - len(kept), bool))
    return _renumber(numbers, table[kept], np.maximum(np.cumsum(kept) - 1, 0))
