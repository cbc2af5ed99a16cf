"""Where a run's files come from, and whether they belong together: by dvc.lock, Git and the installed packages."""

import hashlib
import json
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from src.errors import UserError, listing
from src.files import read_yaml

LOCK = "dvc.lock"
STAGES = ("prepare", "split", "train", "evaluate")  # whose files a card tells of
PACKAGES = ("tensorflow", "keras", "numpy", "opencv-python-headless", "scikit-learn", "scipy", "h5py", "dvc")
NOT_READ = ("data/contact-sheet.png", "plots/")  # outs that it tells nothing of
Stages = Mapping[str, Mapping[str, Any]]


def read_stages(root: Path) -> Stages:
    """What dvc.lock says of `STAGES`; `UserError` if one is not there."""
    path = root / LOCK
    stages = (read_yaml(path) or {}).get("stages", {}) if path.exists() else {}
    if missing := [name for name in STAGES if name not in stages]:
        raise UserError(f"{path}: no run of stage {', '.join(missing)}: run dvc repro")
    return {name: stages[name] for name in STAGES}


def parameters(stages: Stages) -> dict[str, Any]:
    """The settings that the stages ran with: `train` → a section, or `data.source` → its value."""
    return {key: value for stage in stages.values() for key, value in stage.get("params", {})["params.yaml"].items()}


def hash_in(stages: Stages, path: str) -> str:
    """The MD5 that dvc.lock has of a file or folder, read or written by any stage; "" if it has none."""
    entries = [entry for stage in stages.values() for kind in ("deps", "outs") for entry in stage.get(kind, [])]
    return next((entry["md5"] for entry in entries if Path(entry["path"]) == Path(path)), "")


def require_same_run(root: Path, stages: Stages) -> None:
    """`UserError` lists every file that is not the one its stage wrote, and every stage that read another."""
    if problems := [*_other_files(root, stages), *_other_inputs(stages)]:
        raise UserError(f"these files do not belong together: run dvc repro\n{listing(problems)}")


def _other_files(root: Path, stages: Stages) -> Iterator[str]:
    for path, (stage, md5) in _written(stages).items():
        found = hash_of(root / path)
        if found != md5:
            yield f"{path}: {'not the one that' if found else 'missing;'} stage {stage} wrote{'' if found else ' it'}"


def _other_inputs(stages: Stages) -> Iterator[str]:
    written = _written(stages)
    for name, stage in stages.items():
        for entry in stage.get("deps", []):
            maker, md5 = written.get(entry["path"], ("", entry["md5"]))
            if entry["md5"] != md5:
                yield f"{entry['path']}: stage {name} read another than stage {maker} wrote"


def _written(stages: Stages) -> dict[str, tuple[str, str]]:
    """Path → the stage that wrote it, and its MD5."""
    outs = [(entry, name) for name, stage in stages.items() for entry in stage.get("outs", [])]
    return {entry["path"]: (name, entry["md5"]) for entry, name in outs if not entry["path"].startswith(NOT_READ)}


def changed_since(root: Path, stages: Stages) -> list[str]:
    """The code of the stages that is not as it was when they ran, and the settings."""
    deps = {entry["path"]: entry["md5"] for stage in stages.values() for entry in stage.get("deps", [])}
    code = [path for path, md5 in deps.items() if path.endswith(".py") and hash_of(root / path) != md5]
    now = read_yaml(root / "params.yaml") or {}
    settings = [key for key, value in parameters(stages).items() if _value(now, key) != value]
    return [*sorted(code), *(f"params.yaml: {key}" for key in settings)]


def _value(content: Any, key: str) -> Any:
    for part in key.split("."):
        content = content.get(part) if isinstance(content, dict) else None
    return content


def hash_of(path: Path) -> str:
    """The MD5 of a file, or of a folder as DVC makes it: of the list of its files' own; "" if there is nothing.

    What stages write has no hidden files; those that a file manager leaves behind do not count, see .dvcignore.
    """
    if path.is_dir():
        files = sorted((file.relative_to(path).as_posix(), file) for file in path.rglob("[!.]*") if file.is_file())
        rows = [{"md5": hash_of(file), "relpath": name} for name, file in files]
        return f"{hashlib.md5(json.dumps(rows, sort_keys=True).encode()).hexdigest()}.dir"
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def revision(root: Path, but: Path) -> tuple[str, list[str]]:
    """Git's commit, "" if there is none, and the files that it does not hold as they are here, all but `but`."""
    commit = _git(root, "rev-parse", "--verify", "HEAD").strip()
    if not commit:
        return "", []
    status = _git(root, "status", "--porcelain", "--no-renames", "-z")
    changed = [entry[3:] for entry in status.split("\0") if entry]
    return commit, [name for name in changed if (root / name).resolve() != but.resolve()]


def _git(root: Path, *command: str) -> str:
    """What Git answers; nothing if it refuses, or is not there."""
    try:
        return subprocess.run(["git", *command], cwd=root, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def versions(names: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Python and packages → their versions here; those that are not installed are left out."""
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
