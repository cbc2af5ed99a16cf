"""The test images that all of several runs have: runs are compared on these alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from src.data.source.dataset import Dataset
from src.errors import UserError, listing
from src.evaluation.comparison.runs import Run
from src.evaluation.comparison.table import Table
from src.evaluation.metrics.confusion import Scores, classes_present
from src.evaluation.scoring.methods import NETWORK


@dataclass(frozen=True)
class SharedImages:
    """The scores of several runs on the test images that all of them have.

    Attributes:
        dataset: The data set of the first run, whose order of classes is used.
        foreground: Indices of the foreground classes that the truth holds; means are over these.
        groups: The group of each image, int64 [images].
        methods: The method of each run that is compared.
        left_out: For each run, the number of its images that another run lacks.
        regrouped: Whether the runs group the images differently.
        values: For each run, measure → float64 [images, classes]; NaN where an image does not count for a class.
    """

    dataset: Dataset
    foreground: list[int]
    groups: NDArray[np.int64]
    methods: list[str]
    left_out: list[int]
    regrouped: bool
    values: list[dict[str, Scores]]


def shared_images(runs: Sequence[Run], method: str | None = None) -> SharedImages:
    """Collect the scores of runs on the test images that they share.

    Images that share a group in any of the runs are one group.

    Args:
        runs: One or more runs.
        method: The method to use in all runs; None for a table's only method, or `NETWORK` if it has several.

    Raises:
        UserError: The classes differ, a run lacks the method, no image is shared, or the truth of a shared image
            differs between runs. The message lists them.
    """
    dataset = _one_dataset(runs)
    tables = [Table.of(run) for run in runs]
    methods = _methods(runs, tables, method)
    ids = sorted(set.intersection(*(set(table.ids) for table in tables)))
    if not ids:
        lines = [f"{run.name}: {len(t.ids)} images, such as {t.ids[0]!r}" for run, t in zip(runs, tables, strict=True)]
        raise UserError(f"the runs test different images, and share none\n{listing(lines)}")
    left_out = [len(table.ids) - len(ids) for table in tables]
    orders = [[run.dataset.names.index(name) for name in dataset.names] for run in runs]
    tables = [table.chosen(ids, order) for table, order in zip(tables, orders, strict=True)]
    _same_truth(runs, tables, methods)
    groups = _joined_groups(tables)
    regrouped = any(len(set(table.groups)) != len(set(groups.tolist())) for table in tables)
    values = [table.values[own] for table, own in zip(tables, methods, strict=True)]
    foreground = classes_present(tables[0].true[methods[0]], dataset.foreground)
    return SharedImages(dataset, foreground, groups, methods, left_out, regrouped, values)


def _one_dataset(runs: Sequence[Run]) -> Dataset:
    """The data set of the first run; `UserError` if others have other classes. Their order may differ."""
    described = []
    for run in runs:
        names, background = run.dataset.names, run.dataset.background_index
        left_out = "none" if background is None else names[background]
        overlap = "; they overlap" if run.dataset.overlap else ""
        described.append(f"{', '.join(sorted(names))}{overlap}; left out of means: {left_out}")
    if len(set(described)) > 1:
        lines = [f"{run.name}: {text}" for run, text in zip(runs, described, strict=True)]
        raise UserError(f"runs with different classes cannot be compared\n{listing(lines)}")
    return runs[0].dataset


def _methods(runs: Sequence[Run], tables: Sequence[Table], method: str | None) -> list[str]:
    chosen, problems = [], []
    for run, table in zip(runs, tables, strict=True):
        there = list(table.values)
        wanted = method or (there[0] if len(there) == 1 else NETWORK)
        chosen.append(wanted)
        if wanted not in there:
            problems.append(f"{run.name}: {', '.join(there) or 'no rows at all'}")
    if problems:
        asked = f"have no method {method!r}" if method else f"have several methods and no {NETWORK}: choose by --method"
        raise UserError(f"these runs {asked}; methods of each run:\n{listing(problems)}")
    return chosen


def _same_truth(runs: Sequence[Run], tables: Sequence[Table], methods: Sequence[str]) -> None:
    """Raise `UserError` for images whose classes do not have the same number of pixels in all tables."""
    true = np.stack([table.true[method] for table, method in zip(tables, methods, strict=True)])
    changed = np.argwhere((true != true[0]).any(axis=0))
    names = runs[0].dataset.names
    lines = [
        f"{tables[0].ids[image]}, {names[label]}: {', '.join(map(str, dict.fromkeys(true[:, image, label].tolist())))}"
        for image, label in changed
    ]
    if lines:
        images = len(set(changed[:, 0].tolist()))
        raise UserError(
            f"the masks of {images} shared test image(s) have changed between the runs, so the scores cannot be "
            f"compared: repeat the older runs. Pixels of these classes differ\n{listing(lines)}"
        )


def _joined_groups(tables: Sequence[Table]) -> NDArray[np.int64]:
    """The group of each image, int64 [images]: components of the graph that links images to their groups."""
    images = len(tables[0].ids)
    ends: list[NDArray[np.int64]] = []
    nodes = images
    for table in tables:
        names, group = np.unique(np.array(table.groups), return_inverse=True)
        ends.append(nodes + group)
        nodes += len(names)
    starts = np.tile(np.arange(images), len(tables))
    links = coo_array((np.ones(len(starts)), (starts, np.array(list(chain(*ends))))), shape=(nodes, nodes))
    parts = connected_components(links, directed=False)[1]
    return np.asarray(parts[:images], np.int64)
