"""Masks that belong to another image: the mask of another image of the same size fits the prediction better."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from src.suspects.changes import LEAST
from src.suspects.evidence import Evidence
from src.suspects.maps import Values, averaged

SIDE = 32  # pixels of the thumbnails by which candidates are chosen
CANDIDATES = 5  # masks that are compared in full with each prediction


@dataclass(frozen=True)
class Thumbnail:
    """A small copy of the evidence, by which all masks are compared with all predictions.

    Attributes:
        size: Height and width of the image; only masks of the same size can be swapped without notice.
        margins: float16 [classes × SIDE × SIDE].
        planes: float16 [classes × SIDE × SIDE].
    """

    size: tuple[int, int]
    margins: NDArray[np.float16]
    planes: NDArray[np.float16]

    @classmethod
    def of(cls, found: Evidence, size: tuple[int, int]) -> "Thumbnail":
        """Reduce the evidence.

        Args:
            found: The prediction and the mask.
            size: Height and width of the image.
        """
        small = (np.concatenate([averaged(part, (SIDE, SIDE)).ravel() for part in values]) for values in _both(found))
        return cls(size, *(values.astype(np.float16) for values in small))


@dataclass(frozen=True)
class Swap:
    """Another mask that fits a prediction better.

    Attributes:
        gain: Nats of log-likelihood.
        other: The number of the image whose mask it is.
    """

    gain: float
    other: int


def swap_candidates(thumbnails: Sequence[Thumbnail]) -> list[list[int]]:
    """Find for each prediction the masks of other images that fit best, at most `CANDIDATES`.

    Args:
        thumbnails: One for each image.

    Returns:
        For each image the numbers of the others, best first.
    """
    numbers_of = dict[tuple[int, int], list[int]]()
    for number, one in enumerate(thumbnails):
        numbers_of.setdefault(one.size, []).append(number)
    found: list[list[int]] = [[] for _ in thumbnails]
    for numbers in numbers_of.values():
        planes = np.stack([thumbnails[number].planes for number in numbers]).astype(np.float32)
        for place, number in enumerate(numbers):
            fits = planes @ thumbnails[number].margins.astype(np.float32)
            fits[place] = -np.inf
            best = np.argsort(-fits, kind="stable")[: min(CANDIDATES, len(numbers) - 1)]
            found[number] = [numbers[one] for one in best]
    return found


def best_swap(found: Evidence, candidates: Sequence[int], planes: Callable[[int], Values]) -> Swap | None:
    """Find the other mask that fits a prediction best.

    Args:
        found: The prediction and its own mask.
        candidates: The numbers of the others, from `swap_candidates`.
        planes: Returns the planes of one of them in the size of the map, see `mask_planes`.

    Returns:
        The mask, or None if no other one fits better than its own.
    """
    swaps = [Swap(_gain(found, planes(number)), number) for number in candidates]
    best = max(swaps, key=lambda swap: swap.gain, default=None)
    return best if best and best.gain > LEAST else None


def _gain(found: Evidence, planes: Values) -> float:
    """What another mask gains, over the pixels that count in both."""
    counted = planes.max(axis=0) > 0 if not found.overlap else np.ones(found.counted.shape, bool)
    return float(np.vdot(found.margins, planes) - np.vdot(found.margins * counted, found.planes))


def _both(found: Evidence) -> tuple[Values, Values]:
    return found.margins, found.planes
