"""Recognises the annotation format of a folder, and gives the command that converts it. It writes nothing."""

import shlex
from collections import Counter
from pathlib import Path

from src.convert.guide.signs import Listed, Recognised, signs_of_formats
from src.convert.names import list_files
from src.convert.problems import Findings
from src.data.source.dataset import NAME
from src.errors import UserError

PLAIN = {"images", "masks"}  # the folders of a data set
ARCHIVES = {".zip", ".tar", ".gz", ".tgz", ".7z", ".rar"}  # what is inside is not looked into
OF_PLAIN = {"masks", "arrays", "voc"}  # formats that a folder with both of them may still be in


def recognise(folder: Path) -> list[Recognised]:
    """Find the formats that a folder may be in.

    File names decide, and the content of some JSON files. Images and arrays are not read.

    Args:
        folder: The folder.

    Returns:
        The formats; empty if none is recognised.

    Raises:
        UserError: There is no such folder.
    """
    if folder.is_file():
        raise UserError(f"{folder}: is a file → name the folder that holds it")
    return signs_of_formats(Listed(folder, list_files(folder, None, Findings())))


def describe_formats(folder: Path) -> str:
    """Say which formats a folder is in, and how to convert it.

    Args:
        folder: The folder.

    Raises:
        UserError: There is no such folder, or no format is recognised.
    """
    found = recognise(folder)
    if not found and all((folder / name).is_dir() for name in PLAIN):
        return f"{folder}: holds images/ and masks/; if it is a data set, no conversion is needed\n{_check(folder)}"
    if not found:
        suffixes = Counter(file.suffix.lower() or "no extension" for file in list_files(folder, None, Findings()))
        shown = ", ".join(f"{count} {suffix}" for suffix, count in suffixes.most_common(5)) or "no files"
        remedy = "python -m tools.convert --help lists the formats; or name images and masks as a data set has them"
        if any(suffix in ARCHIVES for suffix in suffixes):
            remedy = f"unpack the archives first; {remedy}"
        raise UserError(f"{folder}: no format was recognised; there: {shown} → {remedy}")
    return "\n".join(f"{folder}: {_words(one)}" for one in found)


def conversion_hint(folder: Path) -> str:
    """Say how to convert a folder that the check refused.

    Args:
        folder: The folder.

    Returns:
        Lines to add to the message, each after a line break; "" if no format is recognised, or if the folder has a
        dataset.yaml and so is meant as a data set.
    """
    if not folder.is_dir() or (folder / NAME).exists():
        return ""
    plain = all((folder / name).is_dir() for name in PLAIN)
    found = [one for one in recognise(folder) if not plain or one.format in OF_PLAIN]
    return "".join(f"\n{_words(one)}" for one in found)


def _words(one: Recognised) -> str:
    lines = [f"looks like the format {one.format} of tools.convert: {one.evidence}", *one.commands]
    return "\n  ".join([*lines, *[f"({one.note})"] * bool(one.note)])


def _check(folder: Path) -> str:
    return f"  {shlex.join(['python', '-m', 'tools.check', str(folder)])}"
