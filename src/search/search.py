"""Search for settings by short trainings: halving from a start set, then changes of one setting at a time.

All candidates of a comparison train for the same number of seconds, never for the same number of steps, since seconds
are what a training may take. Every training starts anew, and its learning rate falls to 0, so that each is a training
like the final one, only shorter. The graphs are built once for each network and size of patch, and are used again.
"""

from src.data.store.subsets import FEWEST_GROUPS
from src.errors import UserError
from src.search.candidate import Candidate
from src.search.contest import Contest
from src.search.improvement import Improvement
from src.search.result import CHOSEN, DIVERGED, Result, Row
from src.search.space import RATE
from src.search.start_set import StartSet


def search(contest: Contest) -> Result:
    """Run a search.

    Raises:
        UserError: The device cannot carry what the rules choose, or no training came to its end.
    """
    StartSet(contest).run()
    Improvement(contest).run()
    if contest.last(contest.leader).scores is None:
        contest.leader = _best_of_all(contest)
    leader = contest.leader
    chosen = Row(leader, contest.last(leader), None, CHOSEN)
    enough = len(set(contest.groups)) >= FEWEST_GROUPS
    cost = contest.measured.latest(leader)
    others = [row for row in contest.rows if row.candidate != leader]
    return Result(leader, cost, [chosen, *others], contest.tied, contest.images, enough, contest.untried)


def _best_of_all(contest: Contest) -> Candidate:
    """The best candidate whose last training came to its end, when those of the last round failed."""
    ended = [candidate for candidate in contest.measured.trials if contest.last(candidate).scores is not None]
    if not ended:
        raise UserError(_all_diverged(contest))
    return max(ended, key=lambda candidate: contest.last(candidate).dice)


def _all_diverged(contest: Contest) -> str:
    trained = contest.measured.trials
    rates = [float(contest.space.value(candidate, RATE)) for candidate in trained]
    tried = f"in the trials of all {len(trained)} candidates, with train.lr from {min(rates):g} to {max(rates):g}"
    remedy = f"set train.lr in params.yaml to {min(rates) / 10:.1g}, and repeat the command"
    return f"{DIVERGED} {tried}; nothing was written: {remedy}"
