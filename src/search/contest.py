"""What the phases of a search share: trials by the journal, comparisons, the time that is left, the table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from src.errors import UserError
from src.search.candidate import RULES, Candidate
from src.search.compare import Difference, difference
from src.search.measured import Measured
from src.search.result import DIVERGED, NO_TIME, Budget, Row, outcome
from src.search.space import Space
from src.search.trial import Trial

SHORTEST = 5.0  # seconds of a training, without which nothing can be told
FEWEST_STEPS = 50  # of a training
SHARE = 0.65  # of the search for the start set, if there is time for more
VARIANTS = 6  # changes of one setting for which there should be time


@dataclass
class Contest:
    """A search in progress.

    Attributes:
        space: All candidates.
        measured: What was measured so far.
        budget: Seconds that may be used.
        show: Called with a line about each trial.
        rows: What was tried so far.
        images: The number of validation images that each trial is scored on.
        groups: The group of each of them.
        leader: The best candidate so far.
        tied: Candidates that cannot be told apart from it.
        untried: Settings for some of whose values there was no time.
    """

    space: Space
    measured: Measured
    budget: Budget
    show: Callable[[str], None]
    rows: list[Row] = field(default_factory=list)
    images: int = 1
    groups: Sequence[str] = ()
    leader: Candidate = RULES
    tied: list[Candidate] = field(default_factory=list)
    untried: list[str] = field(default_factory=list)

    @property
    def left(self) -> float:
        """Seconds of the search that are left."""
        return self.budget.search - self.measured.journal.spent

    def last(self, candidate: Candidate) -> Trial:
        """Return the last trial of a candidate."""
        return self.measured.trials[candidate][-1]

    def prepare(self, candidate: Candidate) -> bool:
        """Build and measure a candidate; tell whether the device can carry it, and there was time to build it.

        Raises:
            UserError: It cannot carry what the rules choose.
        """
        known = self.measured.costs.keys() | self.measured.refused.keys()
        if candidate != RULES and candidate not in known and self.left <= 0:
            self.add(candidate, NO_TIME)
            return False
        return self.measured.prepare(candidate) is not None or self._refuse(candidate)

    def train(self, candidate: Candidate, seconds: float, steps: int | None = None) -> Trial | None:
        """Train a candidate and show its Dice; None if the device cannot carry it.

        Args:
            candidate: A candidate that is prepared.
            seconds: The time for its steps.
            steps: The number of steps; None: as many as fit into the time.

        Raises:
            UserError: The device cannot carry what the rules choose.
        """
        trial = self.measured.train(candidate, seconds, self.images, steps)
        if trial:
            self.show(f"{candidate}: {outcome(trial)}")
        else:
            self._refuse(candidate)
        return trial

    def difference(self, first: Trial, second: Trial) -> Difference:
        """Compare two trials of equal time.

        Args:
            first: A trial.
            second: Another trial.
        """
        return difference(first, second, self.groups)

    def add(self, candidate: Candidate, verdict: str) -> None:
        """Add a row on a candidate that was not trained.

        Args:
            candidate: The candidate.
            verdict: Why not.
        """
        self.rows.append(Row(candidate, None, None, verdict))

    def compared(self, trial: Trial, best: Trial, verdict: str) -> None:
        """Add a row on a trial.

        Args:
            trial: The trial.
            best: The trial that it was compared with.
            verdict: The verdict on the first one.
        """
        words = DIVERGED if trial.scores is None else verdict
        self.rows.append(Row(trial.candidate, trial, self.difference(trial, best), words))

    def _refuse(self, candidate: Candidate) -> bool:
        if candidate == RULES:
            raise UserError(self.measured.refused[candidate])
        self.add(candidate, self.measured.refused[candidate])
        return False
