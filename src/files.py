"""Reading and writing small files: whole or not at all, and YAML that means the same as it does to DVC."""

import contextlib
import csv
import errno
import json
import math
import secrets
import shutil
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.resolver import implicit_resolvers

from src.errors import UserError

MOST_VALUES = 100_000  # in a YAML file, after aliases: a few lines of them can make billions


class _Dumper(yaml.SafeDumper):
    """Quote every text that YAML 1.1 (most other programs) or YAML 1.2 (DVC) reads as something else than text."""


for _versions, _tag, _pattern, _first in implicit_resolvers:
    if (1, 2) in _versions:
        _Dumper.add_implicit_resolver(_tag, _pattern, _first)


def read_text(path: Path) -> str:
    """The content of a text file that a user wrote; `UserError` if it is missing or not UTF-8.

    Some editors mark the start of a file; the mark of UTF-16, which Excel and PowerShell write, tells that apart.
    """
    try:
        content = path.read_bytes()
        encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        return content.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}") from None


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file, exactly as DVC reads it.

    Raises:
        UserError: The file cannot be read or is not valid YAML. The message names the file and, where known, the line.
    """
    return parse_yaml(read_text(path), path)


def parse_yaml(text: str, path: Path) -> Any:
    """Return the content of YAML `text`, exactly as DVC reads it; `path` is the file that messages name.

    The parser is the one that DVC uses, with the same options (dvc.utils.serialize): `1_000` is 1000, `0o17` is 15,
    `1e-5` is a number, `yes` is text. A key that appears twice is an error. The parser builds plain values only.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an anchor that is defined twice: allowed, and DVC says nothing either
            if "*" in text and _values(YAML(typ="safe").compose(text), {}) > MOST_VALUES:
                raise ValueError(f"it holds more than {MOST_VALUES:,} values once its aliases (*name) are followed")
            return YAML(typ="safe").load(text)
    except MarkedYAMLError as error:
        raise UserError(f"{path}: not valid YAML: {_yaml_problem(error)}") from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        character = f"character U+{error.character:04X}"
        raise UserError(f"{path}: not valid YAML: line {line}: YAML does not allow the {character}") from None
    except (YAMLError, ValueError, LookupError, AttributeError, RecursionError) as error:
        # `!!int abc`, a number of 5,000 digits, the 13th month, 5,000 nested brackets.
        raise UserError(f"{path}: not valid YAML: {error}") from None


def _values(node: Any, known: dict[int, int]) -> int:
    """How many values a YAML node holds, those behind an alias counted each time; known: id of a node → number."""
    if isinstance(node, tuple):  # a key and its value
        return sum(_values(part, known) for part in node)
    if node is None or isinstance(node.value, str):
        return 1
    if id(node) not in known:
        known[id(node)] = MOST_VALUES + 1  # for a list that holds itself
        known[id(node)] = 1 + sum(_values(part, known) for part in node.value)
    return known[id(node)]


def _yaml_problem(error: MarkedYAMLError) -> str:
    """What is wrong, and in which line and column, without the hints for programmers that ruamel.yaml adds."""
    problem = str(error.problem or "")
    if isinstance(error, DuplicateKeyError):
        problem = problem.partition(" with value ")[0]  # which may be the whole file
    words = "; ".join(part for part in (error.context, problem) if part)
    mark = error.problem_mark or error.context_mark
    return f"line {mark.line + 1}, column {mark.column + 1}: {words}" if mark else words


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, for a file or a folder, that takes its name only if the block succeeds.

    A folder that is there already is renamed first and deleted last, so that either the old or the new one is at
    `path`, whole. Parts of the old one that cannot be deleted stay behind as .tmp-*, and the new one counts.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    try:
        yield temporary
        if path.is_dir():
            _replace_folder(path, temporary)
        else:
            temporary.replace(path)
    finally:
        _remove(temporary)


def _remove(path: Path) -> None:
    """Delete a file, a link or a folder if it is there; what cannot be deleted of a folder stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    """A name beside `path` that no other process or machine uses, and a short one: `path` may have the longest."""
    return path.parent / f".tmp-{secrets.token_hex(8)}{path.suffix if len(path.suffix) < 16 else ''}"


def _replace_folder(path: Path, new: Path) -> None:
    """Put the folder `new` in the place of the folder `path`."""
    if not new.is_dir():  # no file takes the place of a folder and all that is in it
        raise IsADirectoryError(errno.EISDIR, "is a folder, not a file to write", str(path))
    old = _temporary(path)
    try:
        path.replace(old)
        new.replace(path)
    except BaseException:  # an interrupt, too
        if old.exists() and not path.exists():
            old.replace(path)
        raise
    _remove(old)
    if old.exists():
        print(f"{old}: could not be deleted. It holds parts of the old {path.name}; delete it.", file=sys.stderr)


def write_text(path: Path, text: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    write_text(path, yaml.dump(dict(content), Dumper=_Dumper, sort_keys=False, allow_unicode=True))


def yaml_scalar(value: str | int) -> str:
    """A text or a number as YAML, in quotes where they are needed, also inside of braces."""
    text = yaml.dump([value], Dumper=_Dumper, default_flow_style=True, allow_unicode=True, width=math.inf)
    return str(text).strip()[1:-1]


def write_json(path: Path, content: Mapping[str, Any], *, indent: int | None = 2) -> None:
    write_text(path, json.dumps(content, indent=indent, ensure_ascii=False, allow_nan=False) + "\n")


def plain(scores: Mapping[str, Any]) -> dict[str, Any]:
    """Nested numbers as DVC compares them well: of six decimals, without NaN and the objects that are empty for it."""
    rounded: dict[str, Any] = {}
    for key, value in scores.items():
        if isinstance(value, Mapping):
            value = plain(value)
        elif isinstance(value, float):
            value = round(value, 6) if math.isfinite(value) else None
        if value is not None and value != {}:
            rounded[key] = value
    return rounded


def flat(content: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Nested objects as one: {"a": {"b": 1}} as {"a.b": 1}."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        found |= flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {above + key: value}
    return found


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def write_csv(path: Path, rows: Iterable[Mapping[str, Any]], columns: list[str]) -> None:
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
