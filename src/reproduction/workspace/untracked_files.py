"""Files of a data set that experiments in a copy of the project (`dvc exp run --temp`, `--queue`) would not find.

Such a copy holds the files in Git's index, with their uncommitted changes, and the outputs of the .dvc files and
pipelines in the index. Nothing else is copied. If a whole folder is missing, DVC stops and names it; if a part of a
folder is missing, DVC does not notice.
"""

import math
import os
import shlex
import subprocess
from pathlib import Path

from src.data.source.links import files_below
from src.errors import UserError, listing, printable

COMMIT = 'git commit -m "My data"'
COPIES = "experiments in a copy (--temp, --queue)"


def warn_of_untracked(source: str) -> None:
    """Print which files of the data set copies of this project would not find, and the commands that help."""
    if files := untracked_files(source, Path.cwd()):
        print(f"note: {_words(source, files, Path.cwd())}")


def stop_in_incomplete_copy(source: str) -> None:
    """Refuse to run in a copy of the project that lacks files of the data set.

    Every stage calls this, not prepare alone: DVC skips prepare in a copy, or restores it from its run cache, where the
    copy's files are those of an earlier run. DVC tells a stage by DVC_ROOT which project it runs for. Files that were
    added after the copy was made are no part of its experiment, so they do not stop it.

    Raises:
        UserError: Neither Git nor DVC knows these files, so the copy lacks them.
    """
    project = Path(os.environ.get("DVC_ROOT", ".")).resolve()
    if project == Path.cwd():
        return
    made = Path("dvc.yaml").stat().st_ctime if Path("dvc.yaml").exists() else math.inf
    folder = project / os.path.normpath(source)
    files = [name for name in untracked_files(source, project) if not (Path(source) / name).exists()]
    if any((folder / name).lstat().st_ctime <= made for name in files):
        raise UserError(_words(source, files, project))


def untracked_files(source: str, project: Path) -> list[str]:
    """Find the files of a data set that neither Git nor DVC tracks.

    Args:
        source: Folder of the data set, relative to the project or absolute.
        project: Folder of the project, a path without links.

    Returns:
        Paths below `source`, sorted. The list is empty if the project is not a DVC project in a Git repository, and if
        `source` is an absolute path, since copies read it where it is.
    """
    from dvc.exceptions import DvcException  # imported late: it takes half a second, and most runs are not in a copy
    from dvc.repo import Repo

    folder = project / os.path.normpath(source)
    if Path(source).is_absolute() or not folder.is_dir():
        return []
    try:
        indexed = {str(project / name) for name in _indexed(project)}
        with Repo(str(project)) as repo:
            known = indexed | {out.fs_path for out in repo.index.outs if out.stage.path in indexed}
    except (DvcException, OSError, subprocess.CalledProcessError):
        return []
    behind = [path for path in _files(folder) if not any(str(place) in known for place in (path, *path.parents))]
    return [path.relative_to(folder).as_posix() for path in behind]


def _words(source: str, files: list[str], project: Path) -> str:
    """Which files copies lack, and the commands that help."""
    name = os.path.normpath(source)
    folder, quoted = project / name, shlex.quote(name)
    if Path(name).parts[0] == os.pardir:
        return f"{name} differs in {COPIES}: write its full path into params.yaml: source: {folder.resolve()}"
    total = len(_files(folder))
    if len(files) < total:
        few = f"{len(files)} of the {total} files in {name} are known to neither Git nor DVC: {COPIES} lack them"
        return f"{few}\n{listing(map(printable, files))}\n`git add` or `dvc add` them, then {COMMIT}"
    added, rules = [f"{name}.dvc"], Path(name).with_name(".gitignore")
    if (project / rules).exists() or not _is_ignored(project, name):  # dvc add writes one unless Git ignores the folder
        added.append(str(rules))
    lines = [f"{name} is known to neither Git nor DVC: {COPIES} do not find it"]
    lines += [f"  dvc add {quoted} && git add {shlex.join(added)} && {COMMIT}"]
    return "\n".join([*lines, f"or, each time: dvc exp run -C {quoted} …"])


def _files(folder: Path) -> list[Path]:
    return [path for path, _ in files_below(folder, folder.resolve())]


def _indexed(project: Path) -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=project, capture_output=True, check=True).stdout
    return [os.fsdecode(name) for name in listed.split(b"\0") if name]


def _is_ignored(project: Path, name: str) -> bool:
    return subprocess.run(["git", "check-ignore", "-q", name], cwd=project).returncode == 0
