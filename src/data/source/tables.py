"""Tables beside dataset.yaml as programs write them: with commas, semicolons or tabs between the columns."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from src.errors import UserError
from src.files import read_text

SUFFIXES = (".csv", ".tsv")
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}


@dataclass(frozen=True)
class Table:
    """A header, and the rows that are not empty with their line numbers, each as long as the header at least."""

    header: list[str]
    rows: list[tuple[int, list[str]]]
    separator: str


def read_table(path: Path, column: str) -> Table:
    """The table that has `column`, read with the one separator by which it has it.

    `UserError` if it has not, has it twice, or has it by several separators.
    """
    lines = read_text(path).splitlines(keepends=True)
    named = re.fullmatch(r"sep=(.)\s*", lines[0]) if lines else None  # the first line that Excel understands
    skipped = 1 if named else 0
    readings = {}
    for separator in [named[1]] if named else SEPARATORS:
        try:
            header = next(csv.reader(lines[skipped : skipped + 1], delimiter=separator), [])
        except csv.Error as error:
            raise UserError(f"{path}: line {skipped + 1}: {error}") from None
        readings[separator] = [cell.strip() for cell in header]
    fitting = [separator for separator, header in readings.items() if column in header and len(header) > 1]
    if len(fitting) > 1:
        words = " or ".join(SEPARATORS[separator] for separator in fitting)
        raise UserError(f"{path}: {words} may stand between its columns; write it with commas, and quotes around cells")
    separator = fitting[0] if fitting else max(readings, key=lambda separator: len(readings[separator]))
    header = readings[separator]
    if header.count(column) != 1:
        there = "named twice" if header.count(column) > 1 else "not there"
        names = ", ".join(map(repr, header)) or "none"
        raise UserError(f"{path}: the column {column!r} is {there}; columns are {names} (read with {_word(separator)})")
    return Table(header, _rows(path, lines, skipped, separator, len(header)), separator)


def _rows(path: Path, lines: list[str], skipped: int, separator: str, width: int) -> list[tuple[int, list[str]]]:
    reader = csv.reader(lines[skipped:], delimiter=separator)
    try:
        next(reader, None)
        rows = [(reader.line_num + skipped, [cell.strip() for cell in cells]) for cells in reader if any(cells)]
    except csv.Error as error:
        raise UserError(f"{path}: line {reader.line_num + skipped}: {error}") from None
    return [(line, cells + [""] * (width - len(cells))) for line, cells in rows]


def _word(separator: str) -> str:
    return SEPARATORS.get(separator, f"{separator!r}") + " between the columns"


def separator_note(path: Path, column: str) -> list[str]:
    """A line if the table's columns are not separated by commas."""
    separator = read_table(path, column).separator
    return [] if separator == "," else [f"{path.name}: read with {_word(separator)}"]


def is_text(content: bytes) -> bool:
    """Whether the bytes are text that `read_text` reads."""
    try:
        content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8")
    except UnicodeDecodeError:
        return False
    return True
