"""Tables and foreign words in GitHub's Markdown: names from a data set are shown as they are, whatever they hold."""

import re
from collections.abc import Sequence

from src.errors import printable

BETWEEN = r"(?<![0-9A-Za-z])[/_]|[/_](?![0-9A-Za-z])|(?<=[Ww]{3})\."  # in a word a / or _ does nothing, a www. links
PLAIN = re.compile(rf"[^0-9A-Za-z .,+\-–/_]|{BETWEEN}")  # every other character is escaped
READABLE = re.compile(rf"[^\w .,:;%()+\-–'/]|{BETWEEN}")  # the same in prose, where fewer would be hard to read
MOST_NAMED = 12
Cells = list[str]


def markdown_table(header: Cells, body: Sequence[Cells], left: int = 1) -> str:
    """The first `left` columns set left, the others right; cells are escaped already."""
    rule = [*["---"] * left, *["---:"] * (len(header) - left)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *body))


def code(text: str) -> str:
    """The text as inline code of HTML in Markdown: no character of it marks up, links or mentions anything."""
    return f"<code>{PLAIN.sub(_entity, printable(text))}</code>"


def prose(text: str) -> str:
    """The same for words with names in them, not set as code; a line break is shown as \\n."""
    return READABLE.sub(_entity, printable(text))


def names(texts: Sequence[str]) -> str:
    """The first `MOST_NAMED` of them as code, and how many more there are."""
    more = [f"and {len(texts) - MOST_NAMED} more"] if len(texts) > MOST_NAMED else []
    return ", ".join([*map(code, texts[:MOST_NAMED]), *more])


def _entity(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};"
