"""Runs read from wherever they are: a folder, or any revision or experiment of DVC, without checking it out."""

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import dvc.api
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc_data.index.index import DataIndexDirError

from src.data.source.dataset import NAME, Dataset
from src.errors import UserError, listing
from src.evaluation.comparison.runs import SEED, Run, find_sweeps, scoring_changes
from src.files import flatten, parse_yaml, read_text, read_yaml
from src.section import validate

SCORES = "data/evaluation/scores.csv"
DATASET = f"data/prepared/{NAME}"
PARAMS = "params.yaml"
UNREADABLE = (DvcException, DataIndexDirError, OSError, UnicodeDecodeError)


def read_runs(names: Sequence[str]) -> list[Run]:
    """The named runs; of no name, the one sweep among the experiments derived from HEAD.

    A name is that of a folder that holds scores.csv or data/evaluation/scores.csv, else of a Git revision or an
    experiment. `UserError` names every one that is unknown or has no scores, or the sweeps to choose from.
    """
    runs, problems = [], []
    for name in names or _only_sweep():
        try:
            runs.append(read_folder(name) if is_folder(name) else _read_revision(name))
        except UNREADABLE as error:
            problems.append(f"{name}: {error}")
    if problems:
        raise UserError(
            "no scores of these runs are at hand; `dvc exp list` shows what there is, `dvc exp pull REMOTE NAME` or "
            f"`dvc pull` brings it, and a folder must hold scores.csv or {SCORES}\n{listing(problems)}"
        )
    return runs


def is_folder(name: str) -> bool:
    """Whether the name is that of a folder with scores; a revision of this name is then passed over."""
    return bool(name) and any((Path(name) / path).is_file() for path in ("scores.csv", SCORES))


def read_folder(name: str) -> Run:
    """The run of a project's folder, of its data/evaluation, or of any folder with scores.csv and dataset.yaml.

    Parameters are those of the project; there are none (an empty mapping) where the folder is no project's.
    """
    scores = next(path for path in (Path(name) / "scores.csv", Path(name) / SCORES) if path.is_file()).resolve()
    beside, project = (
        scores.with_name(NAME),
        scores.parents[2] if scores.parts[-3:] == tuple(SCORES.split("/")) else None,
    )
    described = beside if beside.is_file() or project is None else project / DATASET
    dataset = validate(Dataset, read_yaml(described) or {}, described)
    settings = project / PARAMS if project else None
    params = flatten(read_yaml(settings) or {}) if settings and settings.is_file() else {}
    return Run(name, params, dataset, _rows(read_text(scores), name))


def _read_revision(name: str) -> Run:
    params = _params(name)
    dataset = validate(Dataset, parse_yaml(dvc.api.read(DATASET, rev=name), Path(DATASET)), Path(DATASET))
    return Run(name, params, dataset, _rows(dvc.api.read(SCORES, rev=name), name))


def _rows(text: str, name: str) -> list[dict[str, str]]:
    try:
        return list(csv.DictReader(StringIO(text, newline=""), restval=""))
    except csv.Error as error:
        raise UserError(f"{name}: scores.csv cannot be read: {error}") from None


def with_other_seeds(name: str) -> tuple[list[Run], list[str]]:
    """The named run, then those among HEAD and its experiments that differ from it in the seed alone.

    Of several with one seed only the first. Returned too are the names of those without scores at hand, left out. A
    folder is taken alone.
    """
    runs = read_runs([name])
    without: list[str] = []
    if is_folder(name):
        return runs, without
    for other, params in _derived(["HEAD"]).items():
        keys = [scoring_changes([run.params, params]) for run in runs]
        if all(found == [SEED] for found in keys):
            try:
                runs.append(_read_revision(other))
            except UNREADABLE:
                without.append(other)
    return runs, without


def _derived(others: Sequence[str] = ()) -> dict[str, Mapping[str, Any]]:
    """Name → parameters of `others` and the experiments derived from HEAD."""
    try:
        with Repo() as repo:
            found = [name for experiments in repo.experiments.ls().values() for name, _ in experiments]
        return {name: _params(name) for name in [*others, *found]}
    except DvcException as error:
        raise UserError(str(error)) from None


def _only_sweep() -> list[str]:
    params = _derived()
    found = find_sweeps(params)
    if not found:
        raise UserError(
            f"no sweep of folds or seeds among the {len(params)} experiment(s) derived from HEAD; name some, or run\n"
            "  dvc exp run --queue -S split.folds=5 -S 'split.fold=range(0,5)' && dvc queue start"
        )
    if len(found) > 1:
        lines = [f"python -m tools.summarize {' '.join(sorted(sweep))}" for sweep in found]
        raise UserError(f"there are {len(found)} sweeps; choose one\n{listing(lines)}")
    return found[0]


def _params(name: str) -> dict[str, Any]:
    return flatten(dvc.api.params_show(PARAMS, rev=name))
