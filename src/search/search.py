"""Search for settings by short trainings: halving from a start set, then changes of one setting at a time.

All candidates of a comparison train for the same number of seconds, never for the same number of steps, since seconds
are what a training may take. Every training starts anew, and its learning rate falls to 0, so that each is a training
like the final one, only shorter. The graphs are built once for each network and size of patch, and are used again.
"""

from src.data.store.subsets import FEWEST_GROUPS
from src.search.contest import Contest
from src.search.improvement import Improvement
from src.search.result import CHOSEN, Result, Row
from src.search.start_set import StartSet


def search(contest: Contest) -> Result:
    """Run a search.

    Raises:
        UserError: The device cannot carry what the rules choose.
    """
    StartSet(contest).run()
    Improvement(contest).run()
    leader = contest.leader
    chosen = Row(leader, contest.last(leader), None, CHOSEN)
    enough = len(set(contest.groups)) >= FEWEST_GROUPS
    cost = contest.measured.latest(leader)
    return Result(leader, cost, [chosen, *contest.rows], contest.tied, contest.images, enough)
