"""A few images that stand for many."""

from collections.abc import Sequence

import numpy as np

from src.data.store.store import Store

EACH = 5  # groups that hold a class: the fewest that anything is decided by


def few_of(store: Store, indices: Sequence[int], groups: Sequence[str], number: int) -> list[int]:
    """So many of the images at these positions in the store, or all of them if they are no more, in their order.

    groups: the group of each. First come, for each class, from the one that the fewest groups hold on, images of `EACH`
    groups that hold it; then one of every group after the other. Within a group they are drawn, always the same ones.
    """
    group_of = dict(zip(indices, groups, strict=True))
    turns = _in_turns(group_of)
    held = {index: np.flatnonzero(store.records[index].pixels).tolist() for index in indices}
    holders = {label: [index for index in turns if label in held[index]] for label in range(len(store.dataset.names))}
    chosen: dict[int, None] = {}
    for label in sorted(holders, key=lambda label: len({group_of[index] for index in holders[label]})):
        seen = {group_of[index] for index in chosen if label in held[index]}
        for index in holders[label]:
            if len(seen) < EACH and group_of[index] not in seen:
                chosen[index] = None
                seen.add(group_of[index])
    kept = set([*chosen, *(index for index in turns if index not in chosen)][:number])
    return [index for index in indices if index in kept]


def _in_turns(group_of: dict[int, str]) -> list[int]:
    """One image of each group, then another of each, and so on."""
    drawn = np.random.default_rng(0).permutation(list(group_of)).tolist()
    turns, many = dict[int, int](), dict[str, int]()
    for index in drawn:
        turns[index] = many[group_of[index]] = many.get(group_of[index], 0) + 1
    return sorted(drawn, key=lambda index: turns[index])
