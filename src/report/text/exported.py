"""How well do exported models agree with the Keras model? A table in Markdown, also printed in the terminal."""

import math
from collections.abc import Sequence
from typing import Protocol

from src.errors import printable
from src.report.text.format import ABSENT, number
from src.report.text.markdown import markdown_table

HEADER = ["", "largest difference in probability", "pixels of another class", "mean Dice", "MB", "megapixels/s"]


class Agreement(Protocol):
    """The fields that are read of src/model/export/agreement.py, which this package must not import.

    Attributes:
        name: What was run, such as the format.
        difference: Largest absolute difference of a probability.
        changed: Share of the pixels that get another class.
        dice: Mean Dice, NaN if no image counts.
        megabytes: Size of the file or folder.
        pace: Megapixels per second.
    """

    @property
    def name(self) -> str: ...

    @property
    def difference(self) -> float: ...

    @property
    def changed(self) -> float: ...

    @property
    def dice(self) -> float: ...

    @property
    def megabytes(self) -> float: ...

    @property
    def pace(self) -> float: ...


def exported_markdown(model: str, rows: Sequence[Agreement], notes: Sequence[str]) -> str:
    """Write the table of exports.

    Args:
        model: Path of the Keras model.
        rows: One row for each way to run the model; the others were compared with the first.
        notes: A line each, below the table.
    """
    reference, *others = rows
    body = [[reference.name, ABSENT, ABSENT, *_measured(reference)]]
    body += [[row.name, f"{row.difference:.1e}", _share(row.changed), *_measured(row)] for row in others]
    listed = "\n".join(f"- {note}" for note in notes)
    return f"## Exports of {printable(model)}\n\n{markdown_table(HEADER, body)}\n\n{listed}\n"


def _share(changed: float) -> str:
    return f"{changed:.4%}" if changed else "none"


def _measured(row: Agreement) -> list[str]:
    return [number(None if math.isnan(row.dice) else row.dice, 4), number(row.megabytes, 1), number(row.pace, 2)]
