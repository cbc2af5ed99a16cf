"""Groups divided among subsets at random and evenly."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

DRAWS = 100  # enough to be even, few enough that another seed finds another division


def spread(contents: Mapping[str, NDArray[np.float64]], shares: NDArray[np.float64], seed: int) -> dict[str, int]:
    """Divide groups among subsets at random: of `DRAWS` divisions, the one that spreads images and classes most evenly.

    Every division gives subset s its share of the groups, at least one. Its cost is the sum, over the images and every
    class, of (share held by s - share wanted)² / share wanted. There are at least as many groups as subsets. Returns
    group → position in `shares`.
    """
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


def completed(chosen: Mapping[str, int], contents: Mapping[str, NDArray[np.float64]], part: int) -> dict[str, int]:
    """`chosen`, with groups exchanged until `part` holds every class that any group holds, as far as that goes.

    contents: of each group its number of images, then its pixels of each class. A group that brings a class comes in
    for one of which every class stays, the most like it in size, then in classes.
    """
    divided, holds = dict(chosen), {group: content[1:] > 0 for group, content in contents.items()}
    while True:
        inside = [group for group in divided if divided[group] == part]
        held = np.sum([holds[group] for group in inside], axis=0)
        bringing = {group: int(holds[group][held == 0].sum()) for group in divided.keys() - set(inside)}
        spare = [group for group in inside if not holds[group][held == 1].any()]
        if not spare or not any(bringing.values()):
            return divided
        comes = max(sorted(bringing), key=lambda group: bringing[group])
        unlike = {group: (holds[group] != holds[comes]).sum() for group in spare}
        goes = min(spare, key=lambda group: (abs(contents[group][0] - contents[comes][0]), unlike[group]))
        divided[comes], divided[goes] = part, divided[comes]


def _group_counts(groups: int, shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many of `groups` each subset gets: at least one, else its share, the largest remainders rounded up."""
    exact = shares * groups
    counts = np.maximum(1, np.floor(exact).astype(np.int64))
    while counts.sum() > groups:
        counts[np.where(counts > 1, counts - exact, -np.inf).argmax()] -= 1
    while counts.sum() < groups:
        counts[(exact - counts).argmax()] += 1
    return counts
