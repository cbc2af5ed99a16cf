"""How are tables and names written in GitHub's Markdown? Names from a data set appear as they are and never act."""

import re
from collections.abc import Sequence

from src.errors import printable

# Inside a word, / and _ have no effect in Markdown. After www, a point would start a link.
BETWEEN = r"(?<![0-9A-Za-z])[/_]|[/_](?![0-9A-Za-z])|(?<=[Ww]{3})\."
PLAIN = re.compile(rf"[^0-9A-Za-z .,+\-–/_]|{BETWEEN}")  # all other characters are escaped
READABLE = re.compile(rf"[^\w .,:;%()+\-–'/]|{BETWEEN}")  # the same in prose, which stays readable in the source
MOST_NAMED = 12
Cells = list[str]


def markdown_table(header: Cells, body: Sequence[Cells], left: int = 1) -> str:
    """Write a table.

    Args:
        header: Titles of the columns.
        body: Rows of cells; cells are escaped already.
        left: Number of columns that are aligned left; the others are aligned right.
    """
    rule = [*["---"] * left, *["---:"] * (len(header) - left)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *body))


def code(text: str) -> str:
    """Write text as inline code in which no character formats, links or mentions anything."""
    return f"<code>{PLAIN.sub(_entity, printable(text))}</code>"


def prose(text: str) -> str:
    """Escape text that holds names, without setting it as code. A line break becomes \\n."""
    return READABLE.sub(_entity, printable(text))


def names(texts: Sequence[str]) -> str:
    """Write the first `MOST_NAMED` names as code, and how many more there are."""
    more = [f"and {len(texts) - MOST_NAMED} more"] if len(texts) > MOST_NAMED else []
    return ", ".join([*map(code, texts[:MOST_NAMED]), *more])


def _entity(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};"
