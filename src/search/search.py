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
from src.search.trial import Trial


def search(contest: Contest) -> Result:
    """Run a search.

    Raises:
        UserError: The device cannot carry what the rules choose, or no training came to its end.
    """
    StartSet(contest).run()
    Improvement(contest).run()
    chosen = _last_ended(contest, contest.leader) or _best_of_all(contest)
    if chosen.candidate != contest.leader:
        contest.compared(contest.last(contest.leader), chosen, DIVERGED)
        contest.leader, contest.tied = chosen.candidate, []
    enough = len(set(contest.groups)) >= FEWEST_GROUPS
    cost = contest.measured.latest(contest.leader)
    others = [row for row in contest.rows if row.candidate != contest.leader]
    rows = [Row(contest.leader, chosen, None, CHOSEN), *others]
    return Result(contest.leader, cost, rows, contest.tied, contest.images, enough, contest.untried)


def _last_ended(contest: Contest, candidate: Candidate) -> Trial | None:
    """The last training of a candidate that came to its end."""
    return next((trial for trial in reversed(contest.measured.trials[candidate]) if trial.scores is not None), None)


def _best_of_all(contest: Contest) -> Trial:
    """The best of the last trainings that came to their ends, when all of the leader's failed."""
    ended = [trial for candidate in contest.measured.trials if (trial := _last_ended(contest, candidate))]
    if not ended:
        raise UserError(_all_diverged(contest))
    return max(ended, key=lambda trial: trial.dice)


def _all_diverged(contest: Contest) -> str:
    trained = contest.measured.trials
    rates = [float(contest.space.value(candidate, RATE)) for candidate in trained]
    tried = f"in the trials of all {len(trained)} candidates, with train.lr from {min(rates):g} to {max(rates):g}"
    remedy = f"set train.lr in params.yaml to {min(rates) / 10:.1g}, and repeat the command"
    return f"{DIVERGED} {tried}; nothing was written: {remedy}"
