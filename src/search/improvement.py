"""The second phase of a search: changes of one setting at a time, for as long as they help and there is time."""

from src.search.candidate import Candidate
from src.search.contest import FEWEST_STEPS, VARIANTS, Contest
from src.search.result import BEHIND, NOT_BETTER, SLOW
from src.search.space import BATCH, CROP, FILTERS, FLIP, RATE
from src.search.trial import Trial

NEARLY_FREE = 1.5  # ratio of the seconds of a step up to which the device carries a doubled setting without effort
IMPROVED = (CROP, FILTERS, RATE, FLIP, BATCH)  # in this order
GROWING = (CROP, FILTERS, BATCH)


class Improvement:
    """Improves the leader of a search.

    Attributes:
        contest: The search.
        length: Seconds of the trainings by which changes are compared: of the leader's longest training that leaves
            time for `VARIANTS` changes.
    """

    def __init__(self, contest: Contest) -> None:
        """Work on a search that has a leader."""
        self.contest = contest
        trials = contest.measured.trials[contest.leader]
        fitting = [trial for trial in trials if VARIANTS * self._seconds(trial) <= contest.left] or trials[:1]
        self.length = fitting[-1].given
        self._untried = False  # whether there was no time for a value of the setting that is being changed

    def run(self) -> None:
        """Change one setting after the other; keep every change that is better beyond noise."""
        space = self.contest.space
        for key in filter(space.searched.__contains__, IMPROVED):
            self._untried = False
            if key in GROWING:
                self._grow(key)
            else:
                steps = self._reference.steps if self._reference.scores is not None else None
                for candidate in list(space.variants(self.contest.leader, key)):
                    if self._challenge(candidate, steps):
                        break
            if self._untried:
                self.contest.untried.append(key)

    def _grow(self, key: str) -> None:
        """Double a setting while the device carries that nearly for nothing, then while it helps.

        Of the values that are nearly free, the largest that is better is taken.
        """
        contest, space = self.contest, self.contest.space
        before, nearly_free = contest.leader, list[Candidate]()
        larger = space.doubled(before, key)
        while larger and self._time_for(larger) and contest.prepare(larger):
            if contest.measured.costs[larger].step > NEARLY_FREE * contest.measured.latest(before).step:
                break
            nearly_free.append(larger)
            larger = space.doubled(larger, key)
        for candidate in reversed(nearly_free):
            if self._challenge(candidate):
                break
        if not nearly_free or contest.leader == nearly_free[-1]:
            while larger and self._challenge(larger):
                larger = space.doubled(larger, key)

    @property
    def _reference(self) -> Trial:
        trials = self.contest.measured.trials[self.contest.leader]
        return next(trial for trial in trials if trial.given == self.length)

    def _seconds(self, trial: Trial) -> float:
        """Seconds that a trial like this one takes, with half of the longest time that building took."""
        building = max(each.start for each in self.contest.measured.costs.values()) / 2
        return self._trained(trial.candidate, trial.given) + building

    def _trained(self, candidate: Candidate, given: float) -> float:
        """Seconds that a trial takes once its graphs are built."""
        return given + self.contest.images * self.contest.measured.latest(candidate).image

    def _time_for(self, candidate: Candidate) -> bool:
        contest = self.contest
        return candidate not in contest.measured.refused and self._seconds(self._reference) <= contest.left

    def _challenge(self, candidate: Candidate, steps: int | None = None) -> bool:
        """Compare a candidate with the leader in equal time; it becomes the leader if it is better beyond noise.

        A candidate whose steps take as long as those of the leader gets as many steps, so that a device that is busy
        meanwhile does not decide.
        """
        contest, reference = self.contest, self._reference
        if candidate in contest.measured.trials or candidate in contest.measured.refused:
            return False
        if not self._time_for(candidate):
            self._untried = True
            return False
        if not contest.prepare(candidate):
            return False
        if self._trained(candidate, reference.given) > contest.left:  # building took longer than that of all others
            self._untried = True
            return False
        if contest.measured.steps(candidate, reference.given) < FEWEST_STEPS:
            contest.add(candidate, SLOW)
            return False
        trial = contest.train(candidate, reference.given, steps)
        better = trial is not None and contest.difference(trial, reference).better
        if trial and better:
            contest.compared(reference, trial, BEHIND)
            contest.leader, contest.tied = candidate, []
        elif trial:
            contest.compared(trial, reference, NOT_BETTER)
        contest.measured.trainer.keep([contest.leader])
        return better
