"""What the plan is made from: sizes, classes and intensities of the images, and the network to begin from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from src.data.crops.normalise import FLAT
from src.data.crops.sampling import rare_classes
from src.data.store.store import Record
from src.data.store.subsets import Subset
from src.plan.initial import Initial, initial_network
from src.plan.object_sizes import part_sizes

Size = tuple[int, int]  # height and width, in pixels


@dataclass(frozen=True)
class Facts:
    """Of a training; sizes in pixels.

    trained, validated: the size of each image; channels: of all of them; classes, rare: names, the latter as in
        src/data/crops/sampling.py.
    exposure: standard deviation of the training images' mean intensities, in units of the standard deviation within
        them; of the channel in which it is largest. Above 1 images differ more than what is in them.
    parts: see `part_sizes`; resize: data.resize, once it is planned.
    initial: the network whose weights training begins from, if any.
    """

    trained: Sequence[Size]
    validated: Sequence[Size]
    channels: int
    classes: Sequence[str]
    rare: Sequence[str]
    exposure: float
    parts: Mapping[str, float]
    initial: Initial | None = None
    resize: int = 0

    @classmethod
    def of(cls, trained: Subset, validated: Subset, initial: str = "none") -> Self:
        """Collect the facts.

        initial: train.initial; `UserError` if that is not a model of this project.
        """
        names = trained.store.dataset.names
        return cls(
            [(record.height, record.width) for record in trained.records],
            [(record.height, record.width) for record in validated.records],
            trained.store.channels,
            names,
            [names[label] for label in rare_classes(trained)],
            exposure(trained.records),
            part_sizes(trained),
            initial_network(initial),
        )

    @property
    def pixels(self) -> int:
        """Of all training images, as the network is shown them."""
        return sum(height * width for height, width in map(self.shown, self.trained))

    @property
    def side(self) -> int:
        """The median of the training images' shorter sides, as the network is shown them."""
        return int(np.median([min(self.shown(size)) for size in self.trained]))

    def shown(self, size: Size) -> Size:
        """The size in which the network is shown an image of this one."""
        return (self.resize, self.resize) if self.resize else size


def exposure(records: Sequence[Record]) -> float:
    """See `Facts`; 0 where images are flat, or there is but one. Images without a pixel that counts are left out."""
    counted = [record for record in records if sum(record.pixels)]
    means = np.array([record.mean for record in counted])
    within, between = np.sqrt(np.mean([np.square(record.std) for record in counted], axis=0)), np.std(means, axis=0)
    contrast = within > FLAT * np.abs(means).max(axis=0)
    return float(np.max(np.divide(between, within, out=np.zeros_like(between), where=contrast)))
