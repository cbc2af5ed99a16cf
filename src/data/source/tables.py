"""Read tables beside dataset.yaml, with commas, semicolons or tabs between the columns."""

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
    """A table with a header.

    Attributes:
        header: Names of the columns.
        rows: Line number and cells of each row that is not empty. A row has at least as many cells as the header.
        separator: The character between the columns.
    """

    header: list[str]
    rows: list[tuple[int, list[str]]]
    separator: str


def read_table(path: Path, column: str) -> Table:
    """Read a table with the one separator that makes `column` a column of it.

    Args:
        path: The file.
        column: Name of a column that the table must have.

    Raises:
        UserError: The column is missing or named twice, or several separators fit.
    """
    lines = read_text(path).splitlines(keepends=True)
    named = re.fullmatch(r"sep=(.)\s*", lines[0]) if lines else None  # a line that Excel reads to find the separator
    skipped = 1 if named else 0
    headers = {}  # separator → header
    for separator in [named[1]] if named else SEPARATORS:
        try:
            header = next(csv.reader(lines[skipped : skipped + 1], delimiter=separator), [])
        except csv.Error as error:
            raise UserError(f"{path}: line {skipped + 1}: {error}") from None
        headers[separator] = [cell.strip() for cell in header]
    fitting = [separator for separator, header in headers.items() if column in header and len(header) > 1]
    if len(fitting) > 1:
        words = " or ".join(SEPARATORS[separator] for separator in fitting)
        raise UserError(f"{path}: the columns may be separated by {words}; use commas, and quotes around cells")
    separator = fitting[0] if fitting else max(headers, key=lambda separator: len(headers[separator]))
    header = headers[separator]
    if header.count(column) != 1:
        state = "named twice" if header.count(column) > 1 else "not there"
        names = ", ".join(map(repr, header)) or "none"
        raise UserError(
            f"{path}: the column {column!r} is {state}; columns are {names} (read with {_in_words(separator)})"
        )
    return Table(header, _rows(path, lines, skipped, separator, len(header)), separator)


def _rows(path: Path, lines: list[str], skipped: int, separator: str, width: int) -> list[tuple[int, list[str]]]:
    reader = csv.reader(lines[skipped:], delimiter=separator)
    try:
        next(reader, None)
        rows = [(reader.line_num + skipped, [cell.strip() for cell in cells]) for cells in reader if any(cells)]
    except csv.Error as error:
        raise UserError(f"{path}: line {reader.line_num + skipped}: {error}") from None
    return [(line, cells + [""] * (width - len(cells))) for line, cells in rows]


def _in_words(separator: str) -> str:
    return SEPARATORS.get(separator, f"{separator!r}") + " between the columns"


def separator_note(path: Path, column: str) -> list[str]:
    """Tell the user how a table was read if its columns are not separated by commas.

    Args:
        path: The file.
        column: Name of a column of the table.

    Returns:
        One line, or an empty list.
    """
    separator = read_table(path, column).separator
    return [] if separator == "," else [f"{path.name}: read with {_in_words(separator)}"]


def is_text(content: bytes) -> bool:
    """Return whether the bytes are text that `read_text` can read."""
    try:
        content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8")
    except UnicodeDecodeError:
        return False
    return True
