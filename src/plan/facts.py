"""What the plan is made from: sizes, classes and intensities of the images, and the network to begin from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from src.data.crops import rare_classes
from src.data.normalise import FLAT
from src.data.store import Record, Store
from src.params import Model
from src.plan.initial import initial_network

Size = tuple[int, int]  # height and width, in pixels


@dataclass(frozen=True)
class Facts:
    """Of a training; sizes are those that the network is shown, after any data.resize.

    trained, validated: of each image; channels: of all of them; classes, rare: names, rare as in src/data/crops.py.
    exposure: standard deviation of the training images' mean intensities, in units of the standard deviation within
        them; of the channel in which it is largest. Above 1 images differ more than what is in them.
    initial: the shape of the network whose weights training begins from, if any.
    """

    trained: Sequence[Size]
    validated: Sequence[Size]
    channels: int
    classes: Sequence[str]
    rare: Sequence[str]
    exposure: float
    initial: Model | None = None

    @classmethod
    def of(
        cls, store: Store, trained: Sequence[int], validated: Sequence[int], resize: int, initial: str = "none"
    ) -> Self:
        """Of the images at these positions in the store, from its index alone: no pixel is read.

        resize: data.resize; initial: train.initial. `UserError` if that is not a model of this project.
        """
        names = store.dataset.names
        return cls(
            [_size(store.records[index], resize) for index in trained],
            [_size(store.records[index], resize) for index in validated],
            store.channels,
            names,
            [names[label] for label in rare_classes(store, trained)],
            exposure([store.records[index] for index in trained]),
            initial_network(initial),
        )

    @property
    def pixels(self) -> int:
        """Of all training images."""
        return sum(height * width for height, width in self.trained)

    @property
    def side(self) -> int:
        """The median of the training images' shorter sides."""
        return int(np.median([min(size) for size in self.trained]))


def exposure(records: Sequence[Record]) -> float:
    """See `Facts`; 0 where images are flat, or there is but one. Images without a pixel that counts are left out."""
    counted = [record for record in records if sum(record.pixels)]
    means = np.array([record.mean for record in counted])
    within, between = np.sqrt(np.mean([np.square(record.std) for record in counted], axis=0)), np.std(means, axis=0)
    contrast = within > FLAT * np.abs(means).max(axis=0)
    return float(np.max(np.divide(between, within, out=np.zeros_like(between), where=contrast)))


def _size(record: Record, resize: int) -> Size:
    return (resize, resize) if resize else (record.height, record.width)
