"""File names in annotations that are not paths below the folder of images: URLs, paths of another computer."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import unquote

from src.convert.names import locate, safe_name
from src.convert.problems import Refused
from src.errors import quoted, some

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://[^/?#]*(?P<path>[^?#]*)")  # scheme, server, path, query
LOCAL_FILES = "?d="  # Label Studio: /data/local-files/?d=PATH
UPLOAD = re.compile(r"^[0-9a-f]{8}-")  # what Label Studio puts before the name of an uploaded file


class Finder:
    """Finds the files that annotations name.

    A name is tried as it is, then URL-decoded, then by the longest end of its path that is the end of a single file's
    path: at least the base name. So `/data/upload/1/a%20b.png` and `C:\\photos\\a b.png` both lead to `a b.png`.

    Args:
        root: The folder of images.
        files: Every image below it.
    """

    def __init__(self, root: Path, files: Sequence[PurePosixPath]) -> None:
        self.root = root
        self.by_base: dict[str, list[PurePosixPath]] = defaultdict(list)
        self.by_stem: dict[str, list[PurePosixPath]] = defaultdict(list)
        for file in files:
            self.by_base[_composed(file.name)].append(file)
            self.by_stem[_composed(file.stem).casefold()].append(file)

    def find(self, text: str) -> PurePosixPath:
        """The path below the root of the file that is named; raises `Refused` if none fits, or several do."""
        try:
            name = safe_name(text)
            locate(self.root, name)
            return name
        except Refused as error:
            refused = error
        variants = list(dict.fromkeys(_parts(variant) for variant in (text, unquote(text))))
        for length in range(max(map(len, variants)), 0, -1):
            ends = {parts[-length:] for parts in variants if len(parts) >= length}
            bases = {end[-1] for end in ends}
            fitting = [file for base in sorted(bases) for file in self.by_base.get(base, []) if _ends(file, ends)]
            if len(fitting) == 1:
                locate(self.root, fitting[0])
                return fitting[0]
            if fitting:
                raise Refused(
                    f"is not a file below {self.root}, and {len(fitting)} files there have the same base name: "
                    f"{some(map(str, fitting))}",
                    "name the file by its path below the folder of images",
                )
        raise Refused(f"{refused}{self._hint(variants)}", refused.remedy)

    def _hint(self, variants: Sequence[tuple[str, ...]]) -> str:
        """A file of a similar name, in words; empty if there is none."""
        for base in (parts[-1] for parts in variants if parts):
            for stem in (PurePosixPath(base).stem, PurePosixPath(UPLOAD.sub("", base)).stem):
                if close := self.by_stem.get(stem.casefold()):
                    return f"; a file of a similar name is {quoted(str(close[0]))}"
        return ""


def _parts(text: str) -> tuple[str, ...]:
    """The parts of a path or URL, without a drive, a server, and what leads upwards; composed unicode."""
    if LOCAL_FILES in text:
        text = text.partition(LOCAL_FILES)[2]
    elif url := URL.match(text):  # not urlsplit: it raises ValueError for a server name such as "[x"
        text = url["path"]
    path = PureWindowsPath(text)  # knows both separators
    parts = path.parts[1:] if path.anchor else path.parts
    last = max((position for position, part in enumerate(parts, 1) if part == ".."), default=0)
    return tuple(_composed(part) for part in parts[last:])


def _ends(file: PurePosixPath, ends: set[tuple[str, ...]]) -> bool:
    return any(tuple(map(_composed, file.parts[-len(end) :])) == end for end in ends)


def _composed(text: str) -> str:
    """Composed unicode: macOS stores some names decomposed."""
    return unicodedata.normalize("NFC", text)
