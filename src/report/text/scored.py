"""The scores of a labelled folder in the terminal."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from src.report.text.summary import aligned, class_table, measured


def scored_text(
    scores: Mapping[str, Any], notes: Sequence[str], unit: str, out: Path, warnings: Sequence[str] = ()
) -> str:
    """Notes, headlines, the table of classes, and where the rest is.

    Args:
        scores: as in scores.json.
        notes: how the masks were read.
        unit: of distances.
        out: the folder of the tables.
        warnings: what a reader of the headline needs to know, see `measured`.
    """
    closing = [f"tables: {out}", f"set it beside other scores: python -m tools.compare OTHER {out}"]
    found = measured(scores, unit, warnings=warnings)
    return "\n".join(["", *notes, "", *found, "", *aligned(class_table(scores)), "", *closing])
