"""The journal of a search: what was measured, in order. An interrupted search goes on from it.

All decisions of a search depend on the journal alone, the time that has passed included. So a search that is run again
asks for the same measurements in the same order, and is answered from the journal up to where it was interrupted.
"""

import json
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from src.files import Content, write_json

Measurement = dict[str, Content]


class Journal:
    """Measurements that are kept in a file.

    Attributes:
        path: The file.
        spent: Seconds of the search at the last measurement that was asked for.
        recalled: How many measurements were answered from the file.
    """

    def __init__(self, path: Path, started: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the measurements of an interrupted search, if there are any.

        Args:
            path: The file.
            started: The clock's time at which this process began to search.
            clock: Tells the time in seconds.
        """
        self.path, self.spent, self.recalled = path, 0.0, 0
        self._clock, self._known = clock, _read(path)
        self._offset = started - (self._known[-1]["spent"] if self._known else 0.0)

    @property
    def now(self) -> float:
        """Seconds of the search until now, those before an interruption included."""
        return self._clock() - self._offset

    @property
    def known(self) -> int:
        """The number of measurements in the file."""
        return len(self._known)

    def measure(self, question: Measurement, answer: Callable[[], Measurement]) -> Measurement:
        """Return a measurement from the journal, or make it and write it down.

        Args:
            question: What is measured.
            answer: Makes the measurement.
        """
        question = json.loads(json.dumps(question))
        if self.recalled < len(self._known) and self._known[self.recalled]["question"] != question:
            del self._known[self.recalled :]  # an answer to another question: of a search that went another way
        if self.recalled == len(self._known):
            found = answer()
            self._known.append({"question": question, "answer": found, "spent": round(self.now, 3)})
            write_json(self.path, {"measurements": self._known}, indent=None)
        record = self._known[self.recalled]
        self.recalled += 1
        self.spent = float(record["spent"])
        return dict(record["answer"])

    def discard(self) -> None:
        """Delete the file: the search has ended."""
        self.path.unlink(missing_ok=True)


def delete_abandoned(folder: Path, seconds: float, kept: Collection[Path] = ()) -> None:
    """Delete journals that nobody continued, and what is left of files that were being written.

    Args:
        folder: The folder of the journals.
        seconds: The age from which a file is deleted.
        kept: Files that stay.
    """
    for path in folder.glob("*"):
        with suppress(FileNotFoundError):  # another process deletes it at the same time
            if path not in kept and time.time() - path.stat().st_mtime > seconds:
                path.unlink()


def _read(path: Path) -> list[Measurement]:
    try:
        return list(json.loads(path.read_text(encoding="utf-8"))["measurements"])
    except (OSError, ValueError, KeyError, TypeError):
        return []  # none, or damaged: the search starts anew
