"""The one exception that a stage shows as a message instead of a traceback."""

import errno
from collections.abc import Callable, Iterable
from typing import Any

MOST_SHOWN = 50  # lines of one message; the rest is counted, never dropped silently
LONGEST = 160  # characters of a name in a message


class UserError(Exception):
    """Something that the user can put right: the message names the file or key, the reason and the remedy."""


def of_system(error: OSError) -> str:
    """What the operating system refused, in words: a full disk, a folder without rights."""
    remedy = "; free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else ""
    return f"{error.filename or 'a file'}: {error.strerror or error}{remedy}; nothing half-written is left"


def listing(lines: Iterable[str]) -> str:
    """Indent `lines`, one below the other, and say how many were left out beyond `MOST_SHOWN`."""
    lines = list(lines)
    shown = [f"  {line}" for line in lines[:MOST_SHOWN]]
    if len(lines) > MOST_SHOWN:
        shown.append(f"  … and {len(lines) - MOST_SHOWN} more")
    return "\n".join(shown)


def quoted(text: object) -> str:
    """What came from outside, for a message: no character of it reaches the terminal as it is, and not a page of it."""
    shown = repr(text)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]} …"


def some(names: Iterable[object], most: int = 5, show: Callable[[Any], str] = quoted) -> str:
    """The first names for a message, and how many more there are: 'a', 'b' and 7 more.

    Args:
        names: All names.
        most: How many are shown at most.
        show: How one is written.
    """
    names = list(names)
    shown = ", ".join(show(name) for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def printable(text: str) -> str:
    """The text with what a terminal would obey or not show as an escape: a line break as \\n."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
