"""Read runs from a folder, or from a revision or an experiment of DVC without checking it out."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path, PurePosixPath

import dvc.api
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc_data.index.index import DataIndexDirError

from src.data.source.dataset import NAME, Dataset
from src.errors import UserError, listing
from src.evaluation.comparison.runs import SEED, Parameters, Run, find_sweeps, scoring_changes
from src.files import flatten, parse_yaml, read_text, read_yaml
from src.section import validate

UNREADABLE = (DvcException, DataIndexDirError, OSError, UnicodeDecodeError)


@dataclass(frozen=True)
class ExperimentFiles:
    """Where a project keeps the files of a run, as paths relative to it; revisions are read at the same paths.

    Attributes:
        scores: The table of scores, scores.csv.
        dataset: The resolved dataset.yaml.
        params: The parameters, params.yaml.
    """

    scores: PurePosixPath
    dataset: PurePosixPath
    params: PurePosixPath


def read_runs(names: Sequence[str], files: ExperimentFiles) -> list[Run]:
    """Read runs by name.

    Args:
        names: Folders that hold scores.csv themselves or at `files.scores`, Git revisions, or experiments. If empty,
            the only sweep among the experiments derived from HEAD is read.
        files: Where runs keep their files.

    Raises:
        UserError: Runs are unknown or have no scores, or there is not exactly one sweep. The message lists them.
    """
    runs, problems = [], []
    for name in names or _only_sweep(files):
        try:
            runs.append(read_folder(name, files) if is_folder(name, files) else read_revision(name, files))
        except UNREADABLE as error:
            problems.append(f"{name}: {error}")
    if problems:
        raise UserError(
            "no scores of these runs are available here; `dvc exp list` shows the experiments, `dvc exp pull REMOTE "
            "NAME` or `dvc pull` fetches them, and a folder must hold scores.csv or "
            f"{files.scores}\n{listing(problems)}"
        )
    return runs


def is_folder(name: str, files: ExperimentFiles) -> bool:
    """Return whether a name is that of a folder with scores; a revision of the same name is then not read.

    Args:
        name: The name of a run.
        files: Where runs keep their files.
    """
    return bool(name) and any((Path(name) / path).is_file() for path in ("scores.csv", files.scores))


def read_folder(name: str, files: ExperimentFiles) -> Run:
    """Read a run from a project, from its folder with the scores, or from any folder with scores.csv and dataset.yaml.

    Args:
        name: The folder.
        files: Where runs keep their files.

    Returns:
        The run. Its parameters are those of the project, or empty if the folder does not belong to a project.
    """
    scores = next(path for path in (Path(name) / "scores.csv", Path(name) / files.scores) if path.is_file()).resolve()
    depth = len(files.scores.parts)
    project = scores.parents[depth - 1] if scores.parts[-depth:] == files.scores.parts else None
    described = scores.with_name(NAME)
    if not described.is_file() and project:
        described = project / files.dataset
    dataset = validate(Dataset, read_yaml(described) or {}, described)
    settings = project / files.params if project else None
    params = flatten(read_yaml(settings) or {}) if settings and settings.is_file() else {}
    return Run(name, params, dataset, _rows(read_text(scores), name))


def read_revision(name: str, files: ExperimentFiles, revision: str = "") -> Run:
    """Read a run from a Git revision or an experiment, from DVC's cache or its remote storage.

    Args:
        name: The name of the run.
        files: Where runs keep their files.
        revision: The commit, if the name is not enough to find it.

    Raises:
        UserError: A file is not valid.
        Exception: One of `UNREADABLE`: the revision is unknown, or its files are not available here.
    """
    with Repo.open(None, rev=revision or name) as repo:  # once for all three files: opening takes most of the time
        params, described, scores = (
            repo.dvcfs.read_text(str(path), encoding="utf-8") for path in (files.params, files.dataset, files.scores)
        )
    dataset = validate(Dataset, parse_yaml(described, Path(files.dataset)), Path(files.dataset))
    return Run(name, flatten(parse_yaml(params, Path(files.params)) or {}), dataset, _rows(scores, name))


def _rows(text: str, name: str) -> list[dict[str, str]]:
    try:
        return list(csv.DictReader(StringIO(text, newline=""), restval=""))
    except csv.Error as error:
        raise UserError(f"{name}: scores.csv cannot be read: {error}") from None


def with_other_seeds(name: str, files: ExperimentFiles) -> tuple[list[Run], list[str]]:
    """Read a run, and those among HEAD and its experiments that differ from it in the seed alone.

    Args:
        name: The name of the run. No other runs are read with a folder.
        files: Where runs keep their files.

    Returns:
        The runs, one for each seed, the named one first; and the names of runs that were left out since their scores
        are not available here.
    """
    runs = read_runs([name], files)
    without: list[str] = []
    if is_folder(name, files):
        return runs, without
    for other, params in _derived(files, ["HEAD"]).items():
        keys = [scoring_changes([run.params, params]) for run in runs]
        if all(found == [SEED] for found in keys):
            try:
                runs.append(read_revision(other, files))
            except UNREADABLE:
                without.append(other)
    return runs, without


def experiment_revisions(repo: Repo) -> dict[str, str]:
    """Return name → commit of the experiments that are derived from HEAD.

    Args:
        repo: The project.
    """
    return {name: revision for found in repo.experiments.ls().values() for name, revision in found}


def _derived(files: ExperimentFiles, others: Sequence[str] = ()) -> Mapping[str, Parameters]:
    """Name → parameters of `others` and of the experiments derived from HEAD."""
    try:
        with Repo() as repo:
            found = experiment_revisions(repo)
        return {name: _params(name, files) for name in [*others, *found]}
    except DvcException as error:
        raise UserError(str(error)) from None


def _only_sweep(files: ExperimentFiles) -> list[str]:
    params = _derived(files)
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


def _params(name: str, files: ExperimentFiles) -> Parameters:
    return flatten(dvc.api.params_show(str(files.params), rev=name))
