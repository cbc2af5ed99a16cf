"""dvc.lock: the commands, parameters and hashes of files with which the stages last ran."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from src.errors import UserError
from src.files import read_yaml

LOCK = "dvc.lock"
STALE = "dvc repro, and commit dvc.lock with what else it changed"
Entry = Mapping[str, Any]  # Any: cmd is text; deps and outs are lists of objects, params nested objects
Lock = Mapping[str, Entry]  # stage → its entry


def read_lock(project: Path) -> Lock:
    """Return the entries of dvc.lock by stage; none if there is no dvc.lock.

    Raises:
        UserError: The file lists no stages.
    """
    path = project / LOCK
    if not path.exists():
        return {}
    content = read_yaml(path)
    if not isinstance(content, dict) or not isinstance(content.get("stages"), dict):
        raise UserError(f"{LOCK}: lists no stages → {STALE}")
    return dict(content["stages"])


def hashes(entry: Entry, kind: Literal["deps", "outs"]) -> dict[str, str]:
    """Return path → hash of the files and folders that a stage read or wrote; a folder's covers all that it holds.

    Args:
        entry: The stage's entry in dvc.lock.
        kind: "deps" for what it read, "outs" for what it wrote.
    """
    return {file["path"]: str(file.get("md5") or sorted(file.items(), key=str)) for file in entry.get(kind, [])}
