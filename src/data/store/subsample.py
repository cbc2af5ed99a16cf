"""Choose a few images that represent a subset."""

import numpy as np

from src.data.store.subsets import FEWEST_GROUPS, Subset


def subsample(subset: Subset, number: int) -> Subset:
    """Choose images that represent a subset: all of its classes and as many groups as possible.

    Classes are visited from the one that the fewest groups contain to the most common one. For each class, one image of
    each of `FEWEST_GROUPS` groups that contain it is chosen. The remaining images are taken from all groups in turn.
    Equal subsets give equal choices.

    Args:
        subset: The images to choose from.
        number: The number of images to choose, at least 1. If there are no more images, all are chosen.

    Returns:
        The chosen images, in the order of `subset`.
    """
    store, indices = subset.store, subset.indices
    group_of = dict(zip(indices, subset.groups, strict=True))
    turns = _in_turns(group_of)
    labels_of = {index: np.flatnonzero(store.records[index].pixels).tolist() for index in indices}
    images_with = {
        label: [index for index in turns if label in labels_of[index]] for label in range(len(store.dataset.names))
    }
    chosen: dict[int, None] = {}
    for label in sorted(images_with, key=lambda label: len({group_of[index] for index in images_with[label]})):
        covered = {group_of[index] for index in chosen if label in labels_of[index]}
        for index in images_with[label]:
            if len(covered) < FEWEST_GROUPS and group_of[index] not in covered:
                chosen[index] = None
                covered.add(group_of[index])
    kept = set([*chosen, *(index for index in turns if index not in chosen)][:number])
    return subset.only([index for index in indices if index in kept])


def _in_turns(group_of: dict[int, str]) -> list[int]:
    """Order images so that groups take turns: one image of each group, then a second one of each, and so on."""
    shuffled = np.random.default_rng(0).permutation(list(group_of)).tolist()
    turn_of, counts = dict[int, int](), dict[str, int]()
    for index in shuffled:
        turn_of[index] = counts[group_of[index]] = counts.get(group_of[index], 0) + 1
    return sorted(shuffled, key=lambda index: turn_of[index])
