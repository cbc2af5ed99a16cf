"""Runs read from DVC's experiments: parameters, classes and scores of any revision, without checking it out."""

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import dvc.api
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc_data.index.index import DataIndexDirError

from src.data.dataset import NAME, Dataset
from src.errors import UserError, listing
from src.evaluation.runs import Run, sweeps
from src.files import parse_yaml
from src.params import validate

SCORES = "data/evaluation/scores.csv"
DATASET = f"data/prepared/{NAME}"


def read_runs(names: Sequence[str]) -> list[Run]:
    """The named experiments or Git revisions; of no name, the one sweep among the experiments derived from HEAD.

    `UserError` names every revision that is unknown or has no scores, or the sweeps to choose from.
    """
    try:
        names = names or _only_sweep()
        params = {name: _params(name) for name in dict.fromkeys(names)}
    except DvcException as error:
        raise UserError(f"{error}; dvc exp list shows what there is") from None
    runs, problems = [], []
    for name in names:
        try:
            dataset = validate(Dataset, parse_yaml(dvc.api.read(DATASET, rev=name), Path(DATASET)), Path(DATASET))
            rows = list(csv.DictReader(StringIO(dvc.api.read(SCORES, rev=name))))
            runs.append(Run(name, params[name], dataset, rows))
        except (DvcException, DataIndexDirError, OSError) as error:
            problems.append(f"{name}: {error}")
    if problems:
        raise UserError(
            "no scores of these runs are at hand; `dvc exp pull REMOTE NAME` or `dvc pull` brings them\n"
            f"{listing(problems)}"
        )
    return runs


def _only_sweep() -> list[str]:
    with Repo() as repo:
        names = [name for found in repo.experiments.ls().values() for name, _ in found]
    found = sweeps({name: _params(name) for name in names})
    if not found:
        raise UserError(
            f"no sweep of folds or seeds among the {len(names)} experiment(s) derived from HEAD; name some, or run\n"
            "  dvc exp run --queue -S split.folds=5 -S 'split.fold=range(0,5)' && dvc queue start"
        )
    if len(found) > 1:
        lines = [f"python -m tools.summarize {' '.join(sorted(sweep))}" for sweep in found]
        raise UserError(f"there are {len(found)} sweeps; choose one\n{listing(lines)}")
    return found[0]


def _params(name: str) -> dict[str, Any]:
    return _flat(dvc.api.params_show("params.yaml", rev=name))


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in content.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat
