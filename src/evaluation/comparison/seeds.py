"""Several seeds of a setting: how much of a score is the luck of training, and how much the choice of test images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from src.data.store.subsets import FEWEST_GROUPS
from src.errors import UserError, listing
from src.evaluation.comparison.comparison import all_rows, heading, notes
from src.evaluation.comparison.runs import SEED, Run, scoring_changes
from src.evaluation.comparison.shared_images import Common, common
from src.evaluation.comparison.verdict import FEW, FEW_SEEDS, UNTOLD, Row, more, rows, verdict
from src.evaluation.metrics.confusion import Scores, class_means, headline
from src.evaluation.statistics.bootstrap import error, error_of_difference
from src.files import round_scores

ONE_SETTING = "A and B are one setting: what differs is the luck of training, and no difference is claimed."
UNKNOWN = "The parameters of some runs are not known: that these are seeds of one setting is taken on trust."
ALONE = (
    "Seeds: standard deviation of the runs' means (n - 1), all on the same images. Images: standard error of the mean "
    "over groups, each image averaged over the seeds. With the number of seeds in the last column the mean over seeds "
    "varies less by the seeds than by the images; there are {runs}."
)
BOTH = (
    "The mean over the seeds of each side; seeds and images are the parts of the standard error of B - A that come "
    "from the luck of training and from the choice of test images."
)
MORE = (
    "More images, in new groups as large as those here, or more seeds of each: so many that the interval would just "
    "exclude 0 if the rest stayed as it is; the chance to tell is then even."
)


@dataclass(frozen=True)
class Setting:
    """One measure of the seeds of a setting over some classes.

    means: float64 [seeds], the mean of each run that has one; together: float64 [images, classes], each image's mean
    over the seeds in which it counts.
    """

    means: NDArray[np.float64]
    together: Scores

    @classmethod
    def of(cls, values: Sequence[Scores], classes: Sequence[int]) -> "Setting":
        chosen = np.stack([scores[:, classes] for scores in values])
        means = np.array([headline(scores, range(len(classes))) for scores in chosen])
        return cls(means[~np.isnan(means)], class_means(chosen))

    @property
    def mean(self) -> float:
        return float(self.means.mean()) if len(self.means) else float("nan")

    @property
    def spread(self) -> float:
        """Standard deviation between seeds, n - 1; NaN for fewer than two."""
        return float(self.means.std(ddof=1)) if len(self.means) > 1 else float("nan")


def spread_of(runs: Sequence[Run], method: str | None = None) -> dict[str, Any]:
    """The seeds of one setting as nested plain values of six decimals; what cannot be told is left out.

    first, images, groups, notes as of `compare`; runs.<name>: seed, dice, iou; <measure>.mean and
    <measure>.classes.<name>: mean over seeds; seeds: standard deviation between them; images: standard error over
    groups; seeds_needed: how many seeds there must be for theirs to be the smaller part of the mean's uncertainty.
    `UserError` as of `common`, or if the runs are no seeds of one setting.
    """
    _seeds_of_one(runs, "A")
    shared = common(runs, method)
    told = heading([runs], shared) | {"runs": _described(runs, shared)}
    told |= rows(shared.dataset.names, shared.foreground, lambda *place: _spread(shared, *place))
    unknown = [UNKNOWN] if scoring_changes([run.params for run in runs]) is None else []
    told["notes"] = [*notes(shared, [len(runs)]), ALONE.format(runs=len(runs)), *unknown]
    return round_scores(told)


def _spread(shared: Common, measure: str, classes: Sequence[int], _: float) -> Row:
    setting = Setting.of([values[measure] for values in shared.values], classes)
    told = freedom([setting.together], shared.groups) > 0
    images = error(setting.together, shared.groups) if told else float("nan")
    needed = (setting.spread / images) ** 2 if images > 0 else float("nan")
    return {
        "mean": setting.mean,
        "seeds": setting.spread,
        "images": images,
        "seeds_needed": int(needed) + 1 if np.isfinite(needed) else None,
    }


def compare_seeds(first: Sequence[Run], second: Sequence[Run], method: str | None = None) -> dict[str, Any]:
    """Setting B (second) against setting A (first), each by the mean over its seeds; as `compare`, and

    runs.<name>: seed, dice, iou; in each row seeds and images, the two parts of the difference's standard error, and if
    it cannot tell more_images and more_seeds (of each side). `UserError` as of `common`, or if the runs of a side are
    no seeds of one setting, or a run is on both.
    """
    _seeds_of_one(first, "A")
    _seeds_of_one(second, "B")
    if both := sorted({run.name for run in first} & {run.name for run in second}):
        raise UserError(f"in A and in B; a setting is not compared with itself\n{listing(both)}")
    shared = common([*first, *second], method)
    changed = scoring_changes([run.params for run in (*first, *second)])
    same = changed is not None and set(changed) <= {SEED}
    compared = heading([first, second], shared) | {"runs": _described([*first, *second], shared)}
    compared["params"] = {key: values for key, values in compared["params"].items() if key != SEED}
    compared |= rows(
        shared.dataset.names, shared.foreground, lambda *place: _judge(shared, len(first), *place, same=same)
    )
    compared["notes"] = [*notes(shared, [len(first), len(second)]), BOTH]
    compared["notes"] += [UNKNOWN] if changed is None else [ONE_SETTING] if same else []
    if any(row.get("more_images") or row.get("more_seeds") for row in all_rows(compared).values()):
        compared["notes"].append(MORE)
    return round_scores(compared)


def _judge(shared: Common, split: int, measure: str, classes: Sequence[int], level: float, *, same: bool) -> Row:
    sides = [
        Setting.of([values[measure] for values in part], classes)
        for part in (shared.values[:split], shared.values[split:])
    ]
    gain = sides[1].mean - sides[0].mean
    tables = [side.together for side in sides]
    degrees = freedom(tables, shared.groups)
    images = error_of_difference(tables[0], tables[1], shared.groups) if degrees else float("nan")
    lucks = [side.spread / np.sqrt(max(len(side.means), 1)) for side in sides]
    seeds = float(np.hypot(*lucks))
    quantile = welch_quantile([images, *lucks], [degrees, *(len(side.means) - 1 for side in sides)], level)
    half = quantile * float(np.hypot(images, seeds))
    bounds = (gain - half, gain + half) if np.isfinite(half) else None
    said = verdict(gain, bounds, same=same)
    if said == FEW and min(len(side.means) for side in sides) < 2:
        said = FEW_SEEDS
    row = {"first": sides[0].mean, "second": sides[1].mean, "difference": gain, "level": level, "verdict": said}
    row |= {"seeds": seeds, "images": images}
    if bounds:
        row |= {"low": bounds[0], "high": bounds[1]}
    if said == UNTOLD:
        row["more_images"] = more(len(shared.groups), gain, quantile * images, quantile * seeds)
        row["more_seeds"] = more(max(len(side.means) for side in sides), gain, quantile * seeds, quantile * images)
    return row


def freedom(tables: Sequence[Scores], groups: NDArray[np.int64]) -> int:
    """Degrees of freedom of a standard error over groups: those that count in any table, less one; 0 if too few.

    Too few: a class of one of the tables counts in fewer than `FEWEST_GROUPS` groups.
    """
    counted = [set(groups[column].tolist()) for scores in tables for column in ~np.isnan(scores).T]
    sizes = [len(found) for found in counted if found]
    return len(set.union(*counted)) - 1 if min(sizes, default=0) >= FEWEST_GROUPS else 0


def welch_quantile(errors: Sequence[float], degrees: Sequence[int], level: float) -> float:
    """Student's t beyond which a sum of independent estimates lies with probability 1 - level, on both sides together.

    errors: the standard error of each, of so many `degrees` of freedom; those of the sum by Welch and Satterthwaite
    (https://doi.org/10.2307/3002019). Without any error 0; NaN if one is not known.
    """
    parts = np.square(errors)
    if not np.isfinite(parts).all() or not parts.any():
        return float(parts.sum())
    freedom_of_sum = parts.sum() ** 2 / np.sum(parts**2 / np.array(degrees))
    return float(stdtrit(freedom_of_sum, (1 + level) / 2))


def _described(runs: Sequence[Run], shared: Common) -> dict[str, dict[str, Any]]:
    """Name → seed and headlines of each run, in the order given."""
    return {
        run.name: {"seed": run.params.get(SEED)}
        | {measure: headline(scores, shared.foreground) for measure, scores in values.items()}
        for run, values in zip(runs, shared.values, strict=True)
    }


def _seeds_of_one(runs: Sequence[Run], side: str) -> None:
    """`UserError` unless these are two or more runs that differ in their seed alone, as far as is known."""
    problems = []
    known = [run for run in runs if run.params]
    others = [key for key in scoring_changes([run.params for run in known]) or [] if key != SEED]
    problems += [f"{key}: {', '.join(f'{r.params.get(key)} ({r.name})' for r in known)}" for key in others]
    named: dict[str, list[str]] = {}
    for run in runs:
        named.setdefault(f"seed {run.params[SEED]}" if SEED in run.params else f"run {run.name}", []).append(run.name)
    problems += [f"{what} twice: {', '.join(names)}" for what, names in named.items() if len(names) > 1]
    if len(runs) < 2:
        problems.append(f"one run alone: {runs[0].name}; repeat it with another seed (dvc exp run -S seed=1)")
    if problems:
        raise UserError(
            f"{side} must be two or more runs that differ in {SEED} alone; name them a,b\n{listing(problems)}"
        )
