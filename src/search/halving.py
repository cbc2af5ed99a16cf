"""Successive halving: how many candidates are trained for how long, and which of them can be compared in that time.

The plain encoder and small patches make many cheap steps. On street photographs that put them ahead of a trained
encoder in short trainings, and they were far behind in long ones (benchmarks/search.md).
"""

from collections.abc import Sequence
from itertools import takewhile

from src.search.candidate import Candidate
from src.search.contest import SHARE, Contest
from src.search.result import SHORT

FINALISTS = 2  # candidates in the last round
JUDGED = 500  # steps from which a trained encoder is compared with the plain one


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


def comparable(contest: Contest, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Leave out what a trained encoder cannot be compared with in the time that there is.

    These are the plain encoder, and patches with fewer pixels than those of the first trained encoder.

    Args:
        contest: The search; what the rules choose is prepared.
        candidates: The start set.
    """
    space = contest.space
    trained = [candidate for candidate in candidates if space.has_trained_encoder(candidate)]
    if not trained or len(trained) == len(candidates) or contest.left <= 0:
        return list(candidates)
    impossible = list(takewhile(lambda each: not contest.prepare(each), trained))
    others = [each for each in candidates if each not in impossible]
    first = next((each for each in others if each in trained), None)
    if first is None or contest.measured.steps(first, SHARE * contest.left / FINALISTS) >= JUDGED:
        return others
    fair = [each for each in others if each in trained and space.pixels(each) >= space.pixels(first)]
    for candidate in others:
        if candidate not in fair:
            contest.add(candidate, SHORT)
    return fair


def unjudged_encoder(contest: Contest, ranked: Sequence[Candidate]) -> Candidate | None:
    """Find the best candidate with a trained encoder, if it had too few steps to be compared with the plain encoder.

    Args:
        contest: The search.
        ranked: Candidates that were trained for the same time, the best one first.

    Returns:
        The candidate. None if it had enough steps, if its training failed, or if all or none have a trained encoder.
    """
    trained = [candidate for candidate in ranked if contest.space.has_trained_encoder(candidate)]
    if not trained or len(trained) == len(ranked):
        return None
    last = contest.last(trained[0])
    return trained[0] if last.scores is not None and last.steps < JUDGED else None


def _weight(numbers: Sequence[int]) -> int:
    return sum(number * 2**turn for turn, number in enumerate(numbers))
