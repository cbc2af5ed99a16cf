"""Collect the facts from which the plan follows: sizes, classes and intensities of images, and the initial network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from src.data.crops.normalise import FLAT, pooled_moments
from src.data.crops.resize import scaled_size
from src.data.crops.sampling import class_shares, rare_classes
from src.data.store.store import DtypeName, Record
from src.data.store.subsets import Subset
from src.plan.initial import Initial, initial_network
from src.plan.object_sizes import typical_sizes
from src.plan.uprightness import Layout, measure_layout

Size = tuple[int, int]  # height and width in pixels


@dataclass(frozen=True)
class Facts:
    """The facts of a training.

    Attributes:
        training_sizes: Height and width of each training image in pixels.
        validation_sizes: Height and width of each validation image in pixels.
        channels: The number of channels of the images.
        classes: The names of the classes.
        rare: The names of the rare classes, see `rare_classes` in src/data/crops/sampling.py.
        exposure: How much the brightness of images differs, see `exposure`.
        parts: The size of the parts of each foreground class, see `typical_sizes` in src/plan/object_sizes.py.
        initial: The network from whose weights training starts, or None.
        resize: data.resize, once it is planned: the shorter side in pixels that the network sees; 0 if images keep
            their size.
        layout: Where the classes lie in the images, see src/plan/uprightness.py.
        dtype: The number type of the images.
        used_range: The share of the number type's range that the images use, see `used_range`.
        shares: The share of each class in the pixels of the training images.
        overlap: Whether a pixel may be of several classes.
    """

    training_sizes: Sequence[Size]
    validation_sizes: Sequence[Size]
    channels: int
    classes: Sequence[str]
    rare: Sequence[str]
    exposure: float
    parts: Mapping[str, float]
    initial: Initial | None = None
    resize: int = 0
    layout: Layout = field(default_factory=Layout)
    dtype: DtypeName = "uint8"
    used_range: float = 1.0
    shares: Sequence[float] = ()
    overlap: bool = False

    @classmethod
    def of(cls, trained: Subset, validated: Subset, initial: str = "none") -> Self:
        """Collect the facts.

        Args:
            trained: The training images.
            validated: The validation images.
            initial: train.initial.

        Raises:
            UserError: train.initial is not a model of this project.
        """
        names = trained.store.dataset.names
        return cls(
            [(record.height, record.width) for record in trained.records],
            [(record.height, record.width) for record in validated.records],
            trained.store.channels,
            names,
            [names[label] for label in rare_classes(trained)],
            exposure(trained.records),
            typical_sizes(trained),
            initial_network(initial),
            layout=measure_layout(trained),
            dtype=trained.store.dtype_name,
            used_range=used_range(trained.records, trained.store.dtype_name),
            shares=class_shares(trained),
            overlap=trained.store.dataset.overlap,
        )

    @property
    def pixels(self) -> int:
        """The number of pixels of all training images, in the size that the network sees."""
        return sum(height * width for height, width in map(self.network_size, self.training_sizes))

    @property
    def side(self) -> int:
        """The median of the training images' shorter sides in pixels, in the size that the network sees."""
        return int(np.median([min(self.network_size(size)) for size in self.training_sizes]))

    @property
    def largest_scaled(self) -> int:
        """The number of pixels of the largest image, in the size that the network sees."""
        sizes = map(self.network_size, [*self.training_sizes, *self.validation_sizes])
        return max(height * width for height, width in sizes)

    def network_size(self, size: Size) -> Size:
        """Return the size in which the network sees an image of this size."""
        return scaled_size(*size, self.resize)


def exposure(records: Sequence[Record]) -> float:
    """Measure how much the brightness of images differs.

    It is the standard deviation of the images' mean intensities, divided by the standard deviation of the intensities
    within images, for the channel in which this ratio is largest. Above 1, images differ more from each other than the
    pixels of one image do. It is 0 for a single image and for images without contrast. Images in which no pixel counts
    are left out.
    """
    counted = [record for record in records if record.counted_pixels]
    means = np.array([record.mean for record in counted])
    within, between = np.sqrt(np.mean([np.square(record.std) for record in counted], axis=0)), np.std(means, axis=0)
    contrast = within > FLAT * np.abs(means).max(axis=0)
    return float(np.max(np.divide(between, within, out=np.zeros_like(between), where=contrast)))


def used_range(records: Sequence[Record], dtype: DtypeName) -> float:
    """Measure how much of the number type's range the intensities of images use.

    It is the intensity whose square root lies two standard deviations above the mean root, in the channel in which it
    is largest, divided by the largest number of the type. The root keeps the order of intensities, so about 98 % of
    the intensities lie below it if their roots are normally distributed. Images of 12 bits stored as uint16 use about
    1/16.

    Args:
        records: Images with the moments of the square roots of their intensities.
        dtype: The number type of the images.

    Returns:
        The share. 1 for floats, which have no range, and if no pixel counts.
    """
    if dtype == "float32" or not any(record.counted_pixels for record in records):
        return 1.0
    mean, std = map(np.array, pooled_moments(records))
    return float(np.square(mean + 2 * std).max() / np.iinfo(dtype).max)
