"""A few images that stand for many."""

import numpy as np

from src.data.store.subsets import FEWEST_GROUPS, Subset


def subsample(subset: Subset, number: int) -> Subset:
    """Choose images that represent a subset: all of its classes and as many groups as possible.

    Classes are visited from the one that the fewest groups contain to the most common one. For each, images of
    `FEWEST_GROUPS` groups that contain it are chosen. Then one image of every group follows in turn. The choice is the
    same every time.

    Args:
        subset: The images to choose from.
        number: How many to choose, at least 1; all of them if there are no more.

    Returns:
        The chosen images, in the order of `subset`.
    """
    store, indices = subset.store, subset.indices
    group_of = dict(zip(indices, subset.groups, strict=True))
    turns = _in_turns(group_of)
    held = {index: np.flatnonzero(store.records[index].pixels).tolist() for index in indices}
    holders = {label: [index for index in turns if label in held[index]] for label in range(len(store.dataset.names))}
    chosen: dict[int, None] = {}
    for label in sorted(holders, key=lambda label: len({group_of[index] for index in holders[label]})):
        seen = {group_of[index] for index in chosen if label in held[index]}
        for index in holders[label]:
            if len(seen) < FEWEST_GROUPS and group_of[index] not in seen:
                chosen[index] = None
                seen.add(group_of[index])
    kept = set([*chosen, *(index for index in turns if index not in chosen)][:number])
    return subset.only([index for index in indices if index in kept])


def _in_turns(group_of: dict[int, str]) -> list[int]:
    """One image of each group, then another of each, and so on."""
    drawn = np.random.default_rng(0).permutation(list(group_of)).tolist()
    turns, many = dict[int, int](), dict[str, int]()
    for index in drawn:
        turns[index] = many[group_of[index]] = many.get(group_of[index], 0) + 1
    return sorted(drawn, key=lambda index: turns[index])
