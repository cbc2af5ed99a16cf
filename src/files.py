"""Reading and writing of small files. Files are replaced as a whole, and YAML is parsed exactly as DVC parses it."""

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
from typing import Any, TypeAlias

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import Node
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.resolver import implicit_resolvers

from src.errors import UserError

Content: TypeAlias = Any  # Any: nested data such as a YAML file; only the caller knows what it holds, and checks it
MOST_VALUES = 100_000  # of a YAML file once aliases are followed: a few lines of them can make billions


class _Dumper(yaml.SafeDumper):
    """Quotes every text that YAML 1.1 (most other programs) or YAML 1.2 (DVC) would not read as text."""


for _versions, _tag, _pattern, _first in implicit_resolvers:
    if (1, 2) in _versions:
        _Dumper.add_implicit_resolver(_tag, _pattern, _first)


def read_text(path: Path) -> str:
    """Read a text file that a user wrote. Line ends become `\\n`.

    The file is UTF-8, with or without a byte order mark, or UTF-16 with one, as Excel and PowerShell write it.

    Raises:
        UserError: The file is missing, cannot be read, or has another encoding.
    """
    try:
        content = path.read_bytes()
        encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        return content.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}") from None


def read_yaml(path: Path) -> Content:
    """Return the content of a YAML file, exactly as DVC reads it.

    Raises:
        UserError: The file cannot be read or is not valid YAML. The message names the file and, where known, the line.
    """
    return parse_yaml(read_text(path), path)


def parse_yaml(text: str, path: Path) -> Content:
    """Return the content of YAML text, exactly as DVC reads it.

    The parser is the one that DVC uses, with the same options (dvc.utils.serialize): `1_000` is 1000, `0o17` is 15,
    `1e-5` is a number, `yes` is text. A key that appears twice is an error. The parser builds plain values only.

    Args:
        text: The content of the file.
        path: The file that messages name.

    Raises:
        UserError: The text is not valid YAML.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an anchor that is defined twice: allowed, and DVC does not warn either
            if "*" in text and _count_values(YAML(typ="safe").compose(text), {}) > MOST_VALUES:
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


def _count_values(node: Node | tuple[Node, Node] | None, known: dict[int, int]) -> int:
    """Count the values in a YAML node, those behind an alias each time; known: id of a node → its number of values."""
    if isinstance(node, tuple):  # a key and its value
        return sum(_count_values(part, known) for part in node)
    if node is None or isinstance(node.value, str):
        return 1
    if id(node) not in known:
        known[id(node)] = MOST_VALUES + 1  # the result for a list that contains itself
        known[id(node)] = 1 + sum(_count_values(part, known) for part in node.value)
    return known[id(node)]


def _yaml_problem(error: MarkedYAMLError) -> str:
    """Describe a YAML error with its line and column, without the hints for programmers that ruamel.yaml adds."""
    problem = str(error.problem or "")
    if isinstance(error, DuplicateKeyError):
        problem = problem.partition(" with value ")[0]  # the value can be the whole file
    words = "; ".join(part for part in (error.context, problem) if part)
    mark = error.problem_mark or error.context_mark
    return f"line {mark.line + 1}, column {mark.column + 1}: {words}" if mark else words


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path next to `path`; what is written there is renamed to `path` if the block succeeds.

    It works for a file and for a folder. An existing folder is renamed first and deleted last, so that either the old
    or the new folder is at `path`, complete. If parts of the old folder cannot be deleted, they stay as .tmp-*, and a
    line on stderr says so.

    Raises:
        IsADirectoryError: The block wrote a file, and `path` is a folder.
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
    """Delete a file, a link or a folder if it exists. Parts of a folder that cannot be deleted stay."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    """A unique path in the folder of `path`. It is short, since the name of `path` may have the longest length."""
    return path.parent / f".tmp-{secrets.token_hex(8)}{path.suffix if len(path.suffix) < 16 else ''}"


def _replace_folder(path: Path, new: Path) -> None:
    """Replace the folder `path` by the folder `new`."""
    if not new.is_dir():  # a file must not replace a folder and all its content
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
    """Replace a file by a text.

    Args:
        path: The file.
        text: Its new content, written in UTF-8 with its line ends as they are.
    """
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_yaml(path: Path, content: Mapping[str, object]) -> None:
    """Replace a file by YAML.

    Args:
        path: The file.
        content: Its new content; the keys stay in their order.
    """
    write_text(path, yaml.dump(dict(content), Dumper=_Dumper, sort_keys=False, allow_unicode=True))


def yaml_scalar(value: str | float) -> str:
    """Format a text, a number or a bool as YAML. Text is quoted where needed, also for use inside of braces."""
    text = yaml.dump([value], Dumper=_Dumper, default_flow_style=True, allow_unicode=True, width=math.inf)
    return str(text).strip()[1:-1]


def write_json(path: Path, content: Mapping[str, object], *, indent: int | None = 2) -> None:
    """Replace the file at `path` by `content` as JSON.

    Args:
        path: The file.
        content: The object to write.
        indent: Spaces per level; None: everything in one line.

    Raises:
        ValueError: `content` holds NaN or an infinite number.
    """
    write_text(path, json.dumps(content, indent=indent, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Content:
    """Return the content of a JSON file that the project wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


def round_scores(scores: Mapping[str, object]) -> dict[str, Content]:
    """Round nested scores to six decimals for a metrics file that DVC compares.

    Numbers that are not finite and None are left out, and so are objects that are then empty.
    """
    rounded: dict[str, Content] = {}
    for key, value in scores.items():
        if isinstance(value, Mapping):
            value = round_scores(value)
        elif isinstance(value, float):
            value = round(value, 6) if math.isfinite(value) else None
        if value is not None and value != {}:
            rounded[key] = value
    return rounded


def flatten(content: Mapping[str, object], prefix: str = "") -> dict[str, Content]:
    """Join the keys of nested mappings with dots: {"a": {"b": 1}} becomes {"a.b": 1}. Empty mappings are left out.

    Args:
        content: The nested mappings; lists are kept as values.
        prefix: Text before every key.
    """
    leaves: dict[str, Content] = {}
    for key, value in content.items():
        leaves |= flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return leaves


def write_csv(path: Path, rows: Iterable[Mapping[str, object]], columns: list[str]) -> None:
    """Replace the file at `path` by a table.

    Args:
        path: The file.
        rows: Column → value; a missing column is written as an empty cell.
        columns: The columns in their order.

    Raises:
        ValueError: A row has a column that is not in `columns`.
    """
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table, column → text."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
