"""How do the scores of a labelled folder read in the terminal?"""

from collections.abc import Sequence
from pathlib import Path

from src.report.text.format import Scores, aligned
from src.report.text.summary import Wording, class_table, measured


def scored_text(scores: Scores, notes: Sequence[str], out: Path, wording: Wording) -> str:
    """Write notes, mean scores, the table of classes, and where the rest is.

    Args:
        scores: Scores as in scores.json.
        notes: How the masks were read, a sentence each.
        out: The folder of the tables.
        wording: The unit of distances, and warnings.
    """
    closing = [f"tables: {out}", f"compare with other scores: python -m tools.compare OTHER {out}"]
    return "\n".join(["", *notes, "", *measured(scores, wording), "", *aligned(class_table(scores)), "", *closing])
