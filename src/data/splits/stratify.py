"""Assign groups to subsets at random, so that images and classes are divided evenly."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

DRAWS = 100  # enough for an even assignment, few enough that another seed finds another one


def assign_groups(
    contents: Mapping[str, NDArray[np.float64]], shares: NDArray[np.float64], seed: int
) -> dict[str, int]:
    """Draw `DRAWS` random assignments of groups to subsets and return the most even one.

    Every assignment gives each subset its share of the groups, at least one. Its cost is the sum, over all subsets and
    all columns of `contents`, of (share in the subset - wanted share)² / wanted share.

    Args:
        contents: group → what is divided evenly, such as its number of images and its pixels of each class, [columns].
        shares: Wanted share of each subset, [subsets], above 0. There must be at least as many groups as subsets.
        seed: Seed of the draws.

    Returns:
        group → position of its subset in `shares`; empty without groups.
    """
    if not contents:
        return {}
    wanted = (shares / shares.sum())[:, None]
    amounts = np.array(list(contents.values()))
    amounts /= np.maximum(amounts.sum(axis=0), 1)  # as shares of all images, and of all pixels of each class
    position = np.repeat(np.arange(len(shares)), _group_counts(len(amounts), wanted[:, 0]))
    member = np.eye(len(shares))[position].T  # [subset, group]
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(amounts)) for _ in range(DRAWS)]
    costs = [(((member @ amounts[order]) - wanted) ** 2 / wanted).sum() for order in orders]
    groups = np.array(list(contents), dtype=object)[orders[int(np.argmin(costs))]]
    return dict(zip(groups.tolist(), position.tolist(), strict=True))


def cover_classes(
    assigned: Mapping[str, int], contents: Mapping[str, NDArray[np.float64]], subset: int
) -> dict[str, int]:
    """Exchange groups until one subset contains every class, as far as that is possible.

    A group with missing classes is exchanged for one whose classes all remain: the one closest to it in number of
    images, then in classes.

    Args:
        assigned: group → position of its subset.
        contents: group → its number of images, then its pixels of each class, [1 + classes].
        subset: Position of the subset that is to contain every class.

    Returns:
        group → position of its subset, after the exchanges.
    """
    result, classes = dict(assigned), {group: content[1:] > 0 for group, content in contents.items()}
    while True:
        inside = [group for group in result if result[group] == subset]
        counts = np.sum([classes[group] for group in inside], axis=0)
        missing = {group: int(classes[group][counts == 0].sum()) for group in result.keys() - set(inside)}
        dispensable = [group for group in inside if not classes[group][counts == 1].any()]
        if not dispensable or not any(missing.values()):
            return result
        enters = max(sorted(missing), key=lambda group: missing[group])
        distance = {group: (classes[group] != classes[enters]).sum() for group in dispensable}
        leaves = min(dispensable, key=lambda group: (abs(contents[group][0] - contents[enters][0]), distance[group]))
        result[enters], result[leaves] = subset, result[enters]


def _group_counts(groups: int, shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """Divide a number of groups: each subset gets at least one, then its share by the largest-remainder method."""
    exact = shares * groups
    counts = np.maximum(1, np.floor(exact).astype(np.int64))
    while counts.sum() > groups:
        counts[np.where(counts > 1, counts - exact, -np.inf).argmax()] -= 1
    while counts.sum() < groups:
        counts[(exact - counts).argmax()] += 1
    return counts
