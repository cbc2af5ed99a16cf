"""Divide images into train, validation and test: groups stay whole, and classes are divided evenly."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from src.data.source.dataset import NAME, SUBSETS, read_lists
from src.data.source.tables import separator_note
from src.data.splits.groups import group_rule, groups_by_rule, merge_groups, read_column, twin_clusters
from src.data.splits.lists import list_notes, listed_groups, lists_after_merging
from src.data.splits.stratify import assign_groups, cover_classes
from src.data.store.store import DatasetIndex
from src.errors import UserError, listing
from src.params import Split, table_column

Rows = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Grouping:
    """The group of every image, in the order of the store.

    Attributes:
        by_rule: id → group as split.group or dataset.yaml says.
        merged: id → group once groups that share equal or nearly equal images are merged; with split.duplicates: apart
            the same as `by_rule`.
    """

    by_rule: dict[str, str]
    merged: dict[str, str]


def split(store: DatasetIndex, params: Split, seed: int) -> list[dict[str, str]]:
    """Assign every image to a subset.

    Groups that the official lists name go where the lists say. The others are divided by `assign_groups`, and then
    exchanged by `cover_classes` so that training contains every class.

    Args:
        store: The data set.
        params: The section `split` of params.yaml.
        seed: Seed of the assignment.

    Returns:
        One row for each image, in the order of the store: id, group, subset, and fold, which is empty without folds and
        for images on a list.

    Raises:
        UserError: There are too few groups, a list is wrong, training lacks a class, validation lacks all foreground
            classes, or a subset has no pixel that counts.
    """
    grouping = group_images(store, params)
    lists = read_lists(store.folder, store.dataset)
    listed = lists_after_merging(
        _on_lists(store, grouping.by_rule), grouping.by_rule, grouping.merged, twin_clusters(store.records)
    )
    contents = group_contents(store, grouping.merged, params.stratify)
    rest = {group: content for group, content in contents.items() if group not in listed}
    parts, shares = _parts(params, lists)
    if rest and not parts:
        raise UserError(
            f"every subset has a list in {NAME}, but these groups are on none\n{listing(map(repr, sorted(rest)))}"
        )
    if len(rest) < len(parts):
        raise _too_few(params, grouping, rest, len(parts))
    assigned = assign_groups(rest, shares, seed)
    if "train" in parts and not params.folds:
        assigned = cover_classes(assigned, group_contents(store, grouping.merged, "classes"), parts.index("train"))
    subset_of = listed | {group: parts[(part - params.fold) % len(parts)] for group, part in assigned.items()}
    folds = assigned if params.folds else {}
    rows = [
        {"id": image, "group": group, "subset": subset_of[group], "fold": str(folds.get(group, ""))}
        for image, group in grouping.merged.items()
    ]
    _check_classes(store, rows)
    return rows


def twin_note(store: DatasetIndex) -> str:
    """Say how many images are equal or nearly equal to another one."""
    count = sum(map(len, twin_clusters(store.records)))
    return f"{count} of {len(store.records)} images are equal or nearly equal to another one"


def split_notes(store: DatasetIndex, params: Split, rows: Rows) -> list[str]:
    """Report what equal or nearly equal images changed, and how lists and tables were read.

    Args:
        store: The data set.
        params: The section `split` of params.yaml.
        rows: What `split` returned for them.

    Returns:
        Lines of text: groups that were merged, images that followed one on a list, clusters that lie across subsets,
        and lists and tables in another form than ids and commas. Empty if there is nothing of this.
    """
    grouping, lines = group_images(store, params), list[str]()
    by_rule, merged = grouping.by_rule, grouping.merged
    subset_of = {row["id"]: row["subset"] for row in rows}
    before, after = len(set(by_rule.values())), len(set(merged.values()))
    if after < before:
        lines.append(f"kept together: {before} groups became {after}")
    on_lists = _on_lists(store, by_rule)
    listed = {merged[image] for image in by_rule if by_rule[image] in on_lists}
    if followers := [image for image in by_rule if by_rule[image] not in on_lists and merged[image] in listed]:
        images = listing(f"{image!r}: {subset_of[image]}" for image in followers)
        lines.append(
            f"on no list of {NAME}, but in the subset of a similar image that is on one: {len(followers)}\n{images}"
        )
    clusters = twin_clusters(store.records)
    if across := [ids for ids in clusters if len({subset_of[image] for image in ids}) > 1]:
        images = listing(" = ".join(f"{image!r} ({subset_of[image]})" for image in ids) for ids in across)
        lines.append(
            f"across subsets, so scores may be too high (split.duplicates): {len(across)} cluster(s)\n{images}"
        )
    return [*lines, *_reading_notes(store, params, by_rule)]


def _reading_notes(store: DatasetIndex, params: Split, by_rule: Mapping[str, str]) -> list[str]:
    """Report lists that name images other than by id, and tables with another separator than a comma."""
    official = groups_by_rule(store.folder, store.dataset.group, list(by_rule))
    lines = list_notes(read_lists(store.folder, store.dataset), [by_rule, official])
    rules = dict.fromkeys([group_rule(params.group, store.dataset), store.dataset.group, params.stratify])
    for table in [table_column(rule) for rule in rules if rule]:
        lines += separator_note(store.folder / table[0], table[1]) if table else []
    return lines


def group_images(store: DatasetIndex, params: Split) -> Grouping:
    """Find the group of every image.

    Args:
        store: The data set.
        params: The section `split` of params.yaml.

    Raises:
        UserError: The rule for groups does not fit the images.
    """
    ids = [record.id for record in store.records]
    by_rule = groups_by_rule(store.folder, group_rule(params.group, store.dataset), ids)
    if params.duplicates == "apart":
        return Grouping(by_rule, by_rule)
    return Grouping(by_rule, merge_groups(by_rule, twin_clusters(store.records)))


def _on_lists(store: DatasetIndex, by_rule: Mapping[str, str]) -> dict[str, str]:
    """group → subset, for the groups on official lists."""
    official = groups_by_rule(store.folder, store.dataset.group, list(by_rule))
    return listed_groups(read_lists(store.folder, store.dataset), by_rule, official)


def _parts(params: Split, lists: Collection[str]) -> tuple[list[str], NDArray[np.float64]]:
    """The parts into which groups on no list are divided: the subset of each (with folds: for fold 0) and its share.

    A list of test images stays the test subset of every fold. Fold k is then the validation subset.
    """
    if params.folds:
        if other := [subset for subset in lists if subset != "test"]:
            raise UserError(
                f"split.folds: {params.folds} allows a list of test images only, but {NAME} also names one of "
                f"{' and of '.join(other)}: remove it, or write\n  split.folds: 0"
            )
        roles = ["validation"] if lists else ["test", "validation"]
        return roles + ["train"] * (params.folds - len(roles)), np.full(params.folds, 1 / params.folds)
    shares = {"train": 1 - params.validation - params.test, "validation": params.validation, "test": params.test}
    parts = [subset for subset in SUBSETS if subset not in lists]
    return parts, np.array([shares[subset] for subset in parts])


def _too_few(params: Split, grouping: Grouping, rest: Collection[str], needed: int) -> UserError:
    """The error for fewer groups than parts to fill, with the possible remedies as lines to write."""
    images = [image for image, group in grouping.merged.items() if group in rest]
    alone, apart = len(images), len({grouping.by_rule[image] for image in images})
    some_listed = alone < len(grouping.merged)
    choices = ["more images, of other groups, in the data set"]
    if params.folds and len(rest) >= 3:
        choices.append(f"split.folds: {len(rest)}")
    if params.folds and len(rest) >= 3 - some_listed:
        choices.append("split.folds: 0")
    if apart >= needed:
        choices.append(f"split.duplicates: apart   # {apart} groups; (nearly) equal images may then lie across subsets")
    if apart < alone >= needed:
        choices.append(
            f"split.group: none   # {alone} groups, if the images are independent; or correct group in {NAME}"
        )
    if some_listed:
        choices.append(f"fewer lines in the lists that {NAME} names")
    return UserError(
        f"{len(rest)} group(s) of {alone} image(s)"
        f"{' on no list' if some_listed else ''} cannot fill {needed} "
        f"{'folds' if params.folds else 'subsets'}; remedies, any one of which may do\n{listing(choices)}"
    )


def group_contents(store: DatasetIndex, groups: Mapping[str, str], stratify: str) -> dict[str, NDArray[np.float64]]:
    """Count what is to be divided evenly.

    Args:
        store: The data set.
        groups: id → group, in the order of the store.
        stratify: split.stratify.

    Returns:
        group → its number of images; unless `stratify` is none, also its pixels of each class; with FILE.csv:COLUMN,
        also its number of images with each value of that column.

    Raises:
        UserError: The column cannot be read or has too many values.
    """
    counts = [np.ones((len(groups), 1))]
    if stratify != "none":
        counts.append(np.array([record.pixels for record in store.records], float))
    if table := table_column(stratify):
        column = read_column(store.folder, *table, list(groups), blank=True)
        values, positions = np.unique(list(column.values()), return_inverse=True)
        if len(values) * len(SUBSETS) > len(groups):
            raise UserError(
                f"split.stratify: {stratify} has {len(values)} values for {len(groups)} images: not every subset can "
                f"hold each of them; name a column with few values"
            )
        counts.append(np.eye(len(values))[positions])
    contents: dict[str, NDArray[np.float64]] = {}
    for group, content in zip(groups.values(), np.hstack(counts), strict=True):
        contents[group] = contents.get(group, 0) + content
    return contents


def _check_classes(store: DatasetIndex, rows: Rows) -> None:
    """Refuse a split with which training, choosing an epoch or scoring is impossible."""
    for subset in SUBSETS:
        if not _counted(store, rows, subset):
            what = f"no {subset} image has a pixel that counts: all pixels of their masks are to be ignored"
            remedy = "annotate one of them, or change seed, split or the lists; they are"
            raise UserError(f"{what}; {remedy}\n{listing(row['id'] for row in rows if row['subset'] == subset)}")
    remedy = "add such images, or change seed, split or the lists"
    names = store.dataset.names
    absent = [name for name, pixels in zip(names, _pixels(store, rows, "train"), strict=True) if not pixels]
    if absent:
        raise UserError(f"no training image holds {', '.join(absent)}: {remedy}, or leave the class out of {NAME}")
    if not _pixels(store, rows, "validation")[store.dataset.foreground].any():
        wanted = " or ".join(names[label] for label in store.dataset.foreground)
        raise UserError(f"no validation image holds {wanted}, so that no epoch could be chosen: {remedy}")


def _pixels(store: DatasetIndex, rows: Rows, subset: str) -> NDArray[np.int64]:
    """Number of pixels of each class in one subset: int64 [classes]."""
    counts = [record.pixels for record, row in zip(store.records, rows, strict=True) if row["subset"] == subset]
    return np.sum(counts, axis=0, dtype=np.int64)


def _counted(store: DatasetIndex, rows: Rows, subset: str) -> int:
    """Number of pixels of one subset that count."""
    return sum(r.counted_pixels for r, row in zip(store.records, rows, strict=True) if row["subset"] == subset)


def subset_table(store: DatasetIndex, rows: Rows) -> list[dict[str, str | int | float]]:
    """Describe the subsets.

    Args:
        store: The data set.
        rows: What `split` returned.

    Returns:
        One row for each subset and class: images and groups of the subset, and the class's share of its pixels.
    """
    table: list[dict[str, str | int | float]] = []
    for subset in SUBSETS:
        groups = [row["group"] for row in rows if row["subset"] == subset]
        pixels = _pixels(store, rows, subset)
        for name, count in zip(store.dataset.names, pixels.tolist(), strict=True):
            size = {"images": len(groups), "groups": len(set(groups))}
            share = round(count / max(_counted(store, rows, subset), 1), 6)
            table.append({"subset": subset, "class": name, **size, "share": share})
    return table
