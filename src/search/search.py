"""Search for settings by short trainings: halving from a start set, then changes of one setting at a time.

All candidates of a comparison train for the same number of seconds, never for the same number of steps, since seconds
are what a training may take. Every training starts anew, and its learning rate falls to 0, so that each is a training
like the final one, only shorter.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from src.data.store.subsets import FEWEST_GROUPS
from src.errors import UserError
from src.search.candidate import RULES, Candidate
from src.search.compare import Difference, difference, overtakes, told_apart
from src.search.halving import first_round, rounds
from src.search.measured import Measured
from src.search.space import BATCH, CROP, FILTERS, FLIP, RATE, Space
from src.search.trial import Cost, Trial

SHORTEST = 5.0  # seconds of a training, without which nothing can be told
FEWEST_STEPS = 50  # of a training
MOST_SCORED = 64  # validation images that a trial is scored on
SCORING = 0.25  # share of a trial's time for scoring
START = 0.65  # share of the search for the start set, if there is time for all of it
ALIKE = 1.15  # ratio of costs below which neither of two candidates is called cheaper
NEARLY_FREE = 1.5  # ratio of the seconds of a step up to which the device carries a doubled setting without effort
IMPROVED = (CROP, FILTERS, RATE, FLIP, BATCH)  # settings that are changed one at a time, in this order
GROWING = (CROP, FILTERS, BATCH)
VARIANTS = 6  # changes of one setting for which there should be time

CHOSEN, TIED = "chosen", "cannot be told apart"
SLOW, NO_TIME = "too slow: too few steps in this time", "no time to try it"
BEHIND, WITHIN = "worse", "dropped: behind, but within noise"
DIVERGED = "the loss became infinite"
LATE = "ahead now; the other one gains with time"
NOT_BETTER = "not better beyond noise"


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
    """

    chosen: Candidate
    cost: Cost
    rows: Sequence[Row]
    tied: Sequence[Candidate]
    images: int
    enough_groups: bool


class Search:
    """One search.

    Attributes:
        space: All candidates.
        measured: What was measured so far.
        budget: Seconds that may be used.
        rows: What was tried so far.
        images: The number of validation images that each trial is scored on.
        leader: The best candidate so far.
    """

    def __init__(self, space: Space, measured: Measured, budget: Budget, show: Callable[[str], None]) -> None:
        """Prepare a search.

        Args:
            space: All candidates.
            measured: Measures them.
            budget: Seconds that may be used.
            show: Called with a line about each trial.
        """
        self.space, self.measured, self.budget, self._show = space, measured, budget, show
        self.rows, self.images, self.leader, self._tied = list[Row](), 1, RULES, list[Candidate]()
        self._groups: Sequence[str] = []
        self._length = 0.0  # seconds of the trainings by which changes of one setting are compared

    def run(self) -> Result:
        """Search.

        Raises:
            UserError: The device cannot carry what the rules choose.
        """
        contenders = self._prepare_start()
        self._groups = self.measured.trainer.groups(self.images)
        if len(contenders) > 1:
            self._halve(contenders)
        else:
            seconds = self.left / (VARIANTS + 1) - self.images * self.measured.costs[RULES].image
            self._train(RULES, max(seconds, SHORTEST))
        self._improve()
        chosen = Row(self.leader, self.measured.trials[self.leader][-1], None, CHOSEN)
        enough = len(set(self._groups)) >= FEWEST_GROUPS
        cost = self.measured.latest(self.leader)
        return Result(self.leader, cost, [chosen, *self.rows], self._tied, self.images, enough)

    @property
    def left(self) -> float:
        """Seconds of the search that are left."""
        return self.budget.search - self.measured.journal.spent

    def _prepare_start(self) -> list[Candidate]:
        """Build as many candidates of the start set as there is time to compare."""
        ready, waiting = list[Candidate](), self.space.start()
        for candidate in list(waiting):
            if len(ready) > 1 and self._first_round([*ready, candidate]) < self._shortest(ready):
                break
            waiting.remove(candidate)
            if self._prepare(candidate):
                ready.append(candidate)
                if candidate == RULES:
                    self.images = self._affordable_images(max(SHORTEST, self.budget.search / 20))
        while len(ready) > 1 and self._first_round(ready) < self._shortest(ready):
            steps = self.measured.steps(ready[-1], self._first_round(ready))
            if len(ready) == 2 and steps >= FEWEST_STEPS // 5:  # fewer steps, rather than no comparison
                break
            waiting.insert(0, ready.pop())
        self.rows += [Row(candidate, None, None, NO_TIME) for candidate in waiting]
        self.images = self._affordable_images(max(SHORTEST, self._first_round(ready)))
        return ready

    def _prepare(self, candidate: Candidate) -> bool:
        if self.measured.prepare(candidate):
            return True
        why = self.measured.refused[candidate]
        if candidate == RULES:
            raise UserError(why)
        self.rows.append(Row(candidate, None, None, why))
        return False

    def _affordable_images(self, seconds: float) -> int:
        """How many images can be scored after a training of so many seconds."""
        cost = max(each.image for each in self.measured.costs.values())
        fewest = min(FEWEST_GROUPS, max(int(seconds / 2 / cost), 1))
        images = max(min(int(SCORING * seconds / cost), MOST_SCORED), fewest)
        return min(images, len(self.space.facts.validation_sizes))

    def _first_round(self, candidates: Sequence[Candidate]) -> float:
        """Seconds of the first trainings; for a candidate that is not built yet, building takes time, too."""
        costs = [self.measured.costs[each] for each in candidates if each in self.measured.costs]
        building = (len(candidates) - len(costs)) * max(cost.start for cost in costs)
        scoring = self.images * max(self.measured.latest(each).image for each in self.measured.costs)
        seconds = first_round(len(candidates), self.left - building, scoring)
        shared = first_round(len(candidates), START * self.left - building, scoring)
        return shared if shared >= self._shortest(self.measured.costs) else seconds

    def _shortest(self, candidates: Sequence[Candidate] | dict[Candidate, Cost]) -> float:
        return max(SHORTEST, FEWEST_STEPS * max(self.measured.costs[each].step for each in candidates))

    def _train(self, candidate: Candidate, seconds: float) -> Trial | None:
        trial = self.measured.train(candidate, seconds, self.images)
        if trial:
            self._show(f"{candidate}: Dice {trial.dice:.3f}")
        elif candidate == RULES:
            raise UserError(self.measured.refused[candidate])
        else:
            self.rows.append(Row(candidate, None, None, self.measured.refused[candidate]))
        return trial

    def _halve(self, contenders: list[Candidate]) -> None:
        """Train the start set in rounds, drop the worse half after each, and choose among the last ones."""
        seconds = self._first_round(contenders)
        for number in rounds(len(contenders)):
            contenders = self._promoted(contenders, number)
            self.measured.trainer.keep(contenders)
            trials = [self._train(candidate, seconds) for candidate in contenders]
            contenders = [trial.candidate for trial in sorted(filter(None, trials), key=lambda trial: -trial.dice)]
            seconds *= 2
        self._choose(contenders)

    def _promoted(self, ranked: list[Candidate], number: int) -> list[Candidate]:
        """The first candidates; what the rules choose stays among them until it is worse beyond noise."""
        if number >= len(ranked):
            return ranked
        best = self.measured.trials[ranked[0]][-1]
        kept = ranked[:number]
        if RULES in ranked[number:] and not self._difference(best, self.measured.trials[RULES][-1]).better:
            kept = [*kept[:-1], RULES]
        for candidate in ranked:
            if candidate not in kept:
                trial = self.measured.trials[candidate][-1]
                self._compared(trial, best, BEHIND if self._difference(best, trial).better else WITHIN)
        return kept

    def _choose(self, finalists: list[Candidate]) -> None:
        """The best of the last round; among those that cannot be told apart from it, the rules', else the cheapest."""
        best, late = finalists[0], list[Candidate]()
        for other in finalists[1:]:
            if overtakes(self.measured.trials[best], self.measured.trials[other], self.budget.training):
                late.append(best)
                best = other
        last = {candidate: self.measured.trials[candidate][-1] for candidate in finalists}
        tied = [each for each in finalists if each not in late]
        trials = self.measured.trials
        tied = [each for each in tied if each == best or not told_apart(trials[best], trials[each], self._groups)]
        self.leader = best if len(tied) == 1 else self._cheapest(tied)
        self._tied = [candidate for candidate in tied if candidate != self.leader]
        for candidate in finalists:
            if candidate != self.leader:
                words = LATE if candidate in late else TIED if candidate in tied else BEHIND
                self._compared(last[candidate], last[self.leader], words)

    def _cheapest(self, tied: list[Candidate]) -> Candidate:
        if RULES in tied:
            return RULES
        images = {candidate: self.measured.latest(candidate).image for candidate in tied}
        cheap = [candidate for candidate in tied if images[candidate] <= ALIKE * min(images.values())]
        return cheap[0]  # they are sorted by their Dice

    def _improve(self) -> None:
        """Change one setting of the leader at a time; keep every change that is better beyond noise."""
        self._length = self._comparable_length()
        for key in IMPROVED:
            if key not in self.space.searched or (key in GROWING and self._grow(key)):
                continue
            for candidate in list(self.space.variants(self.leader, key)):
                if self._challenge(candidate):
                    break

    def _grow(self, key: str) -> bool:
        """Double a setting while the device carries that nearly for nothing, then while it helps.

        Of the values that are nearly free, the largest that is better is taken.

        Returns:
            Whether a larger value is better.
        """
        before, nearly_free = self.leader, list[Candidate]()
        larger = self.space.doubled(self.leader, key)
        while larger and self._time_for(larger) and self._prepare(larger):
            if self.measured.costs[larger].step > NEARLY_FREE * self.measured.latest(before).step:
                break
            nearly_free.append(larger)
            larger = self.space.doubled(larger, key)
        for candidate in reversed(nearly_free):
            if self._challenge(candidate):
                break
        if not nearly_free or self.leader == nearly_free[-1]:
            while larger and self._challenge(larger):
                larger = self.space.doubled(larger, key)
        return self.leader != before

    def _comparable_length(self) -> float:
        """The length of the leader's trials that all changes share: the longest that leaves time for `VARIANTS`."""
        trials = self.measured.trials[self.leader]
        fitting = [trial for trial in trials if VARIANTS * self._seconds(trial) <= self.left] or trials[:1]
        return fitting[-1].given

    @property
    def _reference(self) -> Trial:
        return next(trial for trial in self.measured.trials[self.leader] if trial.given == self._length)

    def _seconds(self, trial: Trial) -> float:
        cost = self.measured.latest(trial.candidate)
        return trial.given + self.images * cost.image + max(each.start for each in self.measured.costs.values()) / 2

    def _time_for(self, candidate: Candidate) -> bool:
        return candidate not in self.measured.refused and self._seconds(self._reference) <= self.left

    def _challenge(self, candidate: Candidate) -> bool:
        """Compare a candidate with the leader in equal time; it becomes the leader if it is better beyond noise."""
        reference = self._reference
        if candidate in self.measured.trials or not self._time_for(candidate):
            return False
        if not self._prepare(candidate):
            return False
        if self.measured.steps(candidate, reference.given) < FEWEST_STEPS:
            self.rows.append(Row(candidate, None, None, SLOW))
            return False
        trial = self._train(candidate, reference.given)
        better = trial is not None and self._difference(trial, reference).better
        if trial and better:
            self._compared(reference, trial, BEHIND)
            self.leader, self._tied = candidate, []
        elif trial:
            self._compared(trial, reference, NOT_BETTER)
        self.measured.trainer.keep([self.leader])
        return better

    def _difference(self, first: Trial, second: Trial) -> Difference:
        return difference(first, second, self._groups)

    def _compared(self, trial: Trial, best: Trial, verdict: str) -> None:
        words = DIVERGED if trial.scores is None else verdict
        self.rows.append(Row(trial.candidate, trial, self._difference(trial, best), words))
