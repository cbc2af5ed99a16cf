"""The runs of a sweep become one result: mean, spread over the runs, and one interval."""

from collections.abc import Mapping, Sequence

import numpy as np

from src.data.source.dataset import Dataset
from src.errors import UserError, listing
from src.evaluation.comparison.runs import FOLD, Run, order_sweep
from src.evaluation.comparison.table import MEASURES, Table
from src.evaluation.comparison.verdict import Compared
from src.evaluation.metrics.confusion import Scores, class_means, classes_present, mean_over_classes
from src.evaluation.statistics.bootstrap import mean_interval
from src.files import round_scores

NOTES = {
    "folds": "Every image is tested once, by a model that never saw it. The means are over all of these images, the "
    "interval is by bootstrap over their groups.",
    "repeats": "All runs test the same images. The means are those of the runs, the interval is that of their "
    "mean, by bootstrap over groups.",
    "draws": "The runs test different images, as each split.seed draws its own. The means are those of the runs; there "
    "is no interval, for which lists in dataset.yaml or folds are needed.",
}
SPREAD = "The spread is the standard deviation of the runs' means (n - 1)."


def summarize_sweep(runs: Sequence[Run]) -> Compared:
    """Summarise the runs of one sweep.

    Args:
        runs: The runs, in any order.

    Returns:
        Nested plain values of six decimals; undefined ones are missing:
        kind, note: the kind of sweep, see `NOTES`.
        varied: split.fold, seed or split.seed.
        images, groups: how many are tested.
        runs.<value>: name, images, groups and <method>.<measure> of each run.
        <method>.<measure>: mean, spread, low, high.
        <method>.classes.<name>: the mean of each measure.

    Raises:
        UserError: The runs are not a sweep (see `order_sweep`), or two folds test the same image.
    """
    varied, runs = order_sweep(runs)
    dataset, params = runs[0].dataset, runs[0].params
    tables = [Table.of(run) for run in runs]
    kind = _kind(varied, [run.name for run in runs], [table.ids for table in tables])
    tested = {image: group for table in tables for image, group in zip(table.ids, table.groups, strict=True)}
    joined: Compared = {"kind": kind, "note": f"{NOTES[kind]} {SPREAD}", "varied": varied, "runs": {}}
    joined |= {"images": len(tested), "groups": len(set(tested.values()))}
    for run, table in zip(runs, tables, strict=True):
        size = {"name": run.name, "images": len(table.ids), "groups": len(set(table.groups))}
        joined["runs"][str(run.params.get(varied, 0))] = size | _method_means(table, dataset)
    groups = [group for table in (tables if kind == "folds" else tables[:1]) for group in table.groups]
    for method in tables[0].values:
        joined[method] = {"classes": {name: {} for name in dataset.names}}
        of_runs = [classes_present(table.true[method], dataset.foreground) for table in tables]
        foreground = sorted({label for own in of_runs for label in own})
        for measure in MEASURES:
            values = [table.values[method][measure] for table in tables]
            joined[method][measure] = _mean_and_spread(values, kind, of_runs, foreground)
            if kind != "draws":
                scores = np.concatenate(values) if kind == "folds" else np.stack(values)
                bounds = mean_interval(
                    scores[..., foreground], np.array(groups), params["evaluate.resamples"], params["seed"]
                )
                joined[method][measure] |= dict(zip(("low", "high"), bounds or (), strict=False))
            for name, value in zip(dataset.names, _class_means(values, kind), strict=True):
                joined[method]["classes"][name][measure] = float(value)
    return round_scores(joined)


def _kind(varied: str, names: Sequence[str], ids: Sequence[Sequence[str]]) -> str:
    """The kind: folds test no image twice, repeats test the same images, draws test those that each seed drew."""
    if all(other == ids[0] for other in ids):
        return "repeats"
    if varied != FOLD:
        return "draws"
    tested: dict[str, list[str]] = {}
    for name, images in zip(names, ids, strict=True):
        for image in images:
            tested.setdefault(image, []).append(name)
    if twice := [f"{image}: {', '.join(found)}" for image, found in tested.items() if len(found) > 1]:
        raise UserError(
            f"folds share no test image, but {len(twice)} image(s) are tested by several of these runs: their data or "
            f"code differs; repeat the older ones\n{listing(twice)}"
        )
    return "folds"


def _method_means(table: Table, dataset: Dataset) -> dict[str, dict[str, float]]:
    return {
        method: {
            m: mean_over_classes(values, classes_present(table.true[method], dataset.foreground))
            for m, values in measures.items()
        }
        for method, measures in table.values.items()
    }


def _mean_and_spread(
    values: Sequence[Scores], kind: str, foregrounds: Sequence[Sequence[int]], foreground: Sequence[int]
) -> Mapping[str, float]:
    """foregrounds: the classes that each run's mean is over; foreground: those that the mean over all is over."""
    of_runs = np.array([mean_over_classes(scores, own) for scores, own in zip(values, foregrounds, strict=True)])
    defined = of_runs[~np.isnan(of_runs)]
    mean = mean_over_classes(np.concatenate(values), foreground) if kind == "folds" else float(class_means(of_runs))
    return {"mean": mean, "spread": float(np.std(defined, ddof=1)) if len(defined) > 1 else float("nan")}


def _class_means(values: Sequence[Scores], kind: str) -> Scores:
    """float64 [classes]: for folds the mean over all images, else the mean over runs of their means over images."""
    if kind == "folds":
        return class_means(np.concatenate(values))
    return class_means(np.stack([class_means(scores) for scores in values]))
