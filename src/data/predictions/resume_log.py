"""What of a prediction is finished: a line for each image in a file of the output folder, a file for each part."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from src.data.predictions.inputs import Input, key_of
from src.errors import UserError, listing, printable

FOLDERS = ("masks", "overlays", "probabilities")  # of results, below the output folder
UNKNOWN = "a result whose image was not noted (an earlier version made it) and is not this one as it is now"


@dataclass(frozen=True)
class State:
    """Of an image file when it was read: its bytes, and when it was last changed."""

    size: int
    changed: int

    @classmethod
    def of(cls, path: Path) -> "State":
        status = path.stat()
        return cls(status.st_size, status.st_mtime_ns)


@dataclass(frozen=True)
class Known:
    """What is finished under a name.

    source: the image's path, "" in files of an earlier version, which did not note it; state: of the image when it was
    read; kinds, files: of its results.
    """

    name: str
    source: str
    state: State
    kinds: list[str]
    files: list[str]

    def of_image(self, path: Path) -> bool:
        """Whether the results are of the image at this path, whatever has become of its content."""
        if self.source == str(path):
            return True
        if not self.source:
            return self.state == State.of(path)
        try:
            return Path(self.source).samefile(path)
        except (FileNotFoundError, NotADirectoryError):  # it has moved to this path if nothing else has changed
            return self.state == State.of(path)
        except (OSError, ValueError):
            return False


class Finished:
    """Reads what all parts have finished, and adds to its own: `finished.jsonl`, or `finished-3-of-16.jsonl`."""

    def __init__(self, folder: Path, model: str, part: str = "") -> None:
        """model: the hash of its file; `UserError` if the folder's results are not of it, or of no prediction."""
        self.folder, self.model, self.path = folder, model, folder / f"finished{part}.jsonl"
        self.known: dict[str, Known] = {}  # by `key_of` its name
        found = sorted(folder.glob("finished*.jsonl"))
        if not found and any((folder / name).exists() for name in FOLDERS):
            raise UserError(f"{folder}: holds {' or '.join(FOLDERS)} that are of no prediction: choose another folder")
        for path in found:
            for line in path.read_text(encoding="utf-8").splitlines():
                self._take(line)

    def _take(self, line: str) -> None:
        try:
            told = json.loads(line)
            model, name, source = str(told["model"]), str(told["name"]), str(told.get("source", ""))
            known = Known(name, source, State(*told["image"]), list(told["kinds"]), list(map(str, told["files"])))
        except (ValueError, KeyError, TypeError, AttributeError):
            return  # cut off: that image is predicted again
        if model != self.model:
            raise UserError(f"{self.folder}: holds results of another model: choose another folder, or delete it")
        self.known[key_of(name)] = known

    def refuse_others(self, inputs: Iterable[Input]) -> None:
        """`UserError` if the results of an input would replace those of another image; it lists all of them.

        A changed image at the same path is no other image.
        """
        problems = []
        for one in inputs:
            known = self.known.get(key_of(one.name.as_posix()))
            if known and one.path.is_file() and not known.of_image(one.path):
                earlier = f"the result of {printable(known.source)}" if known.source else UNKNOWN
                problems.append(f"{printable(str(one.path))}: would replace {earlier}, {printable(known.name)!r}")
        if problems:
            raise UserError(
                f"{self.folder}: holds results of other images under the same names; choose another folder with --out, "
                f"or name both images, or their folders, in one call\n{listing(problems)}"
            )

    def has(self, one: Input, kinds: Iterable[str]) -> bool:
        """Whether all kinds of results are there, of the image as it is now."""
        if (known := self.known.get(key_of(one.name.as_posix()))) is None:
            return False
        try:
            unchanged = known.of_image(one.path) and known.state == State.of(one.path)
            return unchanged and {*kinds} <= {*known.kinds} and all((self.folder / f).is_file() for f in known.files)
        except OSError:
            return False

    def add(self, one: Input, state: State, kinds: Iterable[str], results: Iterable[Path]) -> None:
        """Note that an image's results are written."""
        files = [result.relative_to(self.folder).as_posix() for result in results]
        image = {"name": one.name.as_posix(), "source": str(one.path), "image": [state.size, state.changed]}
        told = image | {"kinds": list(kinds), "files": files, "model": self.model}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(told) + "\n")
