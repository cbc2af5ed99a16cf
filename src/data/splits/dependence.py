"""Test whether images that follow each other by name resemble each other more than other images do.

Frames of a video, slices of a volume and tiles of a scene do. As groups of their own they count as independent images:
intervals come out too narrow, and images much like the training images are validated and tested on. A permutation test
tells; it reads thumbnails, compares a bounded number of pairs and gives the same answer each time.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from src.data.similarity.likeness import MEASURES, standardised

FEWEST_PAIRS = 9  # with fewer pairs, permutations often repeat the given order, so the test cannot decide
LEAST_SHARE = 0.1  # of all neighbours: if fewer lie in different groups, as at the borders of blocks, no test is made
RUNS, RUN = 10, 40  # if there are more than RUNS * RUN pairs, test RUNS runs of RUN consecutive pairs
WINDOW = 16  # places: a second test permutes within it, so that images sorted by class do not count as dependent
PERMUTATIONS = 10_000  # the neighbours must beat each: for up to eight tests (measures, orders) p < 0.001 together
AT_ONCE = 500  # permutations, to bound the memory
ROUNDING = 1e-6  # of a mean
EXCESS = 0.1  # least effect: (neighbours - others) / (1 - others)


@dataclass(frozen=True)
class Dependence:
    """Neighbours by name that lie in different groups and resemble each other.

    what: how they are alike, in words; neighbours, others: mean likeness of these pairs and of other pairs, up to 1;
    pairs: the ids of all neighbours that lie in different groups.
    """

    what: str
    neighbours: float
    others: float
    pairs: list[tuple[str, str]]

    @property
    def words(self) -> str:
        return (
            f"images that follow each other by name {self.what} (likeness {self.neighbours:.2f}, other images "
            f"{self.others:.2f})"
        )


def find_dependence(thumbnails: NDArray[np.float16], groups: Mapping[str, str]) -> Dependence | None:
    """Test whether neighbours by name that lie in different groups resemble each other more than other images do.

    Args:
        thumbnails: float16 [images, side, side], see filled.py.
        groups: id → group, in the order of the thumbnails.

    Returns:
        The strongest dependence. None if there is none that matters, or too few pairs to tell.
    """
    ids = list(groups)
    group = np.unique(list(groups.values()), return_inverse=True)[1] if ids else np.zeros(0, int)
    strongest: Dependence | None = None
    for order in _orders(ids):
        pairs = [pair for pair in pairwise(order) if group[pair[0]] != group[pair[1]]]
        if len(pairs) < max(FEWEST_PAIRS, LEAST_SHARE * (len(ids) - 1)):
            continue
        first, second = _sample(pairs).T
        used, places = np.unique(np.concatenate([first, second]), return_inverse=True)
        pictures = standardised(np.asarray(thumbnails[used], np.float32))
        one, other = pictures[places[: len(first)]], pictures[places[len(first) :]]
        comparable = group[first][:, None] != group[second][None]  # an image is in one group with itself
        for what, likeness in MEASURES.items():
            found = _tested(likeness(one, other), comparable)
            if found and (strongest is None or _excess(*found) > _excess(strongest.neighbours, strongest.others)):
                strongest = Dependence(what, *found, [(ids[a], ids[b]) for a, b in pairs])
    return strongest


def natural(name: str) -> list[Any]:
    """The key that sorts frame_9 before frame_10."""
    return [int(part) if number % 2 else part for number, part in enumerate(re.split(r"([0-9]+)", name))]


def _orders(ids: Sequence[str]) -> Iterator[list[int]]:
    """The positions by natural order; where names have several numbers also by the last number first.

    Of tile_3_7 the neighbour to the right is next in one of them, the one below in the other.
    """
    yield sorted(range(len(ids)), key=lambda position: natural(ids[position]))
    numbers = [[int(part) for part in re.findall(r"[0-9]+", image)][::-1] for image in ids]
    if all(len(found) > 1 for found in numbers):
        yield sorted(range(len(ids)), key=lambda position: (numbers[position], ids[position]))


def _sample(pairs: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """All pairs, or runs of them that are spread over all; [number, 2]."""
    if len(pairs) <= RUNS * RUN:
        return np.array(pairs)
    starts = np.linspace(0, len(pairs) - RUN, RUNS).astype(int)
    return np.array([pairs[start + step] for start in starts for step in range(RUN)])


def _excess(neighbours: float, others: float) -> float:
    return (neighbours - others) / max(1 - others, 1e-6)


def _tested(likeness: NDArray[np.float32], comparable: NDArray[np.bool_]) -> tuple[float, float] | None:
    """Mean likeness of the neighbours (the diagonal) and of the others, if the neighbours beat every permutation."""
    count, others = len(likeness), comparable & ~np.eye(len(likeness), dtype=bool)
    neighbours = float(likeness.diagonal().mean())
    usual = float(likeness[others].mean()) if others.any() else 1.0
    if _excess(neighbours, usual) < EXCESS:
        return None
    values = np.where(comparable, likeness, usual)  # an image beside itself or one of its group says nothing
    for shuffled in (_anywhere, _nearby) if count > WINDOW else (_anywhere,):
        rng = np.random.default_rng(0)
        for _ in range(PERMUTATIONS // AT_ONCE):
            means = values[np.arange(count), shuffled(rng, count)].mean(axis=1)
            if (means >= neighbours - ROUNDING).any():
                return None
    return neighbours, usual


def _anywhere(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    """Random permutations, a row each."""
    return rng.permuted(np.tile(np.arange(count), (AT_ONCE, 1)), axis=1)


def _nearby(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    """Random permutations in which nothing moves by more than about `WINDOW` places, a row each."""
    moved = np.arange(count) + rng.uniform(0, WINDOW, (AT_ONCE, count))
    return np.argsort(moved, axis=1, kind="stable")
