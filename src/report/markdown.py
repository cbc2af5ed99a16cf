"""Tables and foreign words in GitHub's Markdown: names from a data set are shown as they are, whatever they hold."""

import re
from collections.abc import Sequence

from src.errors import printable

PLAIN = re.compile(r"[^0-9A-Za-z .,+\-–]|(?<=[Ww]{3})\.")  # every other character is escaped, and a www. is no link
READABLE = re.compile(r"[^\w .,:;%()+\-–]|_|(?<=[Ww]{3})\.")  # the same in prose: what marks up, links or mentions
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


def _entity(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};"
