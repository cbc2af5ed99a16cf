"""The parts of numbered objects whose pixels are connected by their sides: each has one outline."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from skimage.measure import label

from src.data.predictions.prediction_files import allocate
from src.data.store.store import release, strips

Numbers = NDArray[np.integer]  # [height, width]: the number of the object of each pixel; 0: no object
Index = NDArray[np.int64]


def number_pieces(numbers: Numbers, scratch: Path | None = None) -> Numbers:
    """Number the parts of objects that are connected by their sides, in the order of their first pixels.

    Strips of rows are labelled one by one, and parts that meet at the edge of two strips are joined.

    Args:
        numbers: The number of the object of each pixel, [height, width]; 0 where there is none.
        scratch: Folder for a temporary file, which large images need; None: the folder of the system.

    Returns:
        uint32 [height, width], from 1; 0 where there is no object.
    """
    pieces: Numbers = allocate(numbers.shape, np.uint32, scratch)
    count, pairs = 0, [np.zeros((0, 2), np.int64)]
    for rows in strips(*numbers.shape):
        found, more = label(numbers[rows], background=0, connectivity=1, return_num=True)
        pieces[rows] = np.where(found > 0, found + count, 0)
        count += more
        if rows.start:
            above, below = numbers[rows.start - 1], numbers[rows.start]
            same = (above == below) & (above > 0)
            pairs.append(
                np.stack([pieces[rows.start - 1][same], pieces[rows.start][same]], axis=1).astype(np.int64) - 1
            )
        release(numbers)
        release(pieces)
    one, other = np.concatenate(pairs).T
    links = coo_array((np.ones(len(one), bool), (one, other)), (count, count))
    part = connected_components(links, directed=False)[1]
    first = np.unique(part, return_index=True)[1]  # of the numbers so far, the lowest of each part
    new = np.append(0, np.argsort(np.argsort(first))[part] + 1).astype(np.uint32)
    for rows in strips(*numbers.shape):
        pieces[rows] = new[pieces[rows]]
        release(pieces)
    return pieces


def piece_owners(numbers: Numbers, pieces: Numbers) -> Index:
    """Find the object that each piece is a part of.

    Args:
        numbers: The number of the object of each pixel, [height, width].
        pieces: The number of the piece of each pixel, of the same shape.

    Returns:
        The number of the object of each piece, int64 [pieces + 1]; 0 for no piece.
    """
    highest = max((int(pieces[rows].max(initial=0)) for rows in strips(*numbers.shape)), default=0)
    owners = np.zeros(highest + 1, np.int64)
    for rows in strips(*numbers.shape):
        owners[pieces[rows]] = numbers[rows]
        release(numbers)
        release(pieces)
    return owners
