"""The one exception that a stage shows as a message instead of a traceback."""

from collections.abc import Iterable

MOST_SHOWN = 50  # lines of one message; the rest is counted, never dropped silently


class UserError(Exception):
    """Something that the user can put right: the message names the file or key, the reason and the remedy."""


def listing(lines: Iterable[str]) -> str:
    """Indent `lines`, one below the other, and say how many were left out beyond `MOST_SHOWN`."""
    lines = list(lines)
    shown = [f"  {line}" for line in lines[:MOST_SHOWN]]
    if len(lines) > MOST_SHOWN:
        shown.append(f"  … and {len(lines) - MOST_SHOWN} more")
    return "\n".join(shown)
