"""A few images that stand for many."""

from collections.abc import Sequence

from src.data.store import Store

EACH = 5  # images of each class; five groups are the fewest that decisions are made on


def few_of(store: Store, indices: Sequence[int], number: int) -> list[int]:
    """About so many of the images at these positions in the store, in their order; all of them if they are no more.

    They are evenly spaced, and so from as many groups as may be, since names of one group are mostly alike; where fewer
    than `EACH` of them hold a class, images that do are added, those with most of its pixels first.
    """
    if number >= len(indices):
        return list(indices)
    chosen = {indices[place * len(indices) // number] for place in range(number)}
    for label in range(len(store.dataset.names)):
        pixels = {index: store.records[index].pixels[label] for index in indices if store.records[index].pixels[label]}
        lacking = EACH - sum(index in pixels for index in chosen)
        others = sorted(pixels.keys() - chosen, key=lambda index: (-pixels[index], index))
        chosen.update(others[: max(lacking, 0)])
    return sorted(chosen)
