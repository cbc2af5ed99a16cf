"""Test whether images that follow each other by name resemble each other more than other images do.

Frames of a video, slices of a volume and tiles of a scene do. If each is a group of its own, they count as independent
images: intervals are too narrow, and test images resemble training images. A permutation test on thumbnails finds such
images. It compares a bounded number of pairs and gives the same result every time.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from src.data.similarity.likeness import MEASURES, Likeness, standardised

FEWEST_PAIRS = 9  # with fewer pairs, permutations often repeat the given order, and the test cannot decide
LEAST_SHARE = 0.1  # no test if fewer of all neighbours lie in different groups, as at the borders of blocks
RUNS, RUN = 10, 40  # of more than RUNS * RUN pairs, RUNS runs of RUN consecutive pairs are tested
WINDOW = 16  # places; a second test permutes only within them, so that images sorted by class do not count
PERMUTATIONS = 10_000  # neighbours must beat all of them: over up to eight tests (measures, orders) p < 0.001
AT_ONCE = 500  # permutations that are computed together, which bounds the memory
ROUNDING = 1e-6  # rounding error of a mean likeness
EXCESS = 0.1  # smallest effect that counts: (neighbours - others) / (1 - others)


@dataclass(frozen=True)
class Dependence:
    """Neighbours by name that lie in different groups and resemble each other.

    Attributes:
        what: In which way they are alike, such as "have a similar layout".
        neighbours: Mean likeness of these pairs, at most 1.
        others: Mean likeness of other pairs, at most 1.
        pairs: The ids of all neighbours that lie in different groups.
    """

    what: str
    neighbours: float
    others: float
    pairs: list[tuple[str, str]]

    @property
    def words(self) -> str:
        """The finding as a clause for a message."""
        return (
            f"images that follow each other by name {self.what} (likeness {self.neighbours:.2f}, other images "
            f"{self.others:.2f})"
        )


class _Candidate:
    """A measure of likeness in one order of the images, to be tested.

    Attributes:
        what: See `Dependence`.
        neighbours: Mean likeness of neighbours, the diagonal.
        others: Mean likeness of other pairs.
        excess: The size of the effect, at most 1.
        pairs: Positions of the neighbours.
    """

    def __init__(
        self,
        what: str,
        likeness: NDArray[np.float32],
        comparable: NDArray[np.bool_],
        pairs: Sequence[tuple[int, int]],
    ) -> None:
        others = comparable & ~np.eye(len(likeness), dtype=bool)
        self.what, self.pairs = what, pairs
        self.neighbours = float(likeness.diagonal().mean())
        self.others = float(likeness[others].mean()) if others.any() else 1.0
        self.excess = (self.neighbours - self.others) / max(1 - self.others, 1e-6)
        self._values = np.where(comparable, likeness, self.others)  # pairs within a group carry no information

    def is_significant(self) -> bool:
        """Return whether the neighbours beat every permutation."""
        count = len(self._values)
        for shuffled in (_anywhere, _nearby) if count > WINDOW else (_anywhere,):
            rng = np.random.default_rng(0)
            for _ in range(PERMUTATIONS // AT_ONCE):
                means = self._values[np.arange(count), shuffled(rng, count)].mean(axis=1)
                if (means >= self.neighbours - ROUNDING).any():
                    return False
        return True


def find_dependence(
    thumbnails: NDArray[np.float16], groups: Mapping[str, str], measures: Mapping[str, Likeness] = MEASURES
) -> Dependence | None:
    """Test whether neighbours by name that lie in different groups resemble each other more than other images do.

    Args:
        thumbnails: float16 [images, side, side], see src/data/similarity/thumbnails.py.
        groups: id → group, in the order of the thumbnails.
        measures: What they may have in common → its measure.

    Returns:
        The strongest dependence. None if there is none that matters, or if there are too few pairs to test.
    """
    ids = list(groups)
    group = np.unique(list(groups.values()), return_inverse=True)[1] if ids else np.zeros(0, int)
    candidates: list[_Candidate] = []
    for order in _orders(ids):
        pairs = [pair for pair in pairwise(order) if group[pair[0]] != group[pair[1]]]
        if len(pairs) < max(FEWEST_PAIRS, LEAST_SHARE * (len(ids) - 1)):
            continue
        first, second = _sample(pairs).T
        used, places = np.unique(np.concatenate([first, second]), return_inverse=True)
        pictures = standardised(np.asarray(thumbnails[used], np.float32))
        one, other = pictures[places[: len(first)]], pictures[places[len(first) :]]
        comparable = group[first][:, None] != group[second][None]  # excludes an image and itself
        candidates += [_Candidate(what, likeness(one, other), comparable, pairs) for what, likeness in measures.items()]
    for candidate in sorted(candidates, key=lambda candidate: -candidate.excess):  # most need no permutation then
        if candidate.excess >= EXCESS and candidate.is_significant():
            named = [(ids[a], ids[b]) for a, b in candidate.pairs]
            return Dependence(candidate.what, candidate.neighbours, candidate.others, named)
    return None


def natural_key(name: str) -> list[int | str]:
    """Return a key for sorting that puts frame_9 before frame_10."""
    return [int(part) if number % 2 else part for number, part in enumerate(re.split(r"([0-9]+)", name))]


def _orders(ids: Sequence[str]) -> Iterator[list[int]]:
    """The positions in natural order. If all names have several numbers, also ordered by the last number first.

    The neighbour of tile_3_7 to the right follows it in one order, the neighbour below in the other.
    """
    yield sorted(range(len(ids)), key=lambda position: natural_key(ids[position]))
    numbers = [[int(part) for part in re.findall(r"[0-9]+", image)][::-1] for image in ids]
    if all(len(found) > 1 for found in numbers):
        yield sorted(range(len(ids)), key=lambda position: (numbers[position], ids[position]))


def _sample(pairs: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """All pairs, or evenly spaced runs of them, as positions [pairs, 2]."""
    if len(pairs) <= RUNS * RUN:
        return np.array(pairs)
    starts = np.linspace(0, len(pairs) - RUN, RUNS).astype(int)
    return np.array([pairs[start + step] for start in starts for step in range(RUN)])


def _anywhere(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    """Random permutations [AT_ONCE, count]."""
    return rng.permuted(np.tile(np.arange(count), (AT_ONCE, 1)), axis=1)


def _nearby(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    """Random permutations [AT_ONCE, count] in which nothing moves by more than about `WINDOW` places."""
    moved = np.arange(count) + rng.uniform(0, WINDOW, (AT_ONCE, count))
    return np.argsort(moved, axis=1, kind="stable")
