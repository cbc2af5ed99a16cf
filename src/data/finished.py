"""What of a prediction is finished: a line for each image in a file of the output folder, a file for each part."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from src.data.inputs import Input
from src.errors import UserError

FOLDERS = ("masks", "overlays", "probabilities")  # of results, below the output folder


@dataclass(frozen=True)
class State:
    """Of an image file when it was read: its bytes, and when it was last changed."""

    size: int
    changed: int

    @classmethod
    def of(cls, path: Path) -> "State":
        status = path.stat()
        return cls(status.st_size, status.st_mtime_ns)


class Finished:
    """Reads what all parts have finished, and adds to its own: `finished.jsonl`, or `finished-3-of-16.jsonl`."""

    def __init__(self, folder: Path, model: str, part: str = "") -> None:
        """model: the hash of its file; `UserError` if the folder's results are not of it, or of no prediction."""
        self.folder, self.model, self.path = folder, model, folder / f"finished{part}.jsonl"
        self.known: dict[str, tuple[State, list[str], list[str]]] = {}  # name → image, kinds and files of its results
        found = sorted(folder.glob("finished*.jsonl"))
        if not found and any((folder / name).exists() for name in FOLDERS):
            raise UserError(f"{folder}: holds {' or '.join(FOLDERS)} that are of no prediction: choose another folder")
        for path in found:
            for line in path.read_text(encoding="utf-8").splitlines():
                self._take(line)

    def _take(self, line: str) -> None:
        try:
            told = json.loads(line)
            model, name = str(told["model"]), str(told["name"])
            known = State(*told["image"]), list(told["kinds"]), list(map(str, told["files"]))
        except (ValueError, KeyError, TypeError):
            return  # cut off: that image is predicted again
        if model != self.model:
            raise UserError(f"{self.folder}: holds results of another model: choose another folder, or delete it")
        self.known[name] = known

    def has(self, one: Input, kinds: Iterable[str]) -> bool:
        """Whether all kinds of results are there, of the image as it is now."""
        if (known := self.known.get(one.name.as_posix())) is None:
            return False
        state, there, files = known
        try:
            return (
                state == State.of(one.path) and {*kinds} <= {*there} and all((self.folder / f).is_file() for f in files)
            )
        except OSError:
            return False

    def add(self, one: Input, state: State, kinds: Iterable[str], results: Iterable[Path]) -> None:
        """Note that an image's results are written."""
        files = [result.relative_to(self.folder).as_posix() for result in results]
        image = {"name": one.name.as_posix(), "image": [state.size, state.changed]}
        told = image | {"kinds": list(kinds), "files": files, "model": self.model}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(told) + "\n")
