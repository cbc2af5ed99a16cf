"""How well exports agree with the model they were made of, as Markdown, which is read in the terminal, too."""

from collections.abc import Mapping, Sequence
from typing import Any

from src.report.text.comparison import markdown_table, printable
from src.report.text.summary import number

HEADER = ["", "largest difference in probability", "pixels of another class", "mean Dice", "MB", "megapixels/s"]


def exported_markdown(model: str, rows: Sequence[Mapping[str, Any]], notes: Sequence[str]) -> str:
    """rows: as of `Agreement`, the first of them what the others are set beside; notes: a line each."""
    reference, *others = rows
    body = [[reference["name"], "–", "–", *_measured(reference)]]
    body += [[row["name"], f"{row['difference']:.1e}", _share(row["changed"]), *_measured(row)] for row in others]
    listed = "\n".join(f"- {note}" for note in notes)
    return f"## Exports of {printable(model)}\n\n{markdown_table(HEADER, body)}\n\n{listed}\n"


def _share(changed: float) -> str:
    return f"{changed:.4%}" if changed else "none"


def _measured(row: Mapping[str, Any]) -> list[str]:
    dice = row["dice"]
    return [number(None if dice != dice else dice, 4), number(row["megabytes"], 1), number(row["pace"], 2)]
