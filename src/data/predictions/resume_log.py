"""Which images of a prediction are finished, so that an interrupted run continues.

The output folder has a log with one JSON line for each finished image. A run that predicts a part of the images
(`tools.predict --shard`) has a log of its own.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from src.data.predictions.inputs import Input, name_key
from src.errors import UserError, listing, printable

FOLDERS = (
    "masks",
    "overlays",
    "probabilities",
    "objects",
    "labels",
    "polygons",
)  # folders of results in the output folder
UNKNOWN = "a result of an unknown image, written by an earlier version of this program"


@dataclass(frozen=True)
class FileState:
    """State of an image file when it was read.

    Attributes:
        size: Size in bytes.
        changed: Time of the last change, in nanoseconds.
    """

    size: int
    changed: int

    @classmethod
    def of(cls, path: Path) -> "FileState":
        """The current state of a file."""
        status = path.stat()
        return cls(status.st_size, status.st_mtime_ns)


@dataclass(frozen=True)
class FinishedImage:
    """A line of the log.

    Attributes:
        name: Name of the results, see `Input`.
        source: Path of the image; "" in logs of an earlier version, which did not record it.
        state: State of the image file when it was read.
        kinds: The kinds of results that were written.
        files: The files that were written, relative to the output folder.
    """

    name: str
    source: str
    state: FileState
    kinds: list[str]
    files: list[str]

    def of_image(self, path: Path) -> bool:
        """Return whether the results belong to the image at this path, even if its content has changed since."""
        if self.source == str(path):
            return True
        if not self.source:
            return self.state == FileState.of(path)
        try:
            return Path(self.source).samefile(path)
        except (FileNotFoundError, NotADirectoryError):  # the image was moved here, if size and time are unchanged
            return self.state == FileState.of(path)
        except (OSError, ValueError):
            return False


class ResumeLog:
    """The finished images of an output folder: reads the logs of all parts, and adds to the log of its own part.

    Args:
        folder: The output folder, which exists.
        model: Hash of the model file.
        part: Suffix of the log's name: "" for `finished.jsonl`, "-3-of-16" for `finished-3-of-16.jsonl`.

    Raises:
        UserError: The folder holds results of another model, or folders of results without a log.
    """

    def __init__(self, folder: Path, model: str, part: str = "") -> None:
        self.folder, self.model, self.path = folder, model, folder / f"finished{part}.jsonl"
        self.images: dict[str, FinishedImage] = {}  # `name_key` of the name → image
        logs = sorted(folder.glob("finished*.jsonl"))
        if not logs and any((folder / name).exists() for name in FOLDERS):
            raise UserError(
                f"{folder}: holds {' or '.join(FOLDERS)} that tools.predict did not write: choose another folder"
            )
        for path in logs:
            for line in path.read_text(encoding="utf-8").splitlines():
                self._read(line)

    def _read(self, line: str) -> None:
        """Read one line. A line that was cut off is skipped: its image is predicted again."""
        try:
            content = json.loads(line)
            model = str(content["model"])
            image = FinishedImage(
                name=str(content["name"]),
                source=str(content.get("source", "")),
                state=FileState(*content["image"]),
                kinds=list(content["kinds"]),
                files=list(map(str, content["files"])),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return
        if model != self.model:
            raise UserError(f"{self.folder}: holds results of another model: choose another folder, or delete it")
        self.images[name_key(image.name)] = image

    def refuse_others(self, inputs: Iterable[Input]) -> None:
        """Refuse to replace the results of another image. An image that changed at the same path is not another image.

        Raises:
            UserError: Results would be replaced. The message lists all of them.
        """
        problems = []
        for one in inputs:
            image = self.images.get(name_key(one.name.as_posix()))
            if image and one.path.is_file() and not image.of_image(one.path):
                earlier = f"the result of {printable(image.source)}" if image.source else UNKNOWN
                problems.append(f"{printable(str(one.path))}: would replace {earlier}, {printable(image.name)!r}")
        if problems:
            raise UserError(
                f"{self.folder}: holds results of other images under the same names; choose another folder with --out, "
                f"or name both images, or their folders, in one call\n{listing(problems)}"
            )

    def is_finished(self, one: Input, kinds: Iterable[str]) -> bool:
        """Return whether all results of an image exist and the image has not changed since.

        Args:
            one: The image.
            kinds: The kinds of results that are wanted.
        """
        if (image := self.images.get(name_key(one.name.as_posix()))) is None:
            return False
        try:
            unchanged = image.of_image(one.path) and image.state == FileState.of(one.path)
            return unchanged and {*kinds} <= {*image.kinds} and all((self.folder / f).is_file() for f in image.files)
        except OSError:
            return False

    def add(self, one: Input, state: FileState, kinds: Iterable[str], results: Iterable[Path]) -> None:
        """Add an image to the log. Call it when all its results are written.

        Args:
            one: The image.
            state: State of its file when it was read.
            kinds: The kinds of results.
            results: The files that were written, in the output folder.
        """
        files = [result.relative_to(self.folder).as_posix() for result in results]
        done = FinishedImage(one.name.as_posix(), str(one.path), state, list(kinds), files)
        self.images[name_key(done.name)] = done
        image = {"name": done.name, "source": done.source, "image": [state.size, state.changed]}
        content = image | {"kinds": done.kinds, "files": files, "model": self.model}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(content) + "\n")
