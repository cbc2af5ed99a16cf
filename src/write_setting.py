"""Replacing values in params.yaml, with everything else in the file left as it is."""

import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from src.errors import UserError, listing
from src.files import parse_yaml, write_text, yaml_scalar
from src.params import Params
from src.section import validate


def write_setting(path: Path, section: str, key: str, value: str | float) -> None:
    """Replace one value in params.yaml, see `write_settings`.

    Args:
        path: The file.
        section: A section at the top level of the file.
        key: A key of this section, which must be in the file.
        value: The new value.

    Raises:
        UserError: The key is not in the file, the new value is refused, or the value cannot be replaced in the text.
    """
    write_settings(path, {f"{section}.{key}": value})


def write_settings(path: Path, settings: Mapping[str, str | float]) -> None:
    """Replace values in params.yaml, all or none. Other bytes stay, except blanks before a comment of the same line.

    The YAML parser finds a value, and its characters are replaced in the text. Writing the parsed file back would
    change more: ruamel.yaml's round trip keeps comments, but not line ends (CRLF), blank lines and blanks in a line.

    Args:
        path: The file.
        settings: Section and key, such as train.steps, which must be in the file → the new value.

    Raises:
        UserError: Keys are not in the file (the message lists all of them), a new value is refused, or a value cannot
            be replaced in the text.
    """
    with path.open(encoding="utf-8", newline="") as file:  # newline="": line ends stay as they are
        text = file.read()
    if missing := [name for name in settings if _find_scalar(text, name.split(".")) is None]:
        lines = [_line(name, settings[name]) for name in missing]
        raise UserError(f"{path}: nothing was written, since it has no values for these keys; add\n{listing(lines)}")
    wanted = parse_yaml(text, path)
    for name, value in settings.items():
        section, key = name.split(".")
        place = _find_scalar(text, (section, key))
        wanted[section][key] = value
        if place is not None:
            text = _replace(text, place, yaml_scalar(value))
        if not _holds(text, wanted):
            what = f"the value of {name} has an unusual form, such as an alias of YAML, and cannot be replaced"
            raise UserError(f"{path}: nothing was written: {what}; write by hand {_line(name, value)}")
    validate(Params, wanted, path)
    write_text(path, text)


def _line(name: str, value: str | float) -> str:
    section, key = name.split(".")
    return f"{key}: {yaml_scalar(value)}   (under {section})"


def _holds(text: str, content: object) -> bool:
    try:
        return bool(parse_yaml(text, Path()) == content)
    except UserError:
        return False


def _find_scalar(text: str, keys: Iterable[str]) -> slice | None:
    """Find the characters of the number or text that `keys` lead to; None if there is no such value, or it is empty."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in parse_yaml
        node: Node | None = YAML(typ="safe").compose(text)
    for key in keys:
        pairs = node.value if isinstance(node, MappingNode) else []
        node = next((value for name, value in pairs if name.value == key), None)
    place = slice(node.start_mark.index, node.end_mark.index) if isinstance(node, ScalarNode) else slice(0, 0)
    return place if place.start < place.stop else None


def _replace(text: str, place: slice, value: str) -> str:
    """Replace the characters at `place` by `value`; a comment in the same line keeps its column if there is room."""
    rest = text[place.stop :]
    blanks = len(rest) - len(rest.lstrip(" "))
    if rest.startswith("#", blanks):
        column = place.stop - place.start + blanks - 1  # of the blank before the comment
        value, rest = f"{value:<{column}} ", rest[blanks:]
    return text[: place.start] + value + rest
