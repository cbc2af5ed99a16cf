"""Where a run's files come from, and whether they belong to one run: by dvc.lock, Git and the installed packages."""

import hashlib
import json
import platform
import subprocess
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from src.errors import UserError, listing
from src.files import read_yaml
from src.reproduction.history.lock import LOCK, Lock, hashes, read_lock

STAGES = ("prepare", "split", "train", "evaluate")  # stages whose files a model card describes
PACKAGES = ("tensorflow", "keras", "numpy", "opencv-python-headless", "scikit-learn", "scipy", "h5py", "dvc")
NOT_READ = ("data/contact-sheet.png", "plots/")  # outputs that a model card does not describe
CODE = ("src/", "stages/")
IGNORED = {"__pycache__", "Thumbs.db"}  # as in .dvcignore


def read_stages(root: Path) -> Lock:
    """Return the entries of `STAGES` in dvc.lock.

    Raises:
        UserError: A stage has no entry.
    """
    lock = read_lock(root)
    if missing := [name for name in STAGES if name not in lock]:
        raise UserError(f"{root / LOCK}: no run of stage {', '.join(missing)}: run dvc repro")
    return {name: lock[name] for name in STAGES}


def parameters(stages: Lock) -> dict[str, Any]:  # Any: values of params.yaml
    """Return the settings that the stages ran with: `train` → a section, or `data.source` → its value."""
    return {key: value for entry in stages.values() for key, value in entry.get("params", {})["params.yaml"].items()}


def hash_in(stages: Lock, path: str) -> str:
    """Return the hash of a file or folder that a stage read or wrote.

    Args:
        stages: Entries of dvc.lock.
        path: Path relative to the project.

    Returns:
        The MD5; "" if no stage read or wrote it.
    """
    files = [file for entry in stages.values() for kind in ("deps", "outs") for file in hashes(entry, kind).items()]
    return next((md5 for name, md5 in files if Path(name) == Path(path)), "")


def require_same_run(root: Path, stages: Lock) -> None:
    """Check that the files of a project are those that its stages wrote, each from the others' output.

    Args:
        root: Folder of the project.
        stages: Entries of its dvc.lock.

    Raises:
        UserError: The message lists every file that differs, and every stage that read another file than was written.
    """
    if problems := [*_other_files(root, stages), *_other_inputs(stages)]:
        raise UserError(f"these files do not belong together: run dvc repro\n{listing(problems)}")


def _other_files(root: Path, stages: Lock) -> Iterator[str]:
    for path, (stage, md5) in _written(stages).items():
        found = hash_of(root / path)
        if found != md5:
            yield f"{path}: {'not the one that' if found else 'missing;'} stage {stage} wrote{'' if found else ' it'}"


def _other_inputs(stages: Lock) -> Iterator[str]:
    written = _written(stages)
    for name, entry in stages.items():
        for path, md5 in hashes(entry, "deps").items():
            maker, wrote = written.get(path, ("", md5))
            if md5 != wrote:
                yield f"{path}: stage {name} read a different version than stage {maker} wrote"


def _written(stages: Lock) -> dict[str, tuple[str, str]]:
    """Path → the stage that wrote it, and its hash."""
    outs = [(path, (name, md5)) for name, entry in stages.items() for path, md5 in hashes(entry, "outs").items()]
    return {path: origin for path, origin in outs if not path.startswith(NOT_READ)}


def changed_since(root: Path, stages: Lock) -> list[str]:
    """Return the code and the settings of the stages that have changed since they ran.

    Args:
        root: Folder of the project.
        stages: Entries of its dvc.lock.
    """
    deps = {path: md5 for entry in stages.values() for path, md5 in hashes(entry, "deps").items()}
    code = [path for path, md5 in deps.items() if path.startswith(CODE) and hash_of(root / path) != md5]
    now = read_yaml(root / "params.yaml") or {}
    settings = [key for key, value in parameters(stages).items() if _value(now, key) != value]
    return [*sorted(code), *(f"params.yaml: {key}" for key in settings)]


def _value(content: object, key: str) -> object:
    for part in key.split("."):
        content = content.get(part) if isinstance(content, dict) else None
    return content


def hash_of(path: Path) -> str:
    """Return the MD5 of a file, or of a folder as DVC computes it; "" if there is nothing.

    A folder's hash is that of the list of its files with their hashes. Hidden files and the names in `IGNORED` do not
    count: .dvcignore excludes them.
    """
    if path.is_dir():
        files = sorted((file.relative_to(path).as_posix(), file) for file in path.rglob("[!.]*") if file.is_file())
        counted = [(name, file) for name, file in files if not IGNORED & set(Path(name).parts)]
        rows = [{"md5": hash_of(file), "relpath": name} for name, file in counted]
        return f"{hashlib.md5(json.dumps(rows, sort_keys=True).encode()).hexdigest()}.dir"
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def revision(root: Path, but: Path) -> tuple[str, list[str]]:
    """Return the commit, and the files that differ from it.

    Args:
        root: Folder of the project.
        but: A file that is left out.

    Returns:
        The commit's hash, and paths of changed and untracked files; "" and none if Git has no commit or is missing.
    """
    commit = _git(root, "rev-parse", "--verify", "HEAD").strip()
    if not commit:
        return "", []
    return commit, [name for name in _changed(root) if (root / name).resolve() != but.resolve()]


def tracked_changes(root: Path) -> list[str]:
    """Return the files that Git tracks and that differ from the commit; none if Git is missing.

    Args:
        root: Folder of the project.
    """
    return _changed(root, "--untracked-files=no")


def _changed(root: Path, *options: str) -> list[str]:
    status = _git(root, "status", "--porcelain", "--no-renames", "-z", *options)
    return [entry[3:] for entry in status.split("\0") if entry]


def _git(root: Path, *command: str) -> str:
    """The output of a Git command; empty if it fails or Git is missing."""
    try:
        return subprocess.run(["git", *command], cwd=root, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def versions(names: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Return the installed versions of Python and of packages; packages that are not installed are left out."""
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
