"""Which image is trained on, validated on, tested on: whole groups, classes spread evenly, the same for a seed."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from src.data.source.dataset import NAME, SUBSETS, read_lists
from src.data.source.tables import separator_note
from src.data.splits.groups import clusters, groups_of, merged, read_column, rule_of
from src.data.splits.lists import joined, listed_groups, rewritten
from src.data.splits.stratify import completed, spread
from src.data.store.store import DatasetIndex
from src.errors import UserError, listing
from src.params import Split, table_column


def split(store: DatasetIndex, params: Split, seed: int) -> list[dict[str, str]]:
    """A row for each image: id, group, subset, and its fold (empty without folds, and for images on a list).

    Groups named in the data set's lists go where the list says, the others are spread by `spread`. `UserError` if there
    are too few groups, a list is wrong, a class is missing from training, or all foreground from validation.
    """
    own, groups = groups_in(store, params)
    lists = read_lists(store.folder, store.dataset)
    listed = joined(_on_lists(store, own), own, groups, clusters(store.records))
    contents = group_contents(store, groups, params.stratify)
    rest = {group: content for group, content in contents.items() if group not in listed}
    parts, shares = _parts(params, lists)
    if rest and not parts:
        raise UserError(
            f"every subset has a list in {NAME}, but these groups are on none\n{listing(map(repr, sorted(rest)))}"
        )
    if len(rest) < len(parts):
        raise _too_few(params, own, groups, rest, len(parts))
    chosen = spread(rest, shares, seed)
    if "train" in parts and not params.folds:
        chosen = completed(chosen, group_contents(store, groups, "classes"), parts.index("train"))
    subset_of = listed | {group: parts[(part - params.fold) % len(parts)] for group, part in chosen.items()}
    folds = chosen if params.folds else {}
    rows = [
        {"id": image, "group": group, "subset": subset_of[group], "fold": str(folds.get(group, ""))}
        for image, group in groups.items()
    ]
    _check_classes(store, rows)
    return rows


def notes(store: DatasetIndex, params: Split, rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Lines on near-duplicates: how many there are, how groups and lists changed, which still lie across subsets.

    Also lists the names and tables that were read in another form than ids and commas.
    """
    twins, (own, groups) = clusters(store.records), groups_in(store, params)
    subset_of = {row["id"]: row["subset"] for row in rows}
    lines = [f"{sum(map(len, twins))} of {len(store.records)} images are equal or nearly equal to another one"]
    before, after = len(set(own.values())), len(set(groups.values()))
    if after < before:
        lines.append(f"kept together: {before} groups became {after}")
    on_lists = _on_lists(store, own)
    follow = {groups[image] for image in own if own[image] in on_lists}
    if pulled := [image for image in own if own[image] not in on_lists and groups[image] in follow]:
        named = listing(f"{image!r}: {subset_of[image]}" for image in pulled)
        lines.append(
            f"on no list of {NAME}, but with an image like one on it, so in its subset: {len(pulled)}\n{named}"
        )
    if across := [ids for ids in twins if len({subset_of[image] for image in ids}) > 1]:
        named = listing(" = ".join(f"{image!r} ({subset_of[image]})" for image in ids) for ids in across)
        lines.append(f"across subsets, which flatters the scores (split.duplicates): {len(across)} cluster(s)\n{named}")
    return [*lines, *_other_forms(store, params, own)]


def _other_forms(store: DatasetIndex, params: Split, own: Mapping[str, str]) -> list[str]:
    """Lines on the lists and tables that do not hold ids, or commas."""
    official = groups_of(store.folder, store.dataset.group, list(own))
    lines = rewritten(read_lists(store.folder, store.dataset), [own, official])
    rules = dict.fromkeys([rule_of(params.group, store.dataset), store.dataset.group, params.stratify])
    for table in [table_column(rule) for rule in rules if rule]:
        lines += separator_note(store.folder / table[0], table[1]) if table else []
    return lines


def groups_in(store: DatasetIndex, params: Split) -> tuple[dict[str, str], dict[str, str]]:
    """id → group as split.group or dataset.yaml says, and id → group once those that share twins are one, if wanted."""
    own = groups_of(store.folder, rule_of(params.group, store.dataset), [record.id for record in store.records])
    return own, merged(own, clusters(store.records)) if params.duplicates == "together" else own


def _on_lists(store: DatasetIndex, own: Mapping[str, str]) -> dict[str, str]:
    """group → subset, of the groups on official lists."""
    official = groups_of(store.folder, store.dataset.group, list(own))
    return listed_groups(read_lists(store.folder, store.dataset), own, official)


def _parts(params: Split, lists: Collection[str]) -> tuple[list[str], NDArray[np.float64]]:
    """What the groups on no list are divided into: for each part its subset (of folds: when fold is 0) and its share.

    A list of the test subset stays the test subset of every fold; fold k is then the validation subset.
    """
    if params.folds:
        if other := [subset for subset in lists if subset != "test"]:
            raise UserError(
                f"split.folds: {params.folds} leaves room for a list of test alone, and {NAME} names one of "
                f"{' and of '.join(other)}: take it out, or write\n  split.folds: 0"
            )
        roles = ["validation"] if lists else ["test", "validation"]
        return roles + ["train"] * (params.folds - len(roles)), np.full(params.folds, 1 / params.folds)
    shares = {"train": 1 - params.validation - params.test, "validation": params.validation, "test": params.test}
    parts = [subset for subset in SUBSETS if subset not in lists]
    return parts, np.array([shares[subset] for subset in parts])


def _too_few(
    params: Split, own: Mapping[str, str], groups: Mapping[str, str], rest: Collection[str], needed: int
) -> UserError:
    """Fewer groups on no list than parts to fill: the error, with the choices left, each as the line to write."""
    images = [image for image in groups if groups[image] in rest]
    alone, apart = len(images), len({own[image] for image in images})
    some_listed = alone < len(groups)
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
        f"{'folds' if params.folds else 'subsets'}; what helps is one of\n{listing(choices)}"
    )


def group_contents(store: DatasetIndex, groups: Mapping[str, str], stratify: str) -> dict[str, NDArray[np.float64]]:
    """group → what is to be spread evenly: its number of images; unless `stratify` is none its pixels of each class;
    if it is FILE.csv:COLUMN also how many of its images have each value of that column.
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


def _check_classes(store: DatasetIndex, rows: Sequence[Mapping[str, str]]) -> None:
    """Refuse a split on which training, the choice of an epoch, or scoring is impossible."""
    for subset in SUBSETS:
        if not _pixels(store, rows, subset).any():
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


def _pixels(store: DatasetIndex, rows: Sequence[Mapping[str, str]], subset: str) -> NDArray[np.int64]:
    """Pixels of each class in one subset."""
    held = [r.pixels for r, row in zip(store.records, rows, strict=True) if row["subset"] == subset]
    return np.sum(held, axis=0, dtype=np.int64)


def subset_rows(store: DatasetIndex, rows: Sequence[Mapping[str, str]]) -> list[dict[str, str | int | float]]:
    """For each subset and class: images, groups, and the class's share of the subset's pixels."""
    table: list[dict[str, str | int | float]] = []
    for subset in SUBSETS:
        groups = [row["group"] for row in rows if row["subset"] == subset]
        pixels = _pixels(store, rows, subset)
        for name, count in zip(store.dataset.names, pixels.tolist(), strict=True):
            size = {"images": len(groups), "groups": len(set(groups))}
            table.append({"subset": subset, "class": name, **size, "share": round(count / max(pixels.sum(), 1), 6)})
    return table
