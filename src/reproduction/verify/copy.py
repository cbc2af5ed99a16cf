"""A revision in a folder of its own, outside the repository, and the run in it that no cache and no checkpoint answers.

The repository is read alone: the copy has its own clone, index, cache, state and checkpoints, and goes with its folder.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.scm import resolve_rev

from src.errors import UserError

CACHE = "cache-of-the-project"  # what the copy calls the repository's cache: one of its remotes, only read
FORCED = ("repro", "--force", "--no-run-cache", "--no-commit")
PATIENCE = 10.0  # seconds for killed processes to be gone


def git(*arguments: str, at: Path = Path()) -> str:
    """What a Git command prints; `UserError` with its complaint. Takes no lock that it can do without."""
    command = ["git", "--no-optional-locks", "-C", str(at), *arguments]
    found = subprocess.run(command, capture_output=True, text=True, env=None if at == Path() else _environment())
    if found.returncode:
        raise UserError(f"git {arguments[0]}: {found.stderr.strip()}")
    return found.stdout.strip()


def commit_of(name: str) -> str:
    """The commit that a revision or an experiment's name stands for; `UserError` if there is none."""
    remedy = "name a branch, a tag, a commit or an experiment (git log and dvc exp list show them)"
    git("rev-parse", "--show-toplevel")
    try:
        with Repo() as repo:
            return git("rev-parse", "--verify", "--quiet", f"{resolve_rev(repo.scm, name)}^{{commit}}")
    except DvcException as error:
        raise UserError(f"{name}: {error}; {remedy}") from None
    except UserError:
        raise UserError(f"{name}: no commit; {remedy}") from None


def has_uncommitted_changes() -> bool:
    """Whether files that Git tracks differ from HEAD."""
    return bool(git("status", "--porcelain", "--untracked-files=no"))


@contextmanager
def isolated_copy(commit: str) -> Iterator[Path]:
    """The project at this commit in a temporary folder (TMPDIR), which is removed whatever happens inside."""
    top, prefix = Path(git("rev-parse", "--show-toplevel")), git("rev-parse", "--show-prefix")
    if Path(tempfile.gettempdir()).resolve().is_relative_to(top.resolve()):  # checkpoints may be found from there
        raise UserError(f"TMPDIR={tempfile.gettempdir()} lies in the repository: set it to a folder outside")
    with tempfile.TemporaryDirectory(prefix="verify-") as folder:
        copy = Path(folder).resolve() / "copy"
        git("clone", "--quiet", "--shared", "--no-checkout", str(top.resolve()), str(copy), at=Path(folder))
        git("checkout", "--quiet", "--detach", commit, at=copy)
        project = copy / prefix
        for name in (".dvc", "dvc.yaml", "dvc.lock"):
            if not (project / name).exists():
                raise UserError(f"{name}: not in Git at this revision, so there is nothing to compare a run with")
        try:
            _set_apart(project)
        except DvcException as error:
            raise UserError(f"the copy cannot be set up: {error}") from None
        yield project


def _set_apart(project: Path) -> None:
    """Give the copy a cache and a state of its own, and the repository's remotes, its cache as one more."""
    with Repo() as repo:
        remotes, default = dict(repo.config["remote"]), repo.config["core"].get("remote")
        cache = repo.cache.local_cache_dir
    own: dict[str, Any] = {"core": {"site_cache_dir": str(project / ".dvc/tmp/site")}}
    own["core"] |= {"remote": default} if default else {}
    own["cache"] = {"dir": str(project / ".dvc/cache"), "type": "reflink,hardlink,copy"}  # data is there once
    own["remote"] = remotes | {CACHE: {"url": str(cache)}}
    with Repo(project) as copy, copy.config.edit("local") as config:
        config.update(own)


def reproduce(project: Path) -> int:
    """Run every stage again, visibly; returns DVC's exit status. Nothing that was started outlives this call.

    Stages run in the environment of this Python.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    command = [sys.executable, "-m", "dvc", *FORCED]
    environment = _environment() | {"PATH": path}
    with _hanging_up_is_heard():
        # In a session of its own, since DVC passes neither Ctrl-C nor a termination on to its stage.
        process = subprocess.Popen(
            command, cwd=project, env=environment, stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            return process.wait()
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and all that it started: nothing of theirs is to be kept."""
    until = time.monotonic() + PATIENCE
    with suppress(ProcessLookupError):
        while time.monotonic() < until:
            os.killpg(process.pid, signal.SIGKILL)
            process.poll()
            time.sleep(0.02)


@contextmanager
def _hanging_up_is_heard() -> Iterator[None]:
    """Inside, a closed terminal ends this process as SIGTERM does, unless it is not to (nohup)."""
    before = signal.getsignal(signal.SIGHUP)
    if before is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, lambda *_: sys.exit("verify: hung up"))
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def _environment() -> dict[str, str]:
    """That of this process without what points Git at its repository, as in a hook of Git."""
    pointing = subprocess.run(["git", "rev-parse", "--local-env-vars"], capture_output=True, text=True, check=True)
    return {name: value for name, value in os.environ.items() if name not in pointing.stdout.split()}
