"""Print text that changes: in place on a terminal, and once for each change elsewhere."""

import shutil
from collections.abc import Sequence
from typing import TextIO


class Screen:
    """Prints versions of a text."""

    def __init__(self, out: TextIO) -> None:
        """Print to a stream."""
        self._out = out
        self._key: object = None
        self._terminal = out.isatty()
        self._above = 0  # lines of the last version

    def show(self, lines: Sequence[str], key: object) -> None:
        """Show a version.

        Args:
            lines: Its lines, without line ends. On a terminal, what does not fit is cut off.
            key: Where the stream is no terminal, a version with the same key as the last one is not printed.
        """
        if self._terminal:
            size = shutil.get_terminal_size()
            lines = [line[: size.columns - 1] for line in lines[: size.lines - 1]]
            back = f"\x1b[{self._above}F" if self._above else ""
            self._out.write(f"{back}\x1b[J" + "".join(f"{line}\n" for line in lines))
            self._above = len(lines)
        elif key != self._key:
            gap = "" if self._key is None else "\n"
            self._out.write(gap + "".join(f"{line}\n" for line in lines))
        self._key = key
        self._out.flush()
