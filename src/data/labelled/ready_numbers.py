"""The numbers of the objects in ready masks, which are scored against the numbered objects of a data set."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.data.reading.object_numbers import FOREGROUND
from src.data.store.numbers import Numbers, numbers_at
from src.data.store.pair_writer import Stored
from src.data.store.store import Store

NOTE = "objects of the data set are those that its masks number; objects of the predictions are"
OF_NUMBERS, OF_COMPONENTS = "those that they number", "connected components"


@dataclass(frozen=True)
class ReadyNumbers:
    """The numbers of the objects in ready masks.

    Attributes:
        store: The store that holds the images.
        path: The file of the numbers, one mask after the other; it need not exist if no class is numbered.
        stored: Position of an image in the store → where its mask and numbers are.
    """

    store: Store
    path: Path
    stored: Mapping[int, Stored]

    @cached_property
    def keys(self) -> dict[int, int]:
        """Index of each class that both data set and predictions number → its key in `Labels.numbers`.

        Predictions number a class if one of them holds two numbers or more. Masks of 0 and 255 number nothing.
        """
        overlap = self.store.dataset.overlap
        keys = {label: label if overlap else FOREGROUND for label in self.store.numbered}
        most = {key: max((one.objects.get(key, 0) for one in self.stored.values()), default=0) for key in keys.values()}
        return {label: key for label, key in keys.items() if most[key] > 1}

    def of(self, index: int) -> dict[int, Numbers]:
        """The numbers in the mask of the image at a position in the store.

        Returns:
            Class index → [height, width] of numbers from 1; 0 for no object. Objects of other classes are connected
            components.
        """
        record, stored = self.store.records[index], self.stored[index]
        shape = record.height, record.width
        return {
            label: numbers_at(self._content, shape, stored.numbers.get(key, -1), stored.objects.get(key, 0))
            for label, key in self.keys.items()
        }

    @cached_property
    def _content(self) -> NDArray[np.uint8]:
        return np.memmap(self.path, np.uint8, "r")

    def notes(self) -> list[str]:
        """A sentence on what the objects are, if the data set numbers them."""
        if not self.store.numbered:
            return []
        return [f"{NOTE} {OF_NUMBERS if self.keys else OF_COMPONENTS}"]
