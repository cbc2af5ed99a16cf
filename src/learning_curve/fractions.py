"""Nested fractions of the training images: groups stay whole, and each fraction is a part of the next larger one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from src.data.splits.divide import Rows, group_contents
from src.data.splits.stratify import assign_groups, cover_classes
from src.data.store.subsets import Subset
from src.errors import UserError

Content = NDArray[np.float64]  # the quantities that are stratified, see `group_contents`


@dataclass(frozen=True)
class Fraction:
    """A part of the training images.

    Attributes:
        share: The share of the training images that was asked for.
        images: The images.
    """

    share: float
    images: Subset

    @property
    def groups(self) -> int:
        """The number of groups."""
        return len(set(self.images.groups))


def nested_fractions(trained: Subset, rows: Rows, shares: Sequence[float], stratify: str, seed: int) -> list[Fraction]:
    """Draw nested fractions of the training groups, with the splitter that made the split.

    The differences between successive fractions are drawn together, in one stratified division. So each fraction is
    stratified, too.
    Groups are exchanged so that the smallest fraction contains every class.

    Args:
        trained: The training images.
        rows: The content of data/splits.csv: one row for each image of the store, in its order.
        shares: Shares of the training images, ascending; the last one is 1.
        stratify: split.stratify.
        seed: Seed of the draw.

    Returns:
        The fractions, ascending. The last one is `trained`.

    Raises:
        UserError: There are fewer groups than fractions, or the smallest fraction cannot contain every class.
    """
    groups, store = sorted(set(trained.groups)), trained.store
    if len(groups) < len(shares):
        raise UserError(
            f"{len(groups)} training group(s) cannot make {len(shares)} fractions: name fewer with --fractions"
        )
    group_of = {row["id"]: row["group"] for row in rows}
    chosen = {kind: _only(group_contents(store, group_of, kind), groups) for kind in {stratify, "classes"}}
    parts = assign_groups(chosen[stratify], np.diff([0.0, *shares]), seed)
    parts = cover_classes(parts, chosen["classes"], 0)
    found = [Fraction(share, _images(trained, parts, number)) for number, share in enumerate(shares)]
    _refuse_missing_classes(found[0], trained)
    return found


def _only(contents: Mapping[str, Content], groups: Sequence[str]) -> dict[str, Content]:
    return {group: contents[group] for group in groups}


def _images(trained: Subset, parts: Mapping[str, int], last: int) -> Subset:
    """The images of all parts up to a number, in the order of the training images."""
    pairs = zip(trained.indices, trained.groups, strict=True)
    return trained.only([index for index, group in pairs if parts[group] <= last])


def _refuse_missing_classes(smallest: Fraction, trained: Subset) -> None:
    held, wanted = (np.sum([record.pixels for record in one.records], axis=0) for one in (smallest.images, trained))
    names = trained.store.dataset.names
    if missing := [name for name, some, all_ in zip(names, held, wanted, strict=True) if all_ and not some]:
        raise UserError(
            f"--fractions {smallest.share:g}: {smallest.groups} group(s) of training images hold no "
            f"{', '.join(missing)}, so the class could not be learned: raise the smallest fraction"
        )
