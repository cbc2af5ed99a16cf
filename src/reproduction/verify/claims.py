"""What a revision says of itself, before anything is run: dvc.lock beside the files of the commit."""

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from dvc.dependency import ParamsDependency
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage import PipelineStage

from src.errors import UserError
from src.files import parse_yaml, read_text
from src.reproduction.verify.copy import CACHE

LOCK = "dvc.lock"
STALE = "dvc repro, and commit dvc.lock with what else it changed"


def read_lock(project: Path) -> dict[str, Any]:
    """Stage → its cmd, deps, params and outs, as dvc.lock has them."""
    lock = parse_yaml(read_text(project / LOCK), Path(LOCK))
    if not isinstance(lock, dict) or not isinstance(lock.get("stages"), dict):
        raise UserError(f"{LOCK}: lists no stages; {STALE}")
    return lock["stages"]


def check_revision(project: Path, committed: Sequence[str]) -> tuple[list[str], list[str]]:
    """The stages of dvc.yaml in their order, and all that is wrong with the copy of a revision as it stands.

    What DVC tracks and stages read is brought there first. committed: files that must be in Git.
    """
    try:
        with Repo(project) as repo:
            pipeline = [stage for stage in repo.stage.load_all(str(project / "dvc.yaml")) if stage.cmd]
            missing = _bring(repo, pipeline)
            locked = read_lock(project)
            problems = list(_problems(pipeline, locked, missing))
        absent = [name for name in committed if not (project / name).exists()]
        problems += [f"{name}: not in Git at this revision, so it cannot be compared → git add it" for name in absent]
        return [stage.name for stage in pipeline], list(dict.fromkeys(problems))
    except DvcException as error:
        raise UserError(f"DVC cannot read the revision: {error}") from None


def _bring(repo: Any, pipeline: Sequence[PipelineStage]) -> list[tuple[Any, str]]:
    """Get what `.dvc` files stand for and the pipeline reads, from the repository's cache, else from its remotes.

    Returns what is in neither, and in words what is wrong with it.
    """
    deps = [dep for stage in pipeline for dep in stage.deps]
    tracked = [out for stage in repo.index.stages if not stage.cmd for out in stage.outs if _overlaps(out, deps)]
    said: dict[str, str] = {}
    for remote in (CACHE, None):
        logging.disable(logging.WARNING if remote else logging.NOTSET)  # of the cache: the remotes may have it
        for file in dict.fromkeys(out.stage.path for out in tracked if not out.exists):
            try:
                repo.fetch([file], remote=remote)
            except (DvcException, OSError) as error:  # a remote that does not answer
                said[file] = f" ({(str(error) or type(error).__name__).splitlines()[0]})"
            with suppress(DvcException):
                repo.checkout([file], force=True)
    return [(out, _missing(out, said.get(out.stage.path, ""))) for out in tracked if out.workspace_status()]


def _missing(out: Any, said: str) -> str:
    file = os.path.relpath(out.stage.path, out.repo.root_dir)
    remedy = f"dvc pull {file} where it can be had, or dvc push it from where it was made"
    return f"{out}: what {file} stands for is neither in the cache nor in a remote{said} → {remedy}"


def _overlaps(path: Any, others: Iterable[Any]) -> bool:
    """Whether one of them is it, holds it or lies in it."""
    return any(_within(path, other) or _within(other, path) for other in others)


def _within(inner: Any, outer: Any) -> bool:
    return Path(inner.fs_path).is_relative_to(outer.fs_path)


def _problems(pipeline: Sequence[Any], locked: dict[str, Any], missing: list[tuple[Any, str]]) -> Iterator[str]:
    made = {out.fs_path: out for stage in pipeline for out in stage.outs}
    yield from (wrong for _, wrong in missing)
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
            elif not _overlaps(dep, [out for out, _ in missing]):
                yield from _stale_dep(name, dep, made)
        for out in stage.outs:
            if not out.hash_info:
                yield f"{LOCK}: says nothing of {out}, which stage {name} writes → {STALE}"
            elif out.exists and out.changed_checksum():
                remedy = (
                    f"if the lock is right, dvc repro and commit {out}; if it is not, nothing shows where this is from"
                )
                yield f"{out}: not the file that stage {name} wrote, by its hash in {LOCK} → {remedy}"


def _stale_params(name: str, dep: ParamsDependency) -> Iterator[str]:
    for file, found in dep.workspace_status().items():
        keys = ", ".join(found) if isinstance(found, dict) else found
        yield f"{LOCK}: stage {name} ran with other parameters than {file} holds ({keys}) → {STALE}"


def _stale_dep(name: str, dep: Any, made: dict[str, Any]) -> Iterator[str]:
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
