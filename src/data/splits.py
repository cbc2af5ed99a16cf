"""Which image is trained on, validated on, tested on: whole groups, classes spread evenly, the same for a seed."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.data.dataset import NAME, SUBSETS, read_lists
from src.data.store import Record, Store
from src.errors import UserError, listing
from src.files import read_csv, write_csv
from src.params import Split

DRAWS = 100  # enough to be even, few enough that another seed finds another division
COLUMNS = ["id", "group", "subset", "fold"]


def split(store: Store, params: Split, seed: int) -> list[dict[str, str]]:
    """A row for each image: id, group, subset, and its fold (empty without folds).

    Groups named in the data set's lists go where the list says, the others are spread by `spread`. `UserError` if there
    are too few groups, a list is wrong, a class is missing from training, or all foreground from validation.
    """
    contents = group_contents(store.records)
    listed = _listed(store, read_lists(store.folder, store.dataset))
    rest = {group: content for group, content in contents.items() if group not in listed}
    folds: dict[str, int] = {}
    if params.folds:
        if listed:
            raise UserError(f"split.folds: {params.folds} cannot be used with the lists of {NAME}; set it to 0")
        folds = spread(rest, np.full(params.folds, 1 / params.folds), seed)
        subset_of = {group: _role((fold - params.fold) % params.folds) for group, fold in folds.items()}
    else:
        shares = {"train": 1 - params.validation - params.test, "validation": params.validation, "test": params.test}
        open_subsets = [subset for subset in SUBSETS if getattr(store.dataset, subset) is None]
        if rest and not open_subsets:
            names = listing(sorted(rest))
            raise UserError(f"every subset has a list in {NAME}, but these groups are on none\n{names}")
        chosen = spread(rest, np.array([shares[subset] for subset in open_subsets]), seed)
        subset_of = listed | {group: open_subsets[position] for group, position in chosen.items()}
    rows = [
        {"id": r.id, "group": r.group, "subset": subset_of[r.group], "fold": str(folds.get(r.group, ""))}
        for r in store.records
    ]
    _check_classes(store, rows)
    return rows


def _role(position: int) -> str:
    return {0: "test", 1: "validation"}.get(position, "train")


def group_contents(records: Sequence[Record]) -> dict[str, NDArray[np.float64]]:
    """group → its number of images, then its number of pixels of each class."""
    contents: dict[str, NDArray[np.float64]] = {}
    for record in records:
        content = np.array([1, *record.pixels], float)
        contents[record.group] = contents.get(record.group, 0) + content
    return contents


def spread(contents: Mapping[str, NDArray[np.float64]], shares: NDArray[np.float64], seed: int) -> dict[str, int]:
    """Divide groups among subsets at random: of `DRAWS` divisions, the one that spreads images and classes most evenly.

    Every division gives subset s its share of the groups, at least one. Its cost is the sum, over the images and every
    class, of (share held by s - share wanted)² / share wanted. Returns group → position in `shares`.
    """
    if len(contents) < len(shares):
        raise UserError(
            f"{len(contents)} group(s) of images cannot fill {len(shares)} subsets: add images, or name the subsets in "
            f"lists (train, validation, test in {NAME}), or change group in {NAME} if images are independent"
        )
    if not contents:
        return {}
    wanted = (shares / shares.sum())[:, None]
    held = np.array(list(contents.values()))
    held /= np.maximum(held.sum(axis=0), 1)  # of all images, and of all pixels of each class
    position = np.repeat(np.arange(len(shares)), _group_counts(len(held), wanted[:, 0]))
    member = np.eye(len(shares))[position].T  # [subset, group]
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(held)) for _ in range(DRAWS)]
    costs = [(((member @ held[order]) - wanted) ** 2 / wanted).sum() for order in orders]
    groups = np.array(list(contents), dtype=object)[orders[int(np.argmin(costs))]]
    return dict(zip(groups.tolist(), position.tolist(), strict=True))


def _group_counts(groups: int, shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many of `groups` each subset gets: at least one, else its share, the largest remainders rounded up."""
    exact = shares * groups
    counts = np.maximum(1, np.floor(exact).astype(np.int64))
    while counts.sum() > groups:
        counts[np.where(counts > 1, counts - exact, -np.inf).argmax()] -= 1
    while counts.sum() < groups:
        counts[(exact - counts).argmax()] += 1
    return counts


def _listed(store: Store, lists: Mapping[str, list[str]]) -> dict[str, str]:
    """group → subset, from the official lists; a listed image takes its whole group along."""
    group_of = {record.id: record.group for record in store.records}
    groups = set(group_of.values())
    subset_of: dict[str, str] = {}
    problems = []
    for subset, lines in lists.items():
        for line in lines:
            group = line if line in groups else group_of.get(line)
            if group is None:
                problems.append(f"{line}: on the list of {subset}, but neither an image nor a group")
            elif subset_of.setdefault(group, subset) != subset:
                problems.append(f"{line}: its group {group} is on the lists of {subset_of[group]} and of {subset}")
    empty = [subset for subset in lists if subset not in subset_of.values()]
    problems += [f"{subset}: its list names no image" for subset in empty]
    if problems:
        raise UserError(f"the lists named in {NAME} are wrong\n{listing(problems)}")
    return subset_of


def _check_classes(store: Store, rows: Sequence[Mapping[str, str]]) -> None:
    """Refuse a split from which nothing could be learned, or no epoch be chosen."""
    remedy = "add such images, or change seed, split or the lists"
    names = store.dataset.names
    absent = [name for name, pixels in zip(names, _pixels(store, rows, "train"), strict=True) if not pixels]
    if absent:
        raise UserError(f"no training image holds {', '.join(absent)}: {remedy}, or leave the class out of {NAME}")
    if not _pixels(store, rows, "validation")[store.dataset.foreground].any():
        wanted = " or ".join(names[label] for label in store.dataset.foreground)
        raise UserError(f"no validation image holds {wanted}, so that no epoch could be chosen: {remedy}")


def _pixels(store: Store, rows: Sequence[Mapping[str, str]], subset: str) -> NDArray[np.int64]:
    """Pixels of each class in one subset."""
    held = [r.pixels for r, row in zip(store.records, rows, strict=True) if row["subset"] == subset]
    return np.sum(held, axis=0, dtype=np.int64)


def subset_rows(store: Store, rows: Sequence[Mapping[str, str]]) -> list[dict[str, str | int | float]]:
    """For each subset and class: images, groups, and the class's share of the subset's pixels."""
    table: list[dict[str, str | int | float]] = []
    for subset in SUBSETS:
        records = [r for r, row in zip(store.records, rows, strict=True) if row["subset"] == subset]
        pixels = _pixels(store, rows, subset)
        for name, count in zip(store.dataset.names, pixels.tolist(), strict=True):
            size = {"images": len(records), "groups": len({r.group for r in records})}
            table.append({"subset": subset, "class": name, **size, "share": round(count / max(pixels.sum(), 1), 6)})
    return table


def write_splits(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    write_csv(path, rows, COLUMNS)


def read_subset(path: Path, store: Store, subset: str) -> list[int]:
    """The positions in the store of the images of one subset."""
    return [store.position[row["id"]] for row in read_csv(path) if row["subset"] == subset]
