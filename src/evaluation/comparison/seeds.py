"""Several seeds of a setting: how much of a score is due to the luck of training, and how much to the test images?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from src.data.store.subsets import FEWEST_GROUPS
from src.errors import UserError, listing
from src.evaluation.comparison.comparison import all_rows, heading, notes
from src.evaluation.comparison.runs import SEED, Run, scoring_changes
from src.evaluation.comparison.shared_images import SharedImages, shared_images
from src.evaluation.comparison.verdict import (
    FEW,
    FEW_SEEDS,
    UNTOLD,
    Compared,
    Judgement,
    SeedSpread,
    additional_needed,
    judge_classes,
    verdict,
)
from src.evaluation.metrics.confusion import Scores, mean_over_classes
from src.evaluation.statistics.standard_error import standard_error, standard_error_of_difference
from src.files import round_scores

ONE_SETTING = "A and B are one setting: they differ by the luck of training, and no difference is claimed."
UNKNOWN = "The parameters of some runs are not known, so nothing checks that these are seeds of one setting."
ALONE = (
    "Seeds: standard deviation of the runs' means (n - 1), all on the same images. Images: standard error "
    "of the mean over runs, over groups of images. From the number of seeds in the last column on, the mean over "
    "seeds varies less by the seeds than by the images; there are {runs}."
)
BOTH = (
    "Each side is the mean over its seeds. Seeds and images are the parts of the standard error of B - A that come "
    "from the luck of training and from the choice of test images."
)
MORE = (
    "More images, in new groups as large as those here, or more seeds of each side: with that many the interval would "
    "just exclude 0 if the difference and its spread stayed the same. The chance of a verdict is then 50 %."
)


@dataclass(frozen=True)
class SeedScores:
    """One measure of the seeds of a setting, over some classes.

    Attributes:
        means: The mean of each run that has one, float64 [seeds].
        scores: The scores of these runs, float64 [seeds, images, classes]; NaN where an image does not count. They are
            not averaged image by image, since an image may count for a class in some seeds only.
    """

    means: NDArray[np.float64]
    scores: Scores

    @classmethod
    def of(cls, values: Sequence[Scores], classes: Sequence[int]) -> "SeedScores":
        """Collect the scores.

        Args:
            values: For each seed, float64 [images, all classes]; NaN where an image does not count for a class.
            classes: Indices of the classes to use.
        """
        chosen = np.stack([scores[:, classes] for scores in values])
        means = np.array([mean_over_classes(scores, range(len(classes))) for scores in chosen])
        return cls(means[~np.isnan(means)], chosen[~np.isnan(means)])

    @property
    def mean(self) -> float:
        """The mean over seeds; NaN if no seed has one."""
        return float(self.means.mean()) if len(self.means) else float("nan")

    @property
    def spread(self) -> float:
        """The standard deviation between seeds (n - 1); NaN for fewer than two."""
        return float(self.means.std(ddof=1)) if len(self.means) > 1 else float("nan")


def summarize_seeds(runs: Sequence[Run], method: str | None = None) -> Compared:
    """Summarise the seeds of one setting.

    Args:
        runs: Two or more runs that differ in the seed alone.
        method: The method to use; see `shared_images`.

    Returns:
        Nested plain values of six decimals; undefined ones are missing:
        first, images, groups, notes: as of `compare`.
        runs.<name>: seed, dice, iou.
        <measure>.mean, <measure>.classes.<name>: the fields of a `SeedSpread`.

    Raises:
        UserError: The runs are not seeds of one setting, or cannot be compared (see `shared_images`).
    """
    _require_seeds(runs, "A")
    shared = shared_images(runs, method)
    summary = heading([runs], shared) | {"runs": _described(runs, shared)}
    summary |= judge_classes(shared.dataset.names, shared.foreground, lambda *part: _spread(shared, *part))
    unknown = [UNKNOWN] if scoring_changes([run.params for run in runs]) is None else []
    summary["notes"] = [*notes(shared, [len(runs)]), ALONE.format(runs=len(runs)), *unknown]
    return round_scores(summary)


def _spread(shared: SharedImages, measure: str, classes: Sequence[int], _: float) -> SeedSpread:
    setting = SeedScores.of([values[measure] for values in shared.values], classes)
    enough = degrees_of_freedom([*setting.scores], shared.groups) > 0
    images = standard_error(setting.scores, shared.groups) if enough else float("nan")
    needed = (setting.spread / images) ** 2 if images > 0 else float("nan")
    return SeedSpread(setting.mean, setting.spread, images, int(needed) + 1 if np.isfinite(needed) else None)


def compare_seeds(first: Sequence[Run], second: Sequence[Run], method: str | None = None) -> Compared:
    """Compare setting B (second) with setting A (first), each by the mean over its seeds.

    Args:
        first: Two or more runs of A that differ in the seed alone.
        second: The same of B.
        method: The method to compare, of all runs; see `shared_images`.

    Returns:
        As `compare`, and runs.<name>: seed, dice, iou.

    Raises:
        UserError: The runs of a side are not seeds of one setting, a run is on both sides, or the runs cannot be
            compared (see `shared_images`).
    """
    _require_seeds(first, "A")
    _require_seeds(second, "B")
    if both := sorted({run.name for run in first} & {run.name for run in second}):
        raise UserError(f"runs that are in A and in B; name each run on one side\n{listing(both)}")
    shared = shared_images([*first, *second], method)
    changed = scoring_changes([run.params for run in (*first, *second)])
    same = changed is not None and set(changed) <= {SEED}
    compared = heading([first, second], shared) | {"runs": _described([*first, *second], shared)}
    compared["params"] = {key: values for key, values in compared["params"].items() if key != SEED}
    compared |= judge_classes(
        shared.dataset.names, shared.foreground, lambda *part: _judge(shared, len(first), *part, same=same)
    )
    compared["notes"] = [*notes(shared, [len(first), len(second)]), BOTH]
    compared["notes"] += [UNKNOWN] if changed is None else [ONE_SETTING] if same else []
    if any(row.get("more_images") or row.get("more_seeds") for row in all_rows(compared).values()):
        compared["notes"].append(MORE)
    return round_scores(compared)


def _judge(
    shared: SharedImages, split: int, measure: str, classes: Sequence[int], level: float, *, same: bool
) -> Judgement:
    """Judge the seeds from `split` on against those before it."""
    first, second = sides = [
        SeedScores.of([values[measure] for values in part], classes)
        for part in (shared.values[:split], shared.values[split:])
    ]
    gain = second.mean - first.mean
    degrees = degrees_of_freedom([*first.scores, *second.scores], shared.groups)
    images = float("nan")
    if degrees:
        images = standard_error_of_difference(first.scores, second.scores, shared.groups)
    errors = [side.spread / np.sqrt(max(len(side.means), 1)) for side in sides]
    seeds = float(np.hypot(*errors))
    quantile = welch_quantile([images, *errors], [degrees, *(len(side.means) - 1 for side in sides)], level)
    half = quantile * float(np.hypot(images, seeds))
    bounds = (gain - half, gain + half) if np.isfinite(half) else None
    words = verdict(gain, bounds, same=same)
    if words == FEW and min(len(side.means) for side in sides) < 2:
        words = FEW_SEEDS
    more_images = more_seeds = None
    if words == UNTOLD:
        most = max(len(side.means) for side in sides)
        more_images = additional_needed(len(shared.groups), gain, quantile * images, quantile * seeds)
        more_seeds = additional_needed(most, gain, quantile * seeds, quantile * images)
    low, high = bounds or (None, None)
    return Judgement(
        first=first.mean,
        second=second.mean,
        difference=gain,
        level=level,
        verdict=words,
        seeds=seeds,
        images=images,
        low=low,
        high=high,
        more_images=more_images,
        more_seeds=more_seeds,
    )


def degrees_of_freedom(tables: Sequence[Scores], groups: NDArray[np.int64]) -> int:
    """Return the degrees of freedom of a standard error over groups: the groups that count in any table, less one.

    Args:
        tables: float64 [images, classes] each; NaN where an image does not count for a class.
        groups: The group of each image, int64 [images].

    Returns:
        The number; 0 if a class of a table counts in fewer than `FEWEST_GROUPS` groups, or no class counts.
    """
    counted = [set(groups[column].tolist()) for scores in tables for column in ~np.isnan(scores).T]
    sizes = [len(found) for found in counted if found]
    return len(set().union(*counted)) - 1 if min(sizes, default=0) >= FEWEST_GROUPS else 0


def welch_quantile(errors: Sequence[float], degrees: Sequence[int], level: float) -> float:
    """Compute the two-sided quantile of Student's t for a sum of independent estimates.

    The degrees of freedom of the sum are those of Welch and Satterthwaite (https://doi.org/10.2307/3002019).

    Args:
        errors: The standard error of each estimate.
        degrees: The degrees of freedom of each standard error.
        level: Confidence level, between 0 and 1.

    Returns:
        The quantile; 0 if all errors are 0, and NaN if an error is not known.
    """
    parts = np.square(errors)
    if not np.isfinite(parts).all() or not parts.any():
        return float(parts.sum())
    freedom = parts.sum() ** 2 / np.sum(parts**2 / np.array(degrees))
    return float(stdtrit(freedom, (1 + level) / 2))


def _described(runs: Sequence[Run], shared: SharedImages) -> dict[str, dict[str, object]]:
    """Name → seed and mean scores of each run, in the order given."""
    return {
        run.name: {"seed": run.params.get(SEED)}
        | {measure: mean_over_classes(scores, shared.foreground) for measure, scores in values.items()}
        for run, values in zip(runs, shared.values, strict=True)
    }


def _require_seeds(runs: Sequence[Run], side: str) -> None:
    """Raise `UserError` unless these are two or more runs that differ in the seed alone, as far as is known."""
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
