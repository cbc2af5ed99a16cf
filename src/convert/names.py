"""Checks file names in annotations, and finds the files. No other module turns such a name into a path."""

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

from src.convert.problems import Findings, Refused
from src.data.reading.images import SUFFIXES
from src.data.source.links import SYSTEM_FILES
from src.errors import UserError

INSIDE = "name it by its path below the folder of images, without links that lead out of it"


def safe_name(text: str) -> PurePosixPath:
    """Turn a file name into a path below the folder of images; both / and \\ separate folders.

    Raises:
        Refused: The name is an absolute path, has a drive, a hidden part, a part that leads upwards or a control
            character, or an extension that the pipeline does not read.
    """
    path = PureWindowsPath(text)  # splits at both separators, and finds drives and network shares
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise Refused("the name holds a control character", "rename the file")
    if not _encodable(text):
        raise Refused("the name is not valid Unicode", "rename the file")
    if path.drive or path.root:
        raise Refused("the name is an absolute path", INSIDE)
    if not path.parts or any(part.startswith(".") or ":" in part for part in path.parts):
        raise Refused("the name leads upwards, or a part of it is hidden, empty or holds a colon", INSIDE)
    if path.suffix.lower() not in SUFFIXES:
        raise Refused(
            "has an extension that the pipeline does not read", f"save it as one of {', '.join(sorted(SUFFIXES))}"
        )
    return PurePosixPath(*path.parts)


def locate(root: Path, name: PurePosixPath) -> Path:
    """Find a file below a folder.

    Args:
        root: The folder.
        name: The path of the file below it, from `safe_name`.

    Returns:
        The file, with links resolved.

    Raises:
        Refused: It is missing or not a file, or a link leads out of `root`.
    """
    try:
        path = (root / name).resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError: links in a circle
        raise Refused(f"is missing in {root}", "add the file, or remove its annotations") from None
    if not path.is_relative_to(root.resolve()):
        raise Refused(f"leads out of {root}", INSIDE)
    if not path.is_file():
        raise Refused("is not a file", "add the file, or remove its annotations")
    return path


def list_files(folder: Path, suffixes: Iterable[str] | None, findings: Findings) -> list[PurePosixPath]:
    """List the files below a folder; hidden files and files of the operating system are left out.

    Args:
        folder: The folder.
        suffixes: The extensions to list, in lower case with a dot; None: all files.
        findings: Gets an error for each link to a folder, since it may lead anywhere, also in a circle.

    Returns:
        The paths below `folder`, sorted.

    Raises:
        UserError: There is no such folder.
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
