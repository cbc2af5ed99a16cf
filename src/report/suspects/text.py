"""The most suspicious masks as text for the terminal."""

from collections.abc import Sequence

from src.errors import printable
from src.report.text.format import aligned
from src.suspects.ranking import Suspect

SHOWN = 10
NONE = "no mask disagrees with the predictions in a way that a shift, a swap, an object or an exchange explains"
MEANING = (
    "The score is the share of a mask's disagreement with the prediction that one correction removes, minus what is "
    "usual for this kind of error. Look at the pictures from the top, and stop where the masks are right."
)


def suspects_text(suspects: Sequence[Suspect], judged: int) -> str:
    """List the most suspicious masks.

    Args:
        suspects: The masks, the most suspicious first.
        judged: The number of all masks.
    """
    if not suspects:
        return f"{judged} masks: {NONE}"
    rows = [["image", "rank", "score"], *(_cells(rank, one) for rank, one in enumerate(suspects[:SHOWN], start=1))]
    reasons = ["  reason", *(f"  {printable(one.error.words)}" for one in suspects[:SHOWN])]
    table = [line + reason for line, reason in zip(aligned(rows), reasons, strict=True)]
    return "\n".join([f"The {len(rows) - 1} most suspicious of {judged} masks:", *table, "", MEANING])


def _cells(rank: int, suspect: Suspect) -> list[str]:
    return [printable(suspect.id), str(rank), f"{suspect.score:.3f}"]
