"""The scores of a labelled folder in the terminal."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from src.report.page import aligned, class_table, measured


def scored_text(scores: Mapping[str, Any], notes: Sequence[str], unit: str, out: Path, caveat: str = "") -> str:
    """Notes, headlines, the table of classes, and where the rest is; scores: as in scores.json; unit: of distances.

    caveat: what limits the intervals, see src/data/caveat.py.
    """
    closing = [f"tables: {out}", f"set it beside other scores: python -m tools.compare OTHER {out}"]
    return "\n".join(
        ["", *notes, "", *measured(scores, unit, caveat=caveat), "", *aligned(class_table(scores)), "", *closing]
    )
