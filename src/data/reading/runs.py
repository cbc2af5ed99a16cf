"""Runs of equal values. Masks have few of them, so that work on runs is faster than work on pixels."""

import numpy as np
from numpy.typing import NDArray

from src.data.reading.channels import Pixels


def runs(values: Pixels) -> tuple[Pixels, NDArray[np.int64]]:
    """Find the runs of equal values.

    Args:
        values: [pixels], at least one.

    Returns:
        The value of each run, and its length. `np.repeat` of both gives `values` again.
    """
    starts = np.concatenate([[0], np.flatnonzero(values[1:] != values[:-1]) + 1])
    return values[starts], np.diff(starts, append=values.size)
