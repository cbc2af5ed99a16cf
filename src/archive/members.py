"""The members of an archive, read without trusting what the zip file says of them."""

import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

from src.errors import listing

PROJECT, CONFIG, METADATA, WEIGHTS = "project.json", "config.json", "metadata.json", "model.weights.h5"
MEMBERS = (CONFIG, METADATA, WEIGHTS, PROJECT)
MOST_TEXT = 2**24  # bytes of a member that is JSON
MOST = 2**32  # bytes of all
ENCRYPTED = 0x1 | 0x40 | 0x2000  # bits of a member's flags: encrypted, strongly so, its header too; APPNOTE.TXT 4.4.4


def read_members(path: Path) -> dict[str, bytes]:
    """Name → content of exactly `MEMBERS`; `ValueError` or an error of zipfile lists what is not as we save it.

    Members are stored, never compressed: then no file is larger inside than outside, which no limit on ratios can
    promise. Contents that overlap in the file are refused by their sum.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("no plain file")
    if status.st_size > MOST:
        raise ValueError(f"{status.st_size} bytes; no archive has more than {MOST}")
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        problems = [problem for member in members for problem in _problems(member)]
        names = [member.filename for member in members]
        problems += [f"{name}: missing" for name in MEMBERS if name not in names]
        problems += [f"{name}: {names.count(name)} times" for name in MEMBERS if names.count(name) > 1]
        if sum(member.file_size for member in members) > status.st_size:
            problems.append("the members say that they are larger than the file")
        if problems:
            raise ValueError(f"its members\n{listing(problems)}")
        return {name: archive.read(name) for name in MEMBERS}


def _problems(member: zipfile.ZipInfo) -> Iterator[str]:
    """What is not as we save it, in words; names are of anyone's making and shown as Python would write them."""
    if member.filename not in MEMBERS:
        yield f"{member.filename!r}: none of {', '.join(MEMBERS)}"
        return
    if member.flag_bits & ENCRYPTED:
        yield f"{member.filename}: encrypted"
    if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
        yield f"{member.filename}: compressed ({member.compress_size} bytes that become {member.file_size})"
    if member.filename != WEIGHTS and member.file_size > MOST_TEXT:
        yield f"{member.filename}: {member.file_size} bytes; at most {MOST_TEXT} are allowed"
