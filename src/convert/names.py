"""File names that come from outside: what is accepted, and where it leads. Nothing else turns a name into a path."""

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

from src.convert.problems import Findings, Refused
from src.data.reading.images import SUFFIXES
from src.data.source.links import SYSTEM_FILES
from src.errors import UserError

INSIDE = "name it by its path below the folder of images, without links that lead out of it"


def safe_name(text: str) -> PurePosixPath:
    """A name as a path below the folder of images; both / and \\ separate folders, as names written on Windows do.

    Raises `Refused` for an absolute path, a drive, a part that is hidden or leads upwards, a control character, or an
    extension that the pipeline does not read.
    """
    path = PureWindowsPath(text)  # knows both separators, drives and network shares
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise Refused("the name holds a control character", "rename the file")
    if not _encodable(text):
        raise Refused("the name is not valid Unicode", "rename the file")
    if path.drive or path.root:
        raise Refused("the name is an absolute path", INSIDE)
    if not path.parts or any(part.startswith(".") or ":" in part for part in path.parts):
        raise Refused("the name leads upwards, or a part of it is hidden, empty or holds a colon", INSIDE)
    if path.suffix.lower() not in SUFFIXES:
        raise Refused("is not of a kind that is read", f"save it as one of {', '.join(sorted(SUFFIXES))}")
    return PurePosixPath(*path.parts)


def locate(root: Path, name: PurePosixPath) -> Path:
    """The file `name` below `root`; raises `Refused` if it is none, or a link leads out of `root`."""
    try:
        path = (root / name).resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError: links in a circle
        raise Refused(f"is missing in {root}", "add the file, or remove its annotations") from None
    if not path.is_relative_to(root.resolve()):
        raise Refused(f"leads out of {root}", INSIDE)
    if not path.is_file():
        raise Refused("is not a file", "add the file, or remove its annotations")
    return path


def walk(folder: Path, suffixes: Iterable[str] | None, findings: Findings) -> list[PurePosixPath]:
    """Every file below `folder` with one of these extensions (None: any), sorted; hidden ones are left out.

    A folder that is a link is an error: it may lead anywhere, in a circle too.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    found = []
    for place, folders, files in os.walk(folder):
        relative = PurePosixPath(Path(place).relative_to(folder).as_posix())
        for name in folders:
            if Path(place, name).is_symlink():
                with findings.collect(str(relative / name)):
                    raise Refused("is a link to a folder", "put the folder itself there")
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            fits = suffixes is None or Path(name).suffix.lower() in suffixes
            if fits and not name.startswith(".") and name.lower() not in SYSTEM_FILES:
                found.append(relative / name)
    return sorted(found)


def _encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
