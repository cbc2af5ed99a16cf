"""The first phase of a search: sizes of images and encoders, by successive halving."""

from collections.abc import Iterable, Sequence

from src.data.store.subsets import FEWEST_GROUPS
from src.errors import UserError
from src.search.candidate import RULES, Candidate
from src.search.compare import overtakes, told_apart
from src.search.contest import FEWEST_STEPS, SHORTEST, VARIANTS, Contest
from src.search.halving import FINALISTS, first_round, rounds
from src.search.result import BEHIND, LATE, NO_TIME, SHORT, TIED, WITHIN

MOST_SCORED = 64  # validation images that a trial is scored on
SCORING = 0.25  # share of a trial's time for scoring
SHARE = 0.65  # of the search, if there is time for more
# Steps from which a trained encoder is compared with the plain one. Its decoder is new, and its patches are larger, so
# it is behind at first (docs/benchmarks.md, "Short trials and pretrained encoders").
JUDGED = 500
LONGER = 1.5  # factor by which trainings must become longer, so that they can tell more
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
        else:
            contest.leader = contenders[0]
            seconds = contest.left / (VARIANTS + 1) - contest.images * contest.measured.costs[contest.leader].image
            contest.train(contest.leader, max(seconds, SHORTEST))

    def _prepare(self) -> list[Candidate]:
        """Build as many candidates as there is time to compare."""
        contest = self.contest
        contest.prepare(RULES)
        contest.images = self._affordable_images(max(SHORTEST, contest.budget.search / 20))
        ready, waiting = list[Candidate](), self._comparable(contest.space.start())
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

    def _comparable(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Leave out what a trained encoder cannot be compared with in the time that there is.

        These are the plain encoder, and smaller patches: they make more steps in that time, and lead early.
        """
        contest, space = self.contest, self.contest.space
        trained = [candidate for candidate in candidates if space.has_trained_encoder(candidate)]
        if not trained or len(trained) == len(candidates):
            return list(candidates)
        if not contest.prepare(trained[0]):
            return [candidate for candidate in candidates if candidate != trained[0]]
        if contest.measured.steps(trained[0], SHARE * contest.left / FINALISTS) >= JUDGED:
            return list(candidates)
        fair = [candidate for candidate in trained if space.pixels(candidate) >= space.pixels(trained[0])]
        for candidate in candidates:
            if candidate not in fair:
                contest.add(candidate, SHORT)
        return fair

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
        return shared if shared >= self._shortest(known) else seconds

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
        if not ranked:
            raise UserError(list(self.contest.measured.refused.values())[-1])
        return ranked

    def _promoted(self, ranked: list[Candidate], number: int) -> list[Candidate]:
        """The first candidates; what the rules choose, and a trained encoder, stay until they are worse for sure."""
        contest = self.contest
        if number >= len(ranked):
            return ranked
        best, kept = contest.last(ranked[0]), ranked[:number]
        if self._first in ranked[number:] and not contest.difference(best, contest.last(self._first)).better:
            kept = [*kept[:-1], self._first]
        if unjudged := self._unjudged(ranked, kept):
            kept = [*kept[:-1], unjudged]
        for trial in map(contest.last, ranked):
            if trial.candidate not in kept:
                contest.compared(trial, best, BEHIND if contest.difference(best, trial).better else WITHIN)
        return kept

    def _unjudged(self, ranked: Sequence[Candidate], kept: Sequence[Candidate]) -> Candidate | None:
        """The best candidate with a trained encoder, if it had too few steps to be judged and none of them is kept."""
        trained = [candidate for candidate in ranked if self.contest.space.has_trained_encoder(candidate)]
        few = trained and self.contest.last(trained[0]).steps < JUDGED
        return trained[0] if few and not set(trained) & set(kept) else None

    def _choose(self, finalists: list[Candidate]) -> None:
        """The best of the last round; among those that cannot be told apart from it, the rules', else the cheapest.

        While they cannot be told apart, they are trained longer if there is time. What follows changes rates and flips,
        which matter less than encoders and sizes.
        """
        contest = self.contest
        while len(tied := self._tied(finalists)) > 1 and (seconds := self._longer(tied)):
            finalists = self._trained(tied, seconds)
        contest.leader = tied[0] if len(tied) == 1 else self._cheapest(tied)
        contest.tied = [candidate for candidate in tied if candidate != contest.leader]
        for candidate in finalists:
            if candidate != contest.leader:
                ahead = contest.last(candidate).dice > contest.last(contest.leader).dice
                words = TIED if candidate in tied else LATE if ahead else BEHIND
                contest.compared(contest.last(candidate), contest.last(contest.leader), words)

    def _tied(self, finalists: list[Candidate]) -> list[Candidate]:
        """The finalist that will probably be the best one, and those that cannot be told apart from it."""
        contest, trials, late = self.contest, self.contest.measured.trials, list[Candidate]()
        best = self._unjudged(finalists, finalists[:1]) or finalists[0]
        if best != finalists[0]:
            late.append(finalists[0])
        for other in finalists[1:]:
            if other != best and overtakes(trials[best], trials[other], contest.budget.training):
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
