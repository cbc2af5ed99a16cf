"""A copy of a revision outside the repository, and a run in it that no cache and no checkpoint shortens.

The repository is only read. The copy has its own clone, index, cache, state and checkpoints; all of it is removed with
its folder.
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

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.scm import resolve_rev

from src.errors import UserError

CACHE = "cache-of-the-project"  # the copy's name of the repository's cache, which is a read-only remote of the copy
FORCED = ("repro", "--force", "--no-run-cache", "--no-commit")
PATIENCE = 10.0  # seconds for killed processes to be gone


def git(*arguments: str, at: Path = Path()) -> str:
    """Run a Git command without taking optional locks.

    Args:
        arguments: The command and its arguments.
        at: The folder to run it in.

    Returns:
        What it prints.

    Raises:
        UserError: It fails; the message is Git's.
    """
    command = ["git", "--no-optional-locks", "-C", str(at), *arguments]
    found = subprocess.run(command, capture_output=True, text=True, env=None if at == Path() else _environment())
    if found.returncode:
        raise UserError(f"git {arguments[0]}: {found.stderr.strip()}")
    return found.stdout.strip()


def commit_of(name: str) -> str:
    """Return the commit of a revision or an experiment; `UserError` if there is none."""
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
    """Return whether files that Git tracks differ from HEAD."""
    return bool(git("status", "--porcelain", "--untracked-files=no"))


@contextmanager
def isolated_copy(commit: str) -> Iterator[Path]:
    """Copy the project at a commit to a temporary folder (TMPDIR), which is removed at the end.

    Yields:
        The folder of the project in the copy.

    Raises:
        UserError: TMPDIR lies in the repository, the commit holds no DVC project with a dvc.lock, or DVC cannot set up
            the copy.
    """
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
            _configure(project)
        except DvcException as error:
            raise UserError(f"the copy cannot be set up: {error}") from None
        yield project


def _configure(project: Path) -> None:
    """Give the copy its own cache and state, the repository's remotes, and the repository's cache as a remote."""
    with Repo() as repo:
        remotes, default = dict(repo.config["remote"]), repo.config["core"].get("remote")
        cache = repo.cache.local_cache_dir
    core = {"site_cache_dir": str(project / ".dvc/tmp/site")} | ({"remote": default} if default else {})
    local = {"dir": str(project / ".dvc/cache"), "type": "reflink,hardlink,copy"}  # so that data is stored once
    with Repo(project) as copy, copy.config.edit("local") as config:
        config.update({"core": core, "cache": local, "remote": remotes | {CACHE: {"url": str(cache)}}})


def reproduce(project: Path) -> int:
    """Run every stage again and show its output. No process outlives this call.

    Stages run in the environment of this Python. The result is DVC's exit status.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    command = [sys.executable, "-m", "dvc", *FORCED]
    environment = _environment() | {"PATH": path}
    with _exit_on_hangup():
        # In its own session, since DVC passes neither Ctrl-C nor a termination on to its stage.
        process = subprocess.Popen(
            command, cwd=project, env=environment, stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            return process.wait()
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and all processes that it started; nothing that they wrote is kept."""
    until = time.monotonic() + PATIENCE
    with suppress(ProcessLookupError):
        while time.monotonic() < until:
            os.killpg(process.pid, signal.SIGKILL)
            process.poll()
            time.sleep(0.02)


@contextmanager
def _exit_on_hangup() -> Iterator[None]:
    """Inside, a closed terminal ends this process like SIGTERM, unless SIGHUP is ignored (nohup)."""
    before = signal.getsignal(signal.SIGHUP)
    if before is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, lambda *_: sys.exit("verify: hung up"))
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def _environment() -> dict[str, str]:
    """The environment without the variables that point Git at a repository, as Git sets them for hooks."""
    pointing = subprocess.run(["git", "rev-parse", "--local-env-vars"], capture_output=True, text=True, check=True)
    return {name: value for name, value in os.environ.items() if name not in pointing.stdout.split()}
