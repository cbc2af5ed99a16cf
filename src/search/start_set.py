"""The first phase of a search: sizes of images and encoders, by successive halving."""

from collections.abc import Iterable, Sequence

from src.data.store.subsets import FEWEST_GROUPS
from src.errors import UserError
from src.search.candidate import RULES, Candidate
from src.search.compare import overtakes, told_apart
from src.search.contest import FEWEST_STEPS, SHARE, SHORTEST, VARIANTS, Contest
from src.search.halving import comparable, first_round, rounds, unjudged_encoder
from src.search.result import BEHIND, LATE, NO_TIME, TIED, UNJUDGED, WITHIN

MOST_SCORED = 64  # validation images that a trial is scored on
SCORING = 0.25  # share of a trial's time for scoring
LONGER = 1.5  # smallest factor by which a repeated training must be longer
ALIKE = 1.15  # ratio of costs below which neither of two candidates is called cheaper


class StartSet:
    """Finds the best candidate of the start set.

    Attributes:
        contest: The search.
    """

    def __init__(self, contest: Contest) -> None:
        """Work on a search."""
        self.contest = contest
        self._first = RULES  # of what is compared: what the rules choose, perhaps with a trained encoder

    def run(self) -> None:
        """Set the leader of the search.

        Raises:
            UserError: The device cannot carry what the rules choose, or none of the best candidates.
        """
        contest, contenders = self.contest, self._prepare()
        self._first = contenders[0]
        contest.groups = contest.measured.trainer.groups(contest.images)
        if len(contenders) > 1:
            self._halve(contenders)
        elif not self._train_alone(contenders[0]):
            self._train_alone(RULES)

    def _train_alone(self, candidate: Candidate) -> bool:
        """Train the only candidate; tell whether the device can carry it."""
        contest = self.contest
        contest.leader = candidate
        seconds = contest.left / (VARIANTS + 1) - contest.images * contest.measured.costs[candidate].image
        return contest.train(candidate, max(seconds, SHORTEST)) is not None

    def _prepare(self) -> list[Candidate]:
        """Build as many candidates as there is time to compare."""
        contest = self.contest
        contest.prepare(RULES)
        contest.images = self._affordable_images(max(SHORTEST, contest.budget.search / 20))
        ready, waiting = list[Candidate](), comparable(contest, contest.space.start())
        for candidate in list(waiting):
            if len(ready) > 1 and self._first_round([*ready, candidate]) < self._shortest(ready):
                break
            waiting.remove(candidate)
            if contest.prepare(candidate):
                ready.append(candidate)
        while len(ready) > 1 and self._first_round(ready) < self._shortest(ready):
            steps = contest.measured.steps(ready[-1], self._first_round(ready))
            if len(ready) == 2 and steps >= FEWEST_STEPS // 5:  # fewer steps, rather than no comparison
                break
            waiting.insert(0, ready.pop())
        for candidate in waiting:
            contest.add(candidate, NO_TIME)
        contest.images = self._affordable_images(max(SHORTEST, self._first_round(ready)))
        return ready

    def _affordable_images(self, seconds: float) -> int:
        """How many images can be scored after a training of so many seconds."""
        cost = max(each.image for each in self.contest.measured.costs.values())
        fewest = min(FEWEST_GROUPS, max(int(seconds / 2 / cost), 1))
        images = max(min(int(SCORING * seconds / cost), MOST_SCORED), fewest)
        return min(images, len(self.contest.space.facts.validation_sizes))

    def _first_round(self, candidates: Sequence[Candidate]) -> float:
        """Seconds of the first trainings; for a candidate that is not built yet, building takes time, too."""
        contest, known = self.contest, self.contest.measured.costs
        costs = [known[each] for each in candidates if each in known]
        building = (len(candidates) - len(costs)) * max(cost.start for cost in costs)
        scoring = contest.images * max(contest.measured.latest(each).image for each in known)
        seconds = first_round(len(candidates), contest.left - building, scoring)
        shared = first_round(len(candidates), SHARE * contest.left - building, scoring)
        return shared if shared >= self._shortest(filter(known.__contains__, candidates)) else seconds

    def _shortest(self, candidates: Iterable[Candidate]) -> float:
        return max(SHORTEST, FEWEST_STEPS * max(self.contest.measured.costs[each].step for each in candidates))

    def _halve(self, contenders: list[Candidate]) -> None:
        """Train in rounds, drop the worse half after each, and choose among the last ones."""
        seconds = self._first_round(contenders)
        for number in rounds(len(contenders)):
            contenders = self._promoted(contenders, number)
            self.contest.measured.trainer.keep(contenders)
            contenders = self._trained(contenders, seconds)
            seconds *= 2
        self._choose(contenders)

    def _trained(self, contenders: list[Candidate], seconds: float) -> list[Candidate]:
        """Train candidates, and sort those that the device can carry by their Dice."""
        trials = [self.contest.train(candidate, seconds) for candidate in contenders]
        ranked = [trial.candidate for trial in sorted(filter(None, trials), key=lambda trial: -trial.dice)]
        if not ranked and RULES not in self.contest.measured.refused and self.contest.train(RULES, seconds):
            ranked = [RULES]  # it was left out before
        if not ranked:
            raise UserError(list(self.contest.measured.refused.values())[-1])
        return ranked

    def _promoted(self, ranked: list[Candidate], number: int) -> list[Candidate]:
        """The first candidates; of the others, the one that must stay takes the last place.

        An encoder stays until it is judged. Else what the rules choose stays unless it is worse beyond noise.
        """
        contest = self.contest
        if number >= len(ranked):
            return ranked
        best, kept, dropped = contest.last(ranked[0]), ranked[:number], ranked[number:]
        staying = [unjudged_encoder(contest, ranked), self._first]
        if self._first in dropped and contest.difference(best, contest.last(self._first)).better:
            staying.remove(self._first)
        behind = [candidate for candidate in staying if candidate in dropped]
        kept = [*kept[:-1], behind[0]] if behind else kept
        for trial in map(contest.last, ranked):
            if trial.candidate not in kept:
                contest.compared(trial, best, BEHIND if contest.difference(best, trial).better else WITHIN)
        return kept

    def _choose(self, finalists: list[Candidate]) -> None:
        """The best of the last round; among those that cannot be told apart from it, the rules', else the cheapest.

        While they cannot be told apart, they are trained longer if there is time. What follows changes rates and flips,
        which matter less than encoders and sizes. If a trained encoder cannot be judged in the end, it is preferred.
        """
        contest = self.contest
        while len(opened := self._open(finalists)) > 1 and (seconds := self._longer(opened)):
            finalists = self._trained(opened, seconds)
        unjudged, tied = unjudged_encoder(contest, finalists), self._tied(finalists)
        contest.leader = unjudged or (tied[0] if len(tied) == 1 else self._cheapest(tied))
        contest.tied = [] if unjudged else [candidate for candidate in tied if candidate != contest.leader]
        for candidate in finalists:
            if candidate != contest.leader:
                ahead = contest.last(candidate).dice > contest.last(contest.leader).dice
                words = (UNJUDGED if unjudged else LATE) if ahead else BEHIND
                words = TIED if candidate in contest.tied else words
                contest.compared(contest.last(candidate), contest.last(contest.leader), words)

    def _open(self, finalists: list[Candidate]) -> list[Candidate]:
        """The finalists between which the trials do not decide yet; none if the best one failed."""
        if self.contest.last(finalists[0]).scores is None:
            return []
        return finalists if unjudged_encoder(self.contest, finalists) else self._tied(finalists)

    def _tied(self, finalists: list[Candidate]) -> list[Candidate]:
        """The finalist that will probably be the best one, and those that cannot be told apart from it."""
        contest, trials, late = self.contest, self.contest.measured.trials, list[Candidate]()
        best = finalists[0]
        for other in finalists[1:]:
            if overtakes(trials[best], trials[other], contest.budget.training):
                late.append(best)
                best = other
        others = [each for each in finalists if each not in late and each != best]
        return [best, *(each for each in others if not told_apart(trials[best], trials[each], contest.groups))]

    def _longer(self, tied: Sequence[Candidate]) -> float | None:
        """Seconds of longer trainings, at most twice those of the last ones; None if there is too little time."""
        contest, last = self.contest, self.contest.last(tied[0]).given
        scoring = sum(contest.images * contest.measured.latest(candidate).image for candidate in tied)
        seconds = min(2 * last, (contest.left - scoring) / len(tied))
        return seconds if seconds >= LONGER * last else None

    def _cheapest(self, tied: list[Candidate]) -> Candidate:
        if self._first in tied:
            return self._first
        images = {candidate: self.contest.measured.latest(candidate).image for candidate in tied}
        cheap = [candidate for candidate in tied if images[candidate] <= ALIKE * min(images.values())]
        return cheap[0]  # they are sorted by their Dice
