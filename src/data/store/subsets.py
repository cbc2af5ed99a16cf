"""Subsets of the images of a prepared data set, and data/splits.csv, which assigns every image to one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from src.data.store.store import Record, Store
from src.files import read_csv, write_csv

COLUMNS = ["id", "group", "subset", "fold"]

# Groups below which nothing is decided and no interval is given. Resamples of four groups do not tell the tails of a
# mean: most intervals would be made by a cap rather than by the data, and would span half the range of a score. Of the
# resamples of three groups, 11 % hold a single group and so no spread at all.
FEWEST_GROUPS = 5


@dataclass(frozen=True)
class Subset:
    """Some images of a prepared data set, such as its test images.

    Attributes:
        store: The prepared data set.
        indices: Positions of the images in the store.
        groups: The group of each of these images.
    """

    store: Store
    indices: Sequence[int]
    groups: Sequence[str]

    @classmethod
    def ungrouped(cls, store: Store, indices: Sequence[int]) -> Self:
        """Select images without groups: each image is a group of its own.

        Args:
            store: The prepared data set.
            indices: Positions of the images in the store.
        """
        return cls(store, indices, [store.records[index].id for index in indices])

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def records(self) -> list[Record]:
        """The record of each image."""
        return [self.store.records[index] for index in self.indices]

    def only(self, indices: Sequence[int]) -> Self:
        """Return the images of this subset at these positions in the store, in the given order."""
        group_of = dict(zip(self.indices, self.groups, strict=True))
        return type(self)(self.store, indices, [group_of[index] for index in indices])


def write_splits(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Write data/splits.csv.

    Args:
        path: The file.
        rows: One row for each image, with the keys `COLUMNS`; see `split` in src/data/splits/divide.py.
    """
    write_csv(path, rows, COLUMNS)


def read_subset(path: Path, store: Store, name: str) -> Subset:
    """Read one subset of a split.

    Args:
        path: The table that `write_splits` wrote.
        store: The prepared data set that was split.
        name: train, validation or test.

    Returns:
        The images of the subset in the order of the table; empty if it has none.
    """
    rows = [row for row in read_csv(path) if row["subset"] == name]
    return Subset(store, [store.position[row["id"]] for row in rows], [row["group"] for row in rows])
