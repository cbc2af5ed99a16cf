"""Successive halving: how many candidates are trained for how long."""

from collections.abc import Sequence

FINALISTS = 2  # candidates in the last round


def rounds(candidates: int) -> list[int]:
    """Return how many candidates are trained in each round; the better half goes on, until `FINALISTS` remain.

    Every round is twice as long as the one before, so each takes about the same time: 8 → [8, 4, 2].
    """
    numbers = [candidates]
    while numbers[-1] > FINALISTS:
        numbers.append(max(-(-numbers[-1] // 2), FINALISTS))
    return numbers


def first_round(candidates: int, available: float, scoring: float) -> float:
    """Return the seconds that each training of the first round may take.

    Args:
        candidates: The number of candidates.
        available: Seconds for all rounds.
        scoring: Seconds of scoring a training.

    Returns:
        The seconds; not positive if scoring alone takes longer.
    """
    numbers = rounds(candidates)
    return (available - scoring * sum(numbers)) / _weight(numbers)


def _weight(numbers: Sequence[int]) -> int:
    return sum(number * 2**turn for turn, number in enumerate(numbers))
