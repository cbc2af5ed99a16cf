"""Finds files that annotations name by a URL or by a path of another computer."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import unquote

from src.convert.names import locate, safe_name
from src.convert.problems import Findings, Refused
from src.errors import quoted, some

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://[^/?#]*(?P<path>[^?#]*)")  # scheme, server, path, query
LOCAL_FILES = "?d="  # Label Studio: /data/local-files/?d=PATH
UPLOAD = re.compile(r"^[0-9a-f]{8}-")  # the prefix that Label Studio adds to the name of an uploaded file


class Finder:
    """Finds the files that annotations name.

    A name is tried as it is, then URL-decoded. Then the longest end of its path that matches the end of exactly one
    file's path decides; at least the base name must match. For example, `/data/upload/1/a%20b.png` and
    `C:\\photos\\a b.png` both lead to `a b.png`.

    Args:
        root: The folder of images.
        files: The paths of all images below it.
    """

    def __init__(self, root: Path, files: Sequence[PurePosixPath]) -> None:
        self.root = root
        self.by_base: dict[str, list[PurePosixPath]] = defaultdict(list)
        self.by_stem: dict[str, list[PurePosixPath]] = defaultdict(list)
        for file in files:
            self.by_base[_composed(file.name)].append(file)
            self.by_stem[_composed(file.stem).casefold()].append(file)

    def find(self, text: str) -> PurePosixPath:
        """Return the path below the root of the file that `text` names.

        Raises:
            Refused: No file matches, or several do.
        """
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
        """The end of a message that names a file of a similar name; empty if there is none."""
        for base in (parts[-1] for parts in variants if parts):
            for stem in (PurePosixPath(base).stem, PurePosixPath(UPLOAD.sub("", base)).stem):
                if close := self.by_stem.get(stem.casefold()):
                    return f"; a file of a similar name is {quoted(str(close[0]))}"
        return ""


def warn_of_found_names(elsewhere: Mapping[str, PurePosixPath], path: Path, findings: Findings) -> None:
    """Warn of images that were found under another path than the one in the annotations.

    Args:
        elsewhere: Name in the annotations → path of the image below the folder of images.
        path: The file of annotations.
        findings: Gets the warning.
    """
    if elsewhere:
        shown = some((f"{quoted(given)} is {quoted(str(found))}" for given, found in elsewhere.items()), show=str)
        what = (
            f"{len(elsewhere)} file_name(s) are not paths below the folder of images; the files were found by "
            f"decoded name or base name: {shown}"
        )
        findings.warn(str(path), what, "check that these are the images that were annotated")


def warn_of_unlisted(
    names: Sequence[PurePosixPath], used: Set[PurePosixPath], images: Path, findings: Findings
) -> None:
    """Warn of images that the annotations do not name.

    Args:
        names: The paths of all images.
        used: Those that the annotations name.
        images: The folder of images.
        findings: Gets the warning.
    """
    others = [name for name in names if name not in used]
    if others:
        what = f"{len(others)} image(s) there are not in the JSON, and left out; the first is {quoted(str(others[0]))}"
        findings.warn(str(images), what, "add them to the JSON if they show nothing of the classes")


def _parts(text: str) -> tuple[str, ...]:
    """The parts of a path or URL after its drive, its server and its last `..`; composed Unicode."""
    if LOCAL_FILES in text:
        text = text.partition(LOCAL_FILES)[2]
    elif url := URL.match(text):  # not urlsplit: it raises ValueError for a server name such as "[x"
        text = url["path"]
    path = PureWindowsPath(text)  # splits at both separators
    parts = path.parts[1:] if path.anchor else path.parts
    last = max((position for position, part in enumerate(parts, 1) if part == ".."), default=0)
    return tuple(_composed(part) for part in parts[last:])


def _ends(file: PurePosixPath, ends: set[tuple[str, ...]]) -> bool:
    return any(tuple(map(_composed, file.parts[-len(end) :])) == end for end in ends)


def _composed(text: str) -> str:
    """The text in composed Unicode; macOS stores some names decomposed."""
    return unicodedata.normalize("NFC", text)
