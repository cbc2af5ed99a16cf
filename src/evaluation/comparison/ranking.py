"""Ranking of many runs on the same test images by a score, with the runs that may be as good as the best one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from src.errors import UserError, listing
from src.evaluation.comparison import comparison
from src.evaluation.comparison.best_of_many import intervals_from_best
from src.evaluation.comparison.runs import Parameters, Run, scoring_changes
from src.evaluation.comparison.shared_images import SharedImages, shared_images
from src.evaluation.comparison.table import MEASURES
from src.evaluation.comparison.verdict import EQUAL, FEW, Compared
from src.evaluation.metrics.confusion import Scores, mean_over_classes
from src.evaluation.statistics.bootstrap import mean_interval
from src.evaluation.statistics.scale import Bounds
from src.files import round_scores

BY = "dice.mean"
NONE_LEFT_OUT: Mapping[str, str] = MappingProxyType({})
BEST, LOWER = "highest score", "worse than the best"
INDISTINGUISHABLE = "indistinguishable from the best"
CORRECTED = (
    "Differences from the best are paired, over groups of images. Their 95 % intervals are corrected for comparing "
    "each of {runs} runs with all others, so that the run that is best in truth is called worse in at most 5 % of such "
    "rankings."
)
SELECTED = (
    "The highest of {runs} test scores tends to be higher than that run's score on new images, since the same images "
    "selected the run. Select by validation scores, and use the test scores once."
)
UNDEFINED = "{by} is undefined: no test image holds the class, and the run predicts it in none"
REGROUPED = "The runs group these images differently; images that share a group in any of them count as one group."
TRAININGS = "Every run is a single training: with other seeds the order may differ. tools.compare A B --seeds shows."


@dataclass(frozen=True)
class Comparable:
    """Runs that are scored on the same test images.

    Attributes:
        runs: The runs, in the order given.
        left_out: Name → reason, for all other runs.
    """

    runs: list[Run]
    left_out: dict[str, str]


def comparable_runs(runs: Sequence[Run], method: str | None = None) -> Comparable:
    """Select the runs with the test images, masks and classes that most of the runs have; of equally many, the first.

    Args:
        runs: The runs.
        method: The method to compare; see `shared_images`.
    """
    left_out: dict[str, str] = {}
    valid = [run for run in runs if _checked(run, [run], method, left_out)]
    if not valid:
        return Comparable([], left_out)
    truths = [frozenset((row["id"], row["class"], row["true"]) for row in run.rows) for run in valid]
    most = Counter(truths).most_common(1)[0][0]
    reference = valid[truths.index(most)]
    return Comparable([run for run in valid if _checked(run, [reference, run], method, left_out)], left_out)


def _checked(run: Run, compared: Sequence[Run], method: str | None, left_out: dict[str, str]) -> bool:
    """Whether the runs can be compared on all of their images; if not, the reason is added to `left_out`."""
    try:
        missing = shared_images(compared, method).left_out
    except UserError as error:
        left_out[run.name] = str(error).partition("\n")[0].removeprefix(f"{run.name}: ")
        return False
    if any(missing):
        left_out[run.name] = f"tests other images than {compared[0].name}: {missing[1]} more, {missing[0]} fewer"
    return not any(missing)


def rank_runs(
    runs: Sequence[Run], by: str = BY, method: str | None = None, left_out: Mapping[str, str] = NONE_LEFT_OUT
) -> Compared:
    """Rank runs by a test score.

    Args:
        runs: Runs of different names.
        by: dice.mean, iou.mean, or dice and iou of a class, such as dice.cell.
        method: The method to compare, of all runs; see `shared_images`.
        left_out: Name → reason, for runs that could not be read.

    Returns:
        Nested plain values of six decimals; undefined ones are missing:
        by, images, groups: the score, and how many images are compared.
        ranking.<name>, the highest score first: rank; method; score with mean, low, high; from_best with difference,
        low, high; verdict; params: the parameters in which the runs differ.
        left_out.<name>: why the run is not in the ranking.
        notes: what a reader must know.

    Raises:
        UserError: There is no such score, or no run has one. The message lists the scores, or the reasons.
    """
    found = comparable_runs(runs, method)
    others = {**left_out, **found.left_out}
    if not found.runs:
        raise UserError(f"no run can be ranked\n{listing(f'{name}: {why}' for name, why in others.items())}")
    found = _with_score(found, by, method)
    others |= found.left_out
    shared = shared_images(found.runs, method)
    ranking = _ranking(found.runs, shared, by)
    sizes = {"images": len(shared.groups), "groups": len(set(shared.groups.tolist()))}
    notes = _notes(shared, ranking)
    return round_scores({"by": by, **sizes, "ranking": ranking, "left_out": others, "notes": notes})


def _with_score(found: Comparable, by: str, method: str | None) -> Comparable:
    """Leave out the runs whose score is undefined: neither the truth nor the prediction holds the class."""
    defined = np.isfinite(_means(_tables(shared_images(found.runs, method), by))).tolist()
    if not any(defined):
        raise UserError(f"{by}: the class is in none of the test images; choose another score by --by")
    pairs = list(zip(found.runs, defined, strict=True))
    without = {run.name: UNDEFINED.format(by=by) for run, used in pairs if not used}
    return Comparable([run for run, used in pairs if used], found.left_out | without)


def _ranking(runs: Sequence[Run], shared: SharedImages, by: str) -> dict[str, Compared]:
    """The rows of the ranking, the highest score first; shared: the scores of the runs."""
    tables = _tables(shared, by)
    means = _means(tables)
    order = np.argsort(-means, kind="stable").tolist()
    best = order[0]
    bounds = intervals_from_best(tables, shared.groups, best, comparison.RESAMPLES, comparison.DRAW)
    params = _differing([run.params for run in runs])
    rows: dict[str, Compared] = {}
    for run in order:
        own = mean_interval(tables[run], shared.groups, comparison.RESAMPLES, comparison.DRAW)
        equal = np.array_equal(tables[run], tables[best], equal_nan=True)
        rows[runs[run].name] = {
            "rank": 1 + int(np.sum(means > means[run])),
            "method": shared.methods[run],
            "score": {"mean": float(means[run]), **_ends(own)},
            "from_best": {"difference": float(means[run] - means[best]), **_ends(bounds[run])} if run != best else {},
            "verdict": BEST if run == best else EQUAL if equal else _verdict(bounds[run]),
            "params": params[run],
        }
    return rows


def _tables(shared: SharedImages, by: str) -> list[Scores]:
    """The scores of each run, float64 [images, classes of the score]."""
    names = {name: [label] for label, name in enumerate(shared.dataset.names) if name != "mean"}
    classes = {"mean": shared.foreground, **names}  # a class called mean has no score of its own here
    measure, _, part = by.partition(".")
    if measure not in MEASURES or part not in classes:
        keys = [f"{known}.{name}" for known in MEASURES for name in classes]
        raise UserError(f"{by}: no such score; scores are {', '.join(keys)}")
    return [values[measure][:, classes[part]] for values in shared.values]


def _means(tables: Sequence[Scores]) -> Scores:
    """The mean of each run, float64 [runs]; NaN if no class counts."""
    return np.array([mean_over_classes(scores, range(scores.shape[1])) for scores in tables])


def _ends(bounds: Bounds | None) -> dict[str, float]:
    return dict(zip(("low", "high"), bounds or (), strict=False))


def _verdict(bounds: Bounds | None) -> str:
    return FEW if bounds is None else LOWER if bounds[1] < 0 else INDISTINGUISHABLE


def _differing(params: Sequence[Parameters]) -> list[dict[str, str]]:
    """For each run, the parameters on which scores depend and in which the runs differ; none for unknown ones."""
    keys = scoring_changes([values for values in params if values]) or []
    return [{key: comparison.text_of(values, key) for key in keys} if values else {} for values in params]


def _notes(shared: SharedImages, ranking: Mapping[str, Compared]) -> list[str]:
    if len(ranking) < 2:
        return []
    corrected = any("low" in row["from_best"] for row in ranking.values())
    several = [*([CORRECTED] if corrected else []), SELECTED, TRAININGS]
    return [*([REGROUPED] if shared.regrouped else []), *(note.format(runs=len(ranking)) for note in several)]
