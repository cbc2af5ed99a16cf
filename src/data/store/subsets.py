"""data/splits.csv: the group, the subset and the fold of every image. It is made by src/data/splits/divide.py."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from src.data.store.store import Store
from src.files import read_csv, write_csv

COLUMNS = ["id", "group", "subset", "fold"]


def write_splits(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    write_csv(path, rows, COLUMNS)


def read_subset(path: Path, store: Store, subset: str) -> list[int]:
    """The positions in the store of the images of one subset."""
    return [store.position[row["id"]] for row in read_csv(path) if row["subset"] == subset]


def read_groups(path: Path, store: Store, indices: Sequence[int]) -> list[str]:
    """The groups of the images at these positions in the store."""
    groups = {row["id"]: row["group"] for row in read_csv(path)}
    return [groups[store.records[index].id] for index in indices]
