"""The measured points of a learning curve."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from src.data.store.subsets import FEWEST_GROUPS, Subset
from src.evaluation.metrics.confusion import Scores, classes_present, mean_over_classes

COLUMNS = ["fraction", "groups", "images", "seed", "steps", "dice"]


@dataclass(frozen=True)
class CountedClasses:
    """The classes whose scores make the curve.

    Attributes:
        columns: Their positions among the foreground classes that the validation images hold.
        left_out: Names of the others: too few groups hold them for an interval.
    """

    columns: Sequence[int]
    left_out: Sequence[str]


def counted_classes(validated: Subset) -> CountedClasses:
    """Choose the classes that `FEWEST_GROUPS` groups of validation images hold; all if there is no such class."""
    dataset, pixels = validated.store.dataset, np.array([record.pixels for record in validated.records])
    present = classes_present(pixels, dataset.foreground)
    groups = np.array(validated.groups)
    columns = [
        column for column, label in enumerate(present) if len(set(groups[pixels[:, label] > 0])) >= FEWEST_GROUPS
    ]
    if not columns:
        return CountedClasses(range(len(present)), ())
    return CountedClasses(
        columns, [dataset.names[label] for column, label in enumerate(present) if column not in columns]
    )


@dataclass(frozen=True)
class Point:
    """Trainings on one fraction of the training images, which differ in the seed.

    Attributes:
        share: The share of the training images that was asked for.
        groups: The number of their groups.
        counts: For each seed, the number of training images. The splitter divides groups, so seeds differ in it.
        steps: The steps of each training.
        scores: For each seed, Dice of the validation images, float64 [images, classes]; NaN where an image does not
            count for a class.
    """

    share: float
    groups: int
    counts: Sequence[int]
    steps: int
    scores: Sequence[Scores]

    @cached_property
    def means(self) -> NDArray[np.float64]:
        """Mean Dice of each training, over images, then over classes."""
        return np.array([mean_over_classes(one, range(one.shape[1])) for one in self.scores])

    @property
    def mean(self) -> float:
        """Mean of `means`. Scores are not averaged image by image, since an image may count in some trainings only."""
        return float(self.means.mean())

    @property
    def images(self) -> float:
        """The geometric mean of the numbers of training images, since a power law is one of logarithms."""
        return float(np.exp(np.mean(np.log(self.counts))))


@dataclass(frozen=True)
class Curve:
    """A learning curve.

    Attributes:
        points: The fractions, ascending.
        longer: Trainings on all images with more steps; None without them.
        seeds: The seeds of each point's trainings.
        groups: The group of each validation image.
        left_out: Classes that too few validation groups hold; the scores are without them.
    """

    points: Sequence[Point]
    longer: Point | None
    seeds: Sequence[int]
    groups: Sequence[str]
    left_out: Sequence[str] = ()

    @property
    def columns(self) -> list[Point]:
        """All points, the longer trainings last."""
        return [*self.points, *([self.longer] if self.longer else [])]

    @property
    def sizes(self) -> NDArray[np.float64]:
        """The number of images of each fraction, relative to all of them."""
        images = np.array([point.images for point in self.points])
        return images / images[-1]

    def rows(self) -> Iterator[dict[str, object]]:
        """Yield a row of `COLUMNS` for each training."""
        for point in self.columns:
            for seed, images, dice in zip(self.seeds, point.counts, point.means.tolist(), strict=True):
                row: dict[str, object] = {"fraction": point.share, "groups": point.groups, "images": images}
                yield row | {"seed": seed, "steps": point.steps, "dice": round(dice, 6)}
