"""The members of a model file, read without trusting what its zip directory says of them.

The file of an ensemble is a zip file, too. It holds `ENSEMBLE` and the unchanged model files of its models.
"""

import io
import json
import stat
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from src.errors import listing

PROJECT, CONFIG, METADATA, WEIGHTS = "project.json", "config.json", "metadata.json", "model.weights.h5"
MEMBERS = (CONFIG, METADATA, WEIGHTS, PROJECT)
ENSEMBLE = "ensemble.json"
MOST_MODELS = 32  # of an ensemble
MOST_TEXT = 2**24  # bytes of a JSON member
MOST = 2**32  # bytes of the whole file
DATE = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip file can hold
ENCRYPTED = 0x1 | 0x40 | 0x2000  # flag bits: encrypted, strongly encrypted, encrypted header; APPNOTE.TXT 4.4.4


def model_member(number: int) -> str:
    """The name of a model in the file of an ensemble; numbers start at 0."""
    return f"{number}.keras"


def read_members(path: Path) -> dict[str, bytes]:
    """Read the members `MEMBERS`, or `ENSEMBLE` and two or more models; exactly these.

    Members must be stored without compression. Then no member is larger than the file, which no limit on compression
    ratios can promise. Members that overlap in the file are refused because the sum of their sizes is too large.

    Returns:
        The name of each member → its content.

    Raises:
        ValueError: a member is missing, foreign, compressed, encrypted or too large; the message lists all of them.
        OSError, zipfile.BadZipFile: the file cannot be read, or is not a zip file.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is not a regular file")
    if status.st_size > MOST:
        raise ValueError(f"it has {status.st_size} bytes; a model file has at most {MOST}")
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        models = min(max(len(names) - 1, 2), MOST_MODELS)
        of_ensemble = (ENSEMBLE, *map(model_member, range(models)))
        return _read(archive, of_ensemble if ENSEMBLE in names else MEMBERS, status.st_size)


def read_model_members(content: bytes) -> dict[str, bytes]:
    """Read the members `MEMBERS` of a model inside of an ensemble.

    Args:
        content: The model file.

    Raises:
        ValueError, zipfile.BadZipFile: As in `read_members`.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return _read(archive, MEMBERS, len(content))


def _read(archive: zipfile.ZipFile, wanted: Sequence[str], size: int) -> dict[str, bytes]:
    """Read exactly the members `wanted` of an archive of `size` bytes."""
    members = archive.infolist()
    problems = [problem for member in members for problem in _problems(member, wanted)]
    names = [member.filename for member in members]
    problems += [f"{name}: missing" for name in wanted if name not in names]
    problems += [f"{name}: {names.count(name)} times" for name in wanted if names.count(name) > 1]
    if sum(member.file_size for member in members) > size:
        problems.append("its members together are larger than the file")
    if problems:
        raise ValueError(f"its members\n{listing(problems)}")
    return {name: archive.read(name) for name in wanted}


def _problems(member: zipfile.ZipInfo, wanted: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with a member. A foreign name can hold anything, so it is shown as Python writes it."""
    if member.filename not in wanted:
        yield f"{member.filename!r}: none of {', '.join(wanted)}"
        return
    if member.flag_bits & ENCRYPTED:
        yield f"{member.filename}: encrypted"
    if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
        yield f"{member.filename}: compressed ({member.compress_size} bytes that become {member.file_size})"
    if member.filename.endswith(".json") and member.file_size > MOST_TEXT:
        yield f"{member.filename}: {member.file_size} bytes; at most {MOST_TEXT} are allowed"


def write_members(path: Path, members: Mapping[str, bytes]) -> None:
    """Write members without compression. Equal members give equal files, whenever they are written.

    Args:
        path: The file.
        members: Name → content.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            archive.writestr(zipfile.ZipInfo(name, DATE), members[name])


def json_member(content: Mapping[str, object]) -> bytes:
    """The content of a member as JSON."""
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
