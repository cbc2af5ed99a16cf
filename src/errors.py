"""The exception for problems that a user can solve, and helpers that put names and lists into messages."""

import errno
from collections.abc import Callable, Iterable

MOST_SHOWN = 50  # lines of one message; further lines are counted
LONGEST = 160  # characters of a name in a message


class UserError(Exception):
    """A problem that the user can solve. Stages and tools print the message instead of a traceback.

    The message names the file or key, the reason and the remedy.
    """


class Interrupted(UserError):
    """The work stopped before its end, for a reason that the same command does not meet again: it continues.

    Raised after a stop by the user or a full disk, for example, and not if the settings have to change.
    """


def describe_os_error(error: OSError) -> str:
    """Describe a failed file operation, such as a full disk or a folder without write permission."""
    remedy = "; free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else ""
    return f"{error.filename or 'a file'}: {error.strerror or error}{remedy}; nothing half-written is left"


def listing(lines: Iterable[str]) -> str:
    """Join `lines` into an indented block. Beyond `MOST_SHOWN` lines, only the number of the others is shown."""
    lines = list(lines)
    shown = [f"  {line}" for line in lines[:MOST_SHOWN]]
    if len(lines) > MOST_SHOWN:
        shown.append(f"  … and {len(lines) - MOST_SHOWN} more")
    return "\n".join(shown)


def quoted(text: object) -> str:
    """Quote untrusted text for a message: control characters are escaped, long text is cut off at `LONGEST`."""
    shown = repr(text)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]} …"


def some(names: Iterable[object], most: int = 5, show: Callable[[object], str] = quoted) -> str:
    """List the first names for a message, and count the others: 'a', 'b' and 7 more.

    Args:
        names: All names.
        most: The largest number of names that are shown.
        show: Formats one name.
    """
    names = list(names)
    shown = ", ".join(show(name) for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def printable(text: str) -> str:
    """Escape every character that a terminal would not display or would act on: a line break becomes \\n."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
