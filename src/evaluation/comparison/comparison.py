"""Does one run score better than another, on the test images that both have?"""

import json
from collections.abc import Sequence

import numpy as np

from src.evaluation.comparison.runs import SEED, Parameters, Run, differing, scoring_changes
from src.evaluation.comparison.shared_images import SharedImages, shared_images
from src.evaluation.comparison.table import MEASURES
from src.evaluation.comparison.verdict import (
    EQUAL,
    LEVEL,
    UNTOLD,
    Compared,
    Judgement,
    additional_needed,
    judge_classes,
    verdict,
)
from src.evaluation.metrics.confusion import mean_over_classes
from src.evaluation.scoring.methods import NETWORK
from src.evaluation.statistics.bootstrap import difference_interval
from src.files import round_scores

RESAMPLES, DRAW = 10_000, 0  # fixed, so that the answer does not depend on the runs' own parameters
TWO_SEEDS = (
    "A and B are two seeds of one setting, so they differ by the luck of training. One pair of runs cannot show more; "
    "several seeds of each of two settings can (--seeds)."
)
TWO_MODELS = (
    "Two single trainings compare two models, not two settings: with other seeds the result may be reversed. --seeds "
    "takes that into account."
)
UNKNOWN = "The parameters of A or B are not known, so the runs may be two seeds of one setting."
STALE = (
    "No image scores differently although parameters differ. Either the parameters were changed after the run (see dvc "
    "status), or the scores do not depend on them."
)
UNCHANGED = "No parameter that Dice and IoU depend on differs, so the code, the data or the machine must differ."
MORE = (
    "More images: with that many, in new groups as large as those here, the interval would just exclude 0 if the "
    "difference stayed as it is. The chance of a verdict is then 50 %."
)
REGROUPED = "A and B group these images differently; images that share a group in either count as one group."


def compare(first: Run, second: Run, method: str | None = None) -> Compared:
    """Compare run B (second) with run A (first).

    Args:
        first: Run A.
        second: Run B.
        method: The method to compare, of both; see `shared_images`.

    Returns:
        Nested plain values of six decimals; undefined ones are missing:
        first, second: name, method, and the number of its images that the other run lacks (left_out).
        images, groups: how many are compared.
        params: key → first and second: the parameters that differ.
        <measure>.mean, <measure>.classes.<name>: the fields of a `Judgement`.
        notes: what a reader must know.

    Raises:
        UserError: The runs cannot be compared; see `shared_images`.
    """
    shared = shared_images([first, second], method)
    changed = scoring_changes([first.params, second.params])
    same = changed == [SEED]
    compared = heading([[first], [second]], shared)
    compared |= judge_classes(shared.dataset.names, shared.foreground, lambda *part: judge(shared, *part, same=same))
    equal = all(compared[measure]["mean"]["verdict"] == EQUAL for measure in MEASURES)
    compared["notes"] = [*notes(shared, [1, 1]), *([UNCHANGED] if changed == [] and not equal else [])]
    if shared.methods == [NETWORK, NETWORK] and not equal:  # two trainings
        compared["notes"].append(UNKNOWN if changed is None else TWO_SEEDS if same else TWO_MODELS)
    if changed and equal:
        compared["notes"].append(STALE)
    if any(row.get("more_images") for row in all_rows(compared).values()):
        compared["notes"].append(MORE)
    return round_scores(compared)


def judge(shared: SharedImages, measure: str, classes: Sequence[int], level: float, *, same: bool) -> Judgement:
    """Judge one measure over some classes, for two runs.

    Args:
        shared: The scores of the two runs.
        measure: "dice" or "iou".
        classes: Indices of the classes to average.
        level: Confidence level of the interval.
        same: The runs are of one setting.
    """
    first, second = (values[measure][:, classes] for values in shared.values)
    means = [mean_over_classes(scores, range(len(classes))) for scores in (first, second)]
    gain, bounds = means[1] - means[0], None
    if np.isfinite(gain):
        bounds = difference_interval(first, second, shared.groups, RESAMPLES, DRAW, level=level)
    words = verdict(gain, bounds, same=same, equal=np.array_equal(first, second, equal_nan=True))
    if bounds is None:
        return Judgement(means[0], means[1], gain, level, words)
    low, high = bounds
    more = additional_needed(len(first), gain, (high - low) / 2) if words == UNTOLD else None
    return Judgement(means[0], means[1], gain, level, words, low=low, high=high, more_images=more)


def heading(sides: Sequence[Sequence[Run]], shared: SharedImages) -> Compared:
    """Describe what is compared.

    Args:
        sides: The runs of A, and of B if there is one.
        shared: The scores of all these runs.

    Returns:
        first, second: name, method and left_out of each side; images, groups: how many are compared; params: the
        parameters that differ between the first runs of both sides.
    """
    starts = np.cumsum([0, *map(len, sides)])
    described: Compared = {
        side: {
            "name": ",".join(run.name for run in runs),
            "method": ", ".join(dict.fromkeys(shared.methods[start : start + len(runs)])),
            "left_out": max(shared.left_out[start : start + len(runs)]),
        }
        for side, runs, start in zip(("first", "second"), sides, starts, strict=False)
    }
    sizes = {"images": len(shared.groups), "groups": len(set(shared.groups.tolist()))}
    return described | sizes | {"params": _changes(*(runs[0].params for runs in sides)) if len(sides) == 2 else {}}


def _changes(first: Parameters, second: Parameters) -> dict[str, dict[str, str]]:
    """Key → its value in both runs as text, for all keys that differ; empty if the parameters of one are not known."""
    keys = differing([first, second]) if first and second else []
    return {key: {"first": text_of(first, key), "second": text_of(second, key)} for key in keys}


def text_of(params: Parameters, key: str) -> str:
    """Return the value of a parameter as text.

    Args:
        params: The parameters.
        key: The parameter, which may be absent.
    """
    value = params.get(key, "absent")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def notes(shared: SharedImages, sizes: Sequence[int]) -> list[str]:
    """Return what a reader must know of the images and intervals.

    Args:
        shared: The scores of all runs.
        sizes: Number of runs of A, and of B if there is one.
    """
    lines = []
    starts = np.cumsum([0, *sizes])
    most = [max(shared.left_out[start : start + size]) for start, size in zip(starts, sizes, strict=False)]
    if any(most):
        left = " and ".join(f"{number} of {side}" for side, number in zip("AB", most, strict=False))
        lines.append(f"The runs test different images. Only shared ones are compared; left out are {left}.")
    if shared.regrouped:
        lines.append(REGROUPED)
    if len(sizes) == 2:
        foreground = len(shared.foreground)
        classes = "" if foreground < 2 else f", {100 * (1 - (1 - LEVEL) / foreground):.4g} % for each single class"
        reason = "" if foreground < 2 else f", so that all {foreground} hold at once with {100 * LEVEL:.4g} %"
        lines.append(f"Intervals of B - A, over groups of images: {100 * LEVEL:.4g} % for the mean{classes}{reason}.")
    return lines


def all_rows(compared: Compared) -> dict[str, Compared]:
    """Return the row of each key, such as dice.mean or dice.cell; of a class that is called "mean" there is none."""
    found: dict[str, Compared] = {}
    for measure in MEASURES:
        found |= {f"{measure}.{name}": row for name, row in compared[measure]["classes"].items()}
        found[f"{measure}.mean"] = compared[measure]["mean"]
    return found
