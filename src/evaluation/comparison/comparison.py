"""Whether one run scores better than another, on the test images that both have."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from src.evaluation.comparison.runs import SEED, Parameters, Run, differing, scoring_changes
from src.evaluation.comparison.shared_images import OURS, Common, common
from src.evaluation.comparison.table import MEASURES
from src.evaluation.comparison.verdict import EQUAL, LEVEL, UNTOLD, Row, more, rows, verdict
from src.evaluation.metrics.confusion import headline
from src.evaluation.statistics.bootstrap import difference
from src.files import round_scores

RESAMPLES, DRAW = 10_000, 0  # not those of the runs: the answer is the same, whatever their parameters say
TWO_SEEDS = (
    "One setting, two seeds: what differs is the luck of training. One pair of runs cannot show more; several seeds of "
    "each of two settings can (--seeds)."
)
TWO_MODELS = (
    "Two single trainings compare two models, not two settings: with other seeds it may be the other way round, which "
    "--seeds takes into account."
)
UNKNOWN = "The parameters of one or both are not known, so nothing says whether they are two seeds of one setting."
STALE = (
    "No image scores differently, although parameters differ: perhaps they were changed after the run (dvc status), or "
    "the scores do not depend on them."
)
UNCHANGED = "No parameter that Dice and IoU depend on differs: what differs is the code, the data or the machine."
MORE = (
    "More images: so many, in new groups as large as those here, that the interval would just exclude 0 if the "
    "difference stayed as it is; the chance to tell is then even."
)
REGROUPED = "A and B group these images differently; images that share a group in either count as one group."


def compare(first: Run, second: Run, method: str | None = None) -> dict[str, Any]:
    """Run B (second) against run A (first) as nested plain values of six decimals; what cannot be told is left out.

    first, second: name, method, and how many of its images the other lacks (left_out); images, groups: how many are
    compared; params: what differs, key → first and second in words; <measure>.mean and <measure>.classes.<name>: first,
    second, difference, low, high, level of the interval, verdict, and if that cannot tell more_images; notes: what a
    reader must know. `UserError` as of `common`.
    """
    shared = common([first, second], method)
    changed = scoring_changes([first.params, second.params])
    same = changed == [SEED]
    compared = heading([[first], [second]], shared)
    compared |= rows(shared.dataset.names, shared.foreground, lambda *place: judge(shared, *place, same=same))
    closing = UNKNOWN if changed is None else TWO_SEEDS if same else TWO_MODELS
    equal = all(compared[measure]["mean"]["verdict"] == EQUAL for measure in MEASURES)
    compared["notes"] = [*notes(shared, [1, 1]), *([UNCHANGED] if changed == [] and not equal else [])]
    if shared.methods == [OURS, OURS] and not equal:  # of two trainings
        compared["notes"].append(closing)
    if changed and equal:
        compared["notes"].append(STALE)
    if any(row.get("more_images") for row in all_rows(compared).values()):
        compared["notes"].append(MORE)
    return round_scores(compared)


def judge(shared: Common, measure: str, classes: Sequence[int], level: float, *, same: bool) -> Row:
    """The row of one measure over these classes, of the two runs in `shared`; same: they are of one setting."""
    first, second = (values[measure][:, classes] for values in shared.values)
    means = [headline(scores, range(len(classes))) for scores in (first, second)]
    gain = means[1] - means[0]
    bounds = difference(first, second, shared.groups, RESAMPLES, DRAW, level=level) if np.isfinite(gain) else None
    said = verdict(gain, bounds, same=same, equal=np.array_equal(first, second, equal_nan=True))
    row = {"first": means[0], "second": means[1], "difference": gain, "level": level, "verdict": said}
    if bounds:
        row |= {"low": bounds[0], "high": bounds[1]}
        if said == UNTOLD:
            row["more_images"] = more(len(first), gain, (bounds[1] - bounds[0]) / 2)
    return row


def heading(sides: Sequence[Sequence[Run]], shared: Common) -> dict[str, Any]:
    """What is compared: each side with its method, the number of images and groups, the parameters that differ."""
    starts = np.cumsum([0, *map(len, sides)])
    described = {
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
    """key → its value in each, in words, of all keys in which two runs differ; nothing if one of them is not known."""
    keys = differing([first, second]) if first and second else []
    return {key: {"first": _words(first, key), "second": _words(second, key)} for key in keys}


def _words(params: Parameters, key: str) -> str:
    value = params.get(key, "absent")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def notes(shared: Common, sizes: Sequence[int]) -> list[str]:
    """What a reader must know of the images and intervals; sizes: number of runs on each side, A and B."""
    said = []
    starts = np.cumsum([0, *sizes])
    most = [max(shared.left_out[start : start + size]) for start, size in zip(starts, sizes, strict=False)]
    if any(most):
        left = " and ".join(f"{number} of {side}" for side, number in zip("AB", most, strict=False))
        said.append(f"The runs do not test the same images: compared are the shared ones; left out are {left}.")
    if shared.regrouped:
        said.append(REGROUPED)
    if len(sizes) == 2:
        foreground = len(shared.foreground)
        classes = "" if foreground < 2 else f", {100 * (1 - (1 - LEVEL) / foreground):.4g} % of the single classes"
        reason = "" if foreground < 2 else f", so that all {foreground} hold at once with {100 * LEVEL:.4g} %"
        said.append(f"Intervals of B - A, over groups of images: {100 * LEVEL:.4g} % of the mean{classes}{reason}.")
    return said


def all_rows(compared: Mapping[str, Any]) -> dict[str, Row]:
    """Key, as in dice.mean or dice.cell, → row."""
    found: dict[str, Row] = {}
    for measure in MEASURES:
        found |= {f"{measure}.{name}": row for name, row in compared[measure]["classes"].items()}
        found[f"{measure}.mean"] = compared[measure]["mean"]  # a class of this name gives way
    return found
