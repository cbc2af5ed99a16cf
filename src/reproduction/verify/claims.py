"""Check a revision before anything is run: its dvc.lock against the files of the commit."""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dvc.dependency import Dependency, ParamsDependency
from dvc.exceptions import DvcException
from dvc.output import Output
from dvc.repo import Repo
from dvc.stage import PipelineStage

from src.errors import UserError
from src.files import read_json
from src.reproduction.history.lock import LOCK, STALE, Lock, read_lock
from src.reproduction.verify.copy import CACHE

TRAIN = "metrics/train.json"


@dataclass(frozen=True)
class MissingData:
    """Data that DVC tracks and that cannot be had.

    Attributes:
        out: The file or folder.
        problem: What is wrong and what helps, in words.
    """

    out: Output
    problem: str


def check_revision(project: Path, committed: Sequence[str]) -> tuple[list[str], list[str]]:
    """Check the copy of a revision. Data that stages read and DVC tracks is fetched first.

    Args:
        project: The copy.
        committed: Files that must be in Git.

    Returns:
        The names of the stages in dvc.yaml in their order, and everything that is wrong, in words.

    Raises:
        UserError: DVC cannot read the revision.
    """
    try:
        with Repo(project) as repo:
            pipeline = [stage for stage in repo.stage.load_all(str(project / "dvc.yaml")) if stage.cmd]
            missing = _fetch(repo, pipeline)
            problems = list(_problems(pipeline, read_lock(project), missing))
        absent = [name for name in committed if not (project / name).exists()]
        problems += [f"{name}: not in Git at this revision, so it cannot be compared → git add it" for name in absent]
        return [stage.name for stage in pipeline], list(dict.fromkeys(problems))
    except DvcException as error:
        raise UserError(f"DVC cannot read the revision: {error}") from None


def shortened_otherwise(project: Path, other_hardware: bool) -> list[str]:
    """State what shortened the training if a second run would not do the same.

    tools.finish is not repeated. train.patience depends on validation scores, which differ on other hardware.

    Args:
        project: The copy of the revision.
        other_hardware: Whether the revision was made on other hardware.

    Returns:
        What is wrong, in words; empty if nothing is.
    """
    try:
        train = read_json(project / TRAIN)
    except (OSError, ValueError):
        return []
    by = train.get("shortened_by") if isinstance(train, dict) else None
    if by != "tools.finish" and not (by == "train.patience" and other_hardware):
        return []
    remedy = (
        f"set train.finish_after: {train.get('shortened_after')}, which gives the same weights; run dvc repro, commit"
    )
    return [f"{TRAIN}: the training was shortened by {by}, which a second run does not repeat exactly → {remedy}"]


def _fetch(repo: Repo, pipeline: Sequence[PipelineStage]) -> list[MissingData]:
    """Fetch the data that `.dvc` files stand for and the pipeline reads, from the cache, else from remotes.

    Returns what is in neither.
    """
    deps = [dep for stage in pipeline for dep in stage.deps]
    tracked = [out for stage in repo.index.stages if not stage.cmd for out in stage.outs if _overlaps(out, deps)]
    errors: dict[str, str] = {}
    for remote in (CACHE, None):
        # A file that the cache lacks is not worth a warning: the remotes may have it.
        logging.disable(logging.WARNING if remote else logging.NOTSET)
        for file in dict.fromkeys(out.stage.path for out in tracked if not out.exists):
            try:
                repo.fetch([file], remote=remote)
            except (DvcException, OSError) as error:  # a remote that does not answer
                errors[file] = f" ({(str(error) or type(error).__name__).splitlines()[0]})"
            with suppress(DvcException):
                repo.checkout([file], force=True)
    return [
        MissingData(out, _missing(out, errors.get(out.stage.path, ""))) for out in tracked if out.workspace_status()
    ]


def _missing(out: Output, error: str) -> str:
    file = os.path.relpath(out.stage.path, out.repo.root_dir)
    remedy = f"run dvc push on the machine that has the data, or dvc pull {file} from a remote that has it"
    return f"{out}: the data of {file} is neither in the cache nor in a remote{error} → {remedy}"


def _overlaps(path: Output, others: Iterable[Output]) -> bool:
    """Return whether the path equals, contains or lies in one of the others."""
    return any(_within(path, other) or _within(other, path) for other in others)


def _within(inner: Output, outer: Output) -> bool:
    return Path(inner.fs_path).is_relative_to(outer.fs_path)


def _problems(pipeline: Sequence[PipelineStage], locked: Lock, missing: Sequence[MissingData]) -> Iterator[str]:
    made = {out.fs_path: out for stage in pipeline for out in stage.outs}
    yield from (data.problem for data in missing)
    for stage in pipeline:
        name = stage.name
        if name not in locked:
            yield f"{LOCK}: says nothing of stage {name} → {STALE}"
            continue
        if stage.cmd_changed:
            yield f"{LOCK}: the command of stage {name} is another one in dvc.yaml → {STALE}"
        for dep in stage.deps:
            if isinstance(dep, ParamsDependency):
                yield from _stale_params(name, dep)
            elif not _overlaps(dep, [data.out for data in missing]):
                yield from _stale_dep(name, dep, made)
        for out in stage.outs:
            yield from _stale_out(name, out)


def _stale_params(name: str, dep: ParamsDependency) -> Iterator[str]:
    for file, found in dep.workspace_status().items():
        keys = ", ".join(found) if isinstance(found, dict) else found
        yield f"{LOCK}: stage {name} ran with other parameters than {file} holds ({keys}) → {STALE}"


def _stale_dep(name: str, dep: Dependency, made: Mapping[str, Output]) -> Iterator[str]:
    if dep.fs_path in made:
        if dep.hash_info != made[dep.fs_path].hash_info:
            yield f"{LOCK}: stage {name} read another {dep} than stage {made[dep.fs_path].stage.name} wrote → {STALE}"
    elif _overlaps(dep, made.values()):
        return  # a part of what a stage writes: only the run shows it
    elif not dep.exists:
        remedy = f"dvc add {dep} (or git add it), commit, and verify that"
        yield f"{dep}: stage {name} reads it, and it is neither in Git nor in DVC at this revision → {remedy}"
    elif dep.changed_checksum():
        yield f"{LOCK}: stage {name} ran with another {dep} than this revision holds → {STALE}"


def _stale_out(name: str, out: Output) -> Iterator[str]:
    if not out.hash_info:
        yield f"{LOCK}: says nothing of {out}, which stage {name} writes → {STALE}"
    elif out.exists and out.changed_checksum():
        remedy = f"if the lock is right, dvc repro and commit {out}; if it is not, nothing shows where this is from"
        yield f"{out}: not the file that stage {name} wrote, by its hash in {LOCK} → {remedy}"
