"""Divide labelled images into folds: a network that is trained on all folds but one predicts the images of that one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from src.data.splits.divide import Rows, group_contents
from src.data.splits.stratify import assign_groups
from src.data.store.subsets import Subset
from src.errors import UserError, listing


@dataclass(frozen=True)
class Fold:
    """A fold.

    Attributes:
        trained: The images of all other folds.
        held_out: The images of this fold.
    """

    trained: Subset
    held_out: Subset


def make_folds(images: Subset, rows: Rows, folds: int, stratify: str, seed: int) -> list[Fold]:
    """Divide images into folds with the splitter that made the split: groups stay whole.

    Args:
        images: The images.
        rows: The content of data/splits.csv: one row for each image of the store, in its order.
        folds: The number of folds, 2 or more.
        stratify: split.stratify.
        seed: Seed of the draw.

    Raises:
        UserError: There are fewer groups than folds, or a class is in one fold alone.
    """
    groups = sorted(set(images.groups))
    if len(groups) < folds:
        raise UserError(f"{len(groups)} group(s) of images cannot make {folds} folds: give a smaller --folds")
    contents = group_contents(images.store, {row["id"]: row["group"] for row in rows}, stratify)
    fold_of = assign_groups({group: contents[group] for group in groups}, np.full(folds, 1 / folds), seed)
    pairs = list(zip(images.indices, images.groups, strict=True))

    def part(number: int, inside: bool) -> Subset:
        return images.only([index for index, group in pairs if (fold_of[group] == number) == inside])

    found = [Fold(part(number, False), part(number, True)) for number in range(folds)]
    _refuse_missing_classes(found, images)
    return found


def _refuse_missing_classes(folds: Sequence[Fold], images: Subset) -> None:
    """A network that never sees a class would call all of its masks wrong."""
    names = images.store.dataset.names
    wanted = np.sum([record.pixels for record in images.records], axis=0) > 0
    lines = []
    for number, fold in enumerate(folds):
        held = np.sum([record.pixels for record in fold.trained.records], axis=0) > 0
        missing = [name for name, want, have in zip(names, wanted, held, strict=True) if want and not have]
        lines += [f"fold {number}: {', '.join(missing)}"] * bool(missing)
    if lines:
        reason = "all images of a class are in one fold, so it could not be learned for them"
        raise UserError(f"{reason}: give another --folds, or label more images of it\n{listing(lines)}")
