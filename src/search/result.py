"""What a search may use, and what it finds."""

from collections.abc import Sequence
from dataclasses import dataclass

from src.search.candidate import Candidate
from src.search.compare import Difference
from src.search.trial import Cost, Trial

# Verdicts on candidates:
CHOSEN, TIED = "chosen", "cannot be told apart"
BEHIND, WITHIN, NOT_BETTER = "worse", "dropped: behind, but within noise", "not better beyond noise"
LATE = "ahead now; the other one gains with time"
DIVERGED, EMPTY = "the loss became infinite", "no scored image has foreground"
SHORT = "not compared: too little time for enough steps with a trained encoder"
UNJUDGED = "ahead, but the trained encoder had too few steps to be judged"
SLOW, NO_TIME = "too slow: too few steps in this time", "no time to try it"


def outcome(trial: Trial) -> str:
    """Return the Dice of a trial in words, or why there is none."""
    if trial.scores is None:
        return DIVERGED
    return f"Dice {trial.dice:.3f}" if trial.counts else EMPTY


@dataclass(frozen=True)
class Budget:
    """Seconds that may be used.

    Attributes:
        search: For the whole search.
        training: For the training proper that follows.
    """

    search: float
    training: float


@dataclass(frozen=True)
class Row:
    """A line of the table of what was tried.

    Attributes:
        candidate: The candidate.
        trial: Its trial on which the verdict rests; None if it was not trained.
        difference: Its Dice minus that of the candidate that it was compared with; None if there was none.
        verdict: The verdict in words.
    """

    candidate: Candidate
    trial: Trial | None
    difference: Difference | None
    verdict: str


@dataclass(frozen=True)
class Result:
    """The outcome of a search.

    Attributes:
        chosen: The candidate that was chosen.
        cost: What it costs on this device.
        rows: What was tried, in order.
        tied: Candidates that could not be told apart from the chosen one in the last round.
        images: The number of validation images that each trial was scored on.
        enough_groups: Whether they are of enough groups for intervals.
        untried: Settings for some of whose values there was no time, after a candidate was chosen.
    """

    chosen: Candidate
    cost: Cost
    rows: Sequence[Row]
    tied: Sequence[Candidate]
    images: int
    enough_groups: bool
    untried: Sequence[str]
