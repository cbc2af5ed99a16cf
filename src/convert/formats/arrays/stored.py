"""An array of numbers in a file: its shape is known before it is read."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NUMBERS = "biuf"  # kinds of dtype: bool, whole numbers, fractions
Numbers = NDArray[np.int64] | NDArray[np.float64]  # or numbers of fewer bits


@dataclass(frozen=True)
class Stored:
    """An array of numbers in a file.

    Attributes:
        shape: Its shape.
        read: Reads it.
    """

    shape: tuple[int, ...]
    read: Callable[[], Numbers]

    @property
    def size(self) -> str:
        """Its shape in words."""
        return " × ".join(map(str, self.shape))
