"""The images of a learning curve, from the outputs of prepare and split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from src.data.splits.divide import split
from src.data.store.store import Store
from src.data.store.subsets import Subset, read_subset
from src.errors import UserError
from src.files import read_csv
from src.learning_curve.fractions import Fraction, nested_fractions
from src.params import Split

REMEDY = "run `dvc repro split`"


@dataclass(frozen=True)
class Images:
    """The images of a learning curve.

    Attributes:
        trained: All training images.
        validated: The validation images.
        fractions: Seed → the fractions of the training images, ascending.
    """

    trained: Subset
    validated: Subset
    fractions: Mapping[int, Sequence[Fraction]]


def read_images(store: Store, splits: Path, params: Split, shares: Sequence[float], seeds: Sequence[int]) -> Images:
    """Read the subsets, and draw fractions for each seed: with split.seed plus the seed.

    So the mean over seeds is also one over draws.

    Args:
        store: The prepared data set.
        splits: data/splits.csv.
        params: The section `split` of params.yaml.
        shares: Shares of the training images, ascending; the last one is 1.
        seeds: The seeds.

    Raises:
        UserError: There is no split, it is stale, or the fractions cannot be drawn.
    """
    rows = current_split(store, splits, params)
    trained, validated = (read_subset(splits, store, name) for name in ("train", "validation"))
    drawn = {seed: nested_fractions(trained, rows, shares, params.stratify, params.seed + seed) for seed in seeds}
    return Images(trained, validated, drawn)


def current_split(store: Store, splits: Path, params: Split) -> list[dict[str, str]]:
    """Read data/splits.csv: one row for each image of the store, in its order.

    Args:
        store: The prepared data set.
        splits: data/splits.csv.
        params: The section `split` of params.yaml.

    Raises:
        UserError: There is no split, or it is stale.
    """
    if not splits.exists():
        raise UserError(f"{splits}: there is no split yet; {REMEDY}")
    rows = read_csv(splits)
    if rows != split(store, params, params.seed):
        raise UserError(f"{splits}: is not what {store.folder} and the section split of params.yaml give now; {REMEDY}")
    return rows
