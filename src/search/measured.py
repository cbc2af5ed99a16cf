"""What a search has measured so far: every question goes through the journal."""

from collections.abc import Sequence

import numpy as np

from src.search.candidate import Candidate
from src.search.journal import Journal, Measurement
from src.search.trial import Cost, NotPossible, Scores, Trainer, Trial


class Measured:
    """Costs and trials of the candidates.

    Attributes:
        trainer: Measures what is not in the journal.
        journal: Keeps the measurements.
        costs: Candidate → its cost, for those that the device can carry.
        trials: Candidate → its trials in order.
        refused: Candidate → why the device cannot carry it.
    """

    def __init__(self, trainer: Trainer, journal: Journal) -> None:
        """Start without measurements.

        Args:
            trainer: Measures what is not in the journal.
            journal: Keeps the measurements.
        """
        self.trainer, self.journal = trainer, journal
        self.costs, self.trials = dict[Candidate, Cost](), dict[Candidate, list[Trial]]()
        self.refused = dict[Candidate, str]()

    def prepare(self, candidate: Candidate) -> Cost | None:
        """Measure the cost of a candidate; None if the device cannot carry it."""

        def answer() -> Measurement:
            try:
                return vars(self.trainer.prepare(candidate))
            except NotPossible as error:
                return {"refused": str(error)}

        if candidate not in self.costs and candidate not in self.refused:
            found = self.journal.measure({"prepare": candidate.settings}, answer)
            if "refused" in found:
                self.refused[candidate] = found["refused"]
            else:
                self.costs[candidate] = Cost(**found)
        return self.costs.get(candidate)

    def train(self, candidate: Candidate, given: float, images: int, steps: int | None = None) -> Trial | None:
        """Train a candidate that is prepared; None if the device cannot carry it.

        Args:
            candidate: The candidate.
            given: Seconds for its steps.
            images: The number of validation images to score.
            steps: The number of steps; None: as many as fit into the time.
        """
        steps = steps or self.steps(candidate, given)
        question = {"train": candidate.settings, "given": given, "steps": steps, "images": images}

        def answer() -> Measurement:
            try:
                trial = self.trainer.train(candidate, given, steps, images)
            except NotPossible as error:
                return {"refused": str(error)}
            scores = None if trial.scores is None else scores_to_json(trial.scores)
            return {"steps": trial.steps, "step": trial.step, "image": trial.image, "scores": scores}

        found = self.journal.measure(question, answer)
        if "refused" in found:
            self.refused[candidate] = found["refused"]
            return None
        trial = Trial(candidate, given, found["steps"], found["step"], found["image"], _scores(found["scores"]))
        self.trials.setdefault(candidate, []).append(trial)
        return trial

    def steps(self, candidate: Candidate, given: float) -> int:
        """Return how many steps fit.

        Args:
            candidate: A candidate that is prepared.
            given: The seconds for them.
        """
        return max(int(given / self.latest(candidate).step), 1)

    def latest(self, candidate: Candidate) -> Cost:
        """Return the cost of a candidate as it was measured last."""
        cost, trials = self.costs[candidate], self.trials.get(candidate)
        return Cost(cost.start, trials[-1].step, trials[-1].image) if trials else cost


def scores_to_json(scores: Scores) -> list[list[float | None]]:
    """Return scores as lists of six decimals; NaN becomes None."""
    return [[None if np.isnan(value) else round(float(value), 6) for value in row] for row in scores]


def scores_from_json(rows: Sequence[Sequence[float | None]]) -> Scores:
    """Return the scores that `scores_to_json` wrote, float64 [images, classes]."""
    return np.array(rows, float)  # None becomes NaN


def _scores(rows: Sequence[Sequence[float | None]] | None) -> Scores | None:
    return None if rows is None else scores_from_json(rows)
