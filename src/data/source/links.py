"""List the files below a folder, and decide which symbolic links among them are followed.

DVC follows linked files and a link at `data.source` itself, so it notices changes there. It does not follow a linked
folder inside the source: a mask that changes there would never be noticed. Such links are refused.
"""

import functools
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from src.errors import UserError, listing, printable

SYSTEM_FILES = {
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "__macosx",
}  # of Windows and macOS, besides hidden files
UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}  # control characters, bytes that are not UTF-8, line and paragraph ends


def files_below(folder: Path, root: Path) -> Iterator[tuple[Path, tuple[str, str] | None]]:
    """List the files below a folder in the order of names, without hidden and system files.

    Args:
        folder: The folder.
        root: The data set without links in its path, out of which links may not lead.

    Yields:
        Each file with its problem and the step that solves it, or None.
    """
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield folder, (f"cannot be opened: {error.strerror}", "check the folder and its rights")
        return
    for entry in entries:
        path = Path(entry.path)
        if entry.name.startswith(".") or entry.name.lower() in SYSTEM_FILES:
            continue
        if any(unicodedata.category(character) in UNPRINTABLE for character in entry.name):
            yield path, ("has a line break, a control character or no UTF-8 in its name", "rename it")
        elif entry.is_symlink():
            yield path, link_problem(path, root)
        elif entry.is_dir():
            yield from files_below(path, root)
        else:
            yield path, None if entry.is_file() else ("is not a regular file", "remove it")


def link_problem(path: Path, root: Path) -> tuple[str, str] | None:
    """Find out why a symbolic link is not followed.

    Links are followed to files in the data set, and to files in the cache of its DVC project (`dvc config cache.type
    symlink`).

    Args:
        path: The link.
        root: The data set without links in its path.

    Returns:
        The problem and the step that solves it; None for a link that is followed.
    """
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):  # a loop raises one or the other, depending on the version of Python
        setting = "remove it, or put the file itself there; for a link that DVC made, run dvc checkout"
        return "is a link that leads nowhere, or in a circle", setting
    if target.is_dir():
        setting = "put the files themselves there; only data.source itself may be a link to a folder"
        return "is a link to a folder, which is not followed", setting
    if not target.is_relative_to(root) and not _is_cached(target, root):
        return "is a link out of the folder", "put the file itself there"
    if not target.is_file():
        return "is a link to something that is not a regular file", "remove it"
    return None


def check_links(folder: Path, *parts: str) -> None:
    """Check that folders of a data set are not links, and that no link in it leads nowhere.

    If a link to dataset.yaml, a list or a table leads nowhere, the data set would seem to have no such file.

    Args:
        folder: The data set.
        *parts: Paths below `folder`. For masks/first, both masks and masks/first are checked.

    Raises:
        UserError: A folder is a link, or a link leads nowhere.
    """
    places = dict.fromkeys(place for part in parts for place in reversed([part, *map(str, Path(part).parents)][:-1]))
    linked = [folder / place for place in places if (folder / place).is_symlink() and (folder / place).is_dir()]
    if linked:
        raise UserError(_linked_folders(folder, linked))
    shown = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    broken = [path for path in shown if path.is_symlink() and not path.exists()]
    if broken:
        lines = listing(f"{printable(str(path))} → {printable(str(path.readlink()))}" for path in broken)
        raise UserError(f"{folder}: {len(broken)} link(s) lead nowhere; remove them, or put the files there\n{lines}")


def _linked_folders(folder: Path, linked: list[Path]) -> str:
    """The message: move everything into one real folder, and link to that if needed."""
    targets = [path.resolve() for path in linked]
    lines = listing(f"{path} → {target}" for path, target in zip(linked, targets, strict=True))
    real = targets[0].parent
    together = all(target == real / path.name for path, target in zip(linked, targets, strict=True))
    others = sorted(path.name for path in folder.iterdir() if path not in linked and not path.name.startswith("."))
    if not together:
        first, place = "move everything into one real folder, with images/ and masks/ in it; then ", "it"
    else:
        first, place = f"move {', '.join(map(printable, others))} there, too; then " if others else "", str(real)
    return (
        f"{folder}: {len(linked)} folder(s) in it are links. DVC does not follow them, so a changed file there "
        f"would never be noticed\n{lines}\n{first}set data.source to {place}, or let all of {folder} be a link to it"
    )


def _is_cached(target: Path, root: Path) -> bool:
    """Return whether the file lies in the cache of the DVC project that contains `root`."""
    project = next((place for place in (root, *root.parents) if (place / ".dvc").is_dir()), None)
    cache = project and _cache_of(project)
    return cache is not None and target.is_relative_to(cache)


@functools.cache
def _cache_of(project: Path) -> Path | None:
    """Folder of a DVC project's cache, without links; None if the project cannot be opened."""
    from dvc.exceptions import DvcException  # imported late: it takes half a second, and few data sets hold such links
    from dvc.repo import Repo

    try:
        with Repo(os.fspath(project)) as repo:
            return Path(repo.cache.local_cache_dir).resolve()
    except (DvcException, OSError):
        return None
