"""Read all runs of a project: the commit, the experiments derived from it, and the workspace."""

from collections.abc import Iterator
from dataclasses import dataclass

from dvc.exceptions import DvcException
from dvc.repo import Repo

from src.errors import UserError
from src.evaluation.comparison.runs import Run
from src.progress import progress
from src.reproduction.history.experiments import (
    UNREADABLE,
    ExperimentFiles,
    experiment_revisions,
    is_folder,
    read_folder,
    read_revision,
)

HEAD, WORKSPACE = "HEAD", "."
UNFINISHED = {  # state in DVC's queue → what to do
    "failed": "failed; dvc queue logs {name} shows why",
    "queued": "waits in the queue; dvc queue start runs it",
    "running": "is still running",
}


@dataclass(frozen=True)
class AllRuns:
    """The runs of a project.

    Attributes:
        runs: Those with scores: HEAD, its experiments, and the workspace if its scores are others.
        left_out: Name → reason, for those without.
    """

    runs: list[Run]
    left_out: dict[str, str]


def read_all_runs(files: ExperimentFiles) -> AllRuns:
    """Read HEAD, the experiments derived from it, and the workspace in the current directory.

    Args:
        files: Where runs keep their files.

    Raises:
        UserError: This is not a project of Git and DVC.
    """
    try:
        with Repo() as repo:
            revisions = {HEAD: HEAD} | experiment_revisions(repo)
            left_out = {name: why for name, why in _unfinished(repo) if name not in revisions}
    except DvcException as error:
        raise UserError(str(error)) from None
    runs: list[Run] = []
    for name, revision in progress(revisions.items(), len(revisions), "reading runs"):
        try:
            runs.append(read_revision(name, files, revision))
        except (UserError, *UNREADABLE) as error:
            left_out[name] = f"its scores cannot be read here: {str(error).partition(chr(10))[0]}"
    if is_folder(WORKSPACE, files):
        _add_workspace(files, runs, left_out)
    return AllRuns(runs, left_out)


def _unfinished(repo: Repo) -> Iterator[tuple[str, str]]:
    """Name and state of the experiments of HEAD in DVC's queue that have not ended well."""
    queue, head = repo.experiments.celery_queue, repo.scm.get_rev()
    entries = [(done.entry, "failed") for done in queue.iter_failed()]
    entries += [(entry, "queued") for entry in queue.iter_queued()]
    entries += [(entry, "running") for entry in queue.iter_active()]
    for entry, state in entries:
        if entry.baseline_rev == head:
            name = entry.name or entry.stash_rev[:7]
            yield name, UNFINISHED[state].format(name=name)


def _add_workspace(files: ExperimentFiles, runs: list[Run], left_out: dict[str, str]) -> None:
    try:
        workspace = read_folder(WORKSPACE, files)
    except UserError as error:
        left_out[WORKSPACE] = str(error).partition("\n")[0]
        return
    if same := [run.name for run in runs if run.rows == workspace.rows]:
        left_out[WORKSPACE] = f"the workspace holds the scores of {same[0]}"
    else:
        runs.append(workspace)
