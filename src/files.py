"""Reading and writing small files: whole or not at all, and YAML that means the same as it does to DVC."""

import contextlib
import csv
import errno
import json
import math
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from src.errors import UserError


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2: `1e-5` is a number; `yes`, `no`, `on`, `off` are words.

    DVC reads params.yaml with ruamel.yaml, which follows YAML 1.2; PyYAML alone follows 1.1 and would read `1e-5`,
    which is what `dvc exp run -S train.lr=1e-5` writes, as text. A key that stands twice is an error, as it is to DVC.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys: list[Any] = []
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else []:
            key = self.construct_object(key_node, deep=True)
            if key in keys and key_node.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", key_node.start_mark
                )
            keys.append(key)
        return super().construct_mapping(node, deep)


_CORE_SCHEMA = {  # https://yaml.org/spec/1.2.2/#103-core-schema
    "bool": r"true|True|TRUE|false|False|FALSE",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
    "int": r"[-+]?[0-9]+",
    "null": r"~|null|Null|NULL|",
    "merge": r"<<",
}
_Loader.yaml_implicit_resolvers = {}
for _tag in ("bool", "int", "float", "null", "merge"):  # tried in this order: an integer is no float
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_CORE_SCHEMA[_tag]})$"), None)


def _integer(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    return int(loader.construct_scalar(node))


def _float(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    text = loader.construct_scalar(node).lower()
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:float", _float)


class _Dumper(yaml.SafeDumper):
    """Quotes every text that either version of YAML would read as something else."""


_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(rf"^(?:{_CORE_SCHEMA['float']})$"), None)


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
    """The content of a YAML 1.2 file; `UserError` names the file and the line if it cannot be parsed."""
    return parse_yaml(read_text(path), path)


def parse_yaml(text: str, path: Path) -> Any:
    """The content of the YAML 1.2 file at `path` that has this text."""
    try:
        return yaml.load(text, Loader=_Loader)  # a safe loader: builds plain values only
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML\n{error}") from None
    except (ValueError, KeyError, AttributeError, RecursionError) as error:  # explicit tags, endless digits or depth
        raise UserError(f"{path}: not valid YAML: {error}") from None


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, for a file or a folder, that takes its name only if the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own whatever the process and the machine; short, where the path's name is as long as may be.
    temporary = path.parent / f".tmp-{secrets.token_hex(8)}{path.suffix if len(path.suffix) < 16 else ''}"
    try:
        yield temporary
        if path.is_dir():
            if not temporary.is_dir():  # no file takes the place of a folder and all that is in it
                raise IsADirectoryError(errno.EISDIR, "is a folder, not a file to write", str(path))
            shutil.rmtree(path)
        temporary.replace(path)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    write_text(path, yaml.dump(dict(content), Dumper=_Dumper, sort_keys=False, allow_unicode=True))


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
