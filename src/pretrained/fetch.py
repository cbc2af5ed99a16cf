"""Get the file of an encoder's weights: from a Python package, from Keras's server, or from the disk."""

import hashlib
import http.client
import importlib.util
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from src.errors import UserError, printable
from src.params import Encoder
from src.pretrained.sources import REQUIREMENTS, SOURCES, Source

MOST = 2**30  # bytes; the largest known file, VGG16 with its classifier, has 553 million
TIMEOUT = 30  # seconds without an answer of the server


@dataclass(frozen=True)
class Fetched:
    """A file of weights.

    Attributes:
        content: All of it.
        place: Where it was found: a path or an address.
        note: Why its origin is not certain; "" if its sum is the published one.
    """

    content: bytes
    place: str
    note: str = ""

    @property
    def sha256(self) -> str:
        """Its SHA-256 in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


def fetch(encoder: Encoder, file: Path | None = None) -> Fetched:
    """Get the file of an encoder's weights, and compare it with the published sum.

    Args:
        encoder: Any but plain.
        file: A downloaded file. None: from the package or the server.

    Raises:
        UserError: There is no such file, package or network, or the file is not the published one. A file of Keras
            that the user gave may differ from it, since there are others with the classifier, and only arrays are read
            from it; the note says so.
    """
    source = SOURCES[encoder]
    if file:
        content, place = _read(file), str(file)
    elif source.downloaded:
        content, place = _download(encoder, source), source.place
    else:
        path = _in_package(encoder, source)
        content, place = _read(path), str(path)
    note = _compare_sum(source, content)
    if note and (source.sha256 or not file):
        raise UserError(f"{place}: not the published {source.file}: {note}\n{_remedy(encoder, source)}")
    return Fetched(content, place, note or ("" if source.sha256 or source.md5 else "its publisher names no sum"))


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    if path.stat().st_size > MOST:
        raise UserError(f"{path}: {path.stat().st_size} bytes; a file of weights has at most {MOST}")
    return path.read_bytes()


def _in_package(encoder: Encoder, source: Source) -> Path:
    """The file in the installed package, which is found without importing it."""
    package = importlib.util.find_spec(source.place.replace("-", "_"))
    if package is None or package.origin is None:
        raise UserError(
            f"{encoder}: the package {source.place}, which contains the weights, is not installed\n"
            f"{_remedy(encoder, source)}"
        )
    return Path(package.origin).parent / "models" / source.file


def _download(encoder: Encoder, source: Source) -> bytes:
    print(f"downloading {source.place}", flush=True)
    try:
        with urllib.request.urlopen(source.place, timeout=TIMEOUT) as response:
            content: bytes = response.read(MOST + 1)
            size = int(response.headers.get("Content-Length", len(content)))
        if len(content) != size or size > MOST:
            raise ValueError(f"{len(content)} of {size} bytes arrived")
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = printable(str(getattr(error, "reason", None) or error))
        remedy = f"Download it on another machine, and name the file:\n  {_with_file(encoder, source)}"
        raise UserError(f"{source.place}: cannot be downloaded: {reason}\n{remedy}") from None
    return content


def _with_file(encoder: Encoder, source: Source) -> str:
    return f"python -m tools.encoder {encoder} --file {source.file}"


def _remedy(encoder: Encoder, source: Source) -> str:
    """The commands that bring the file."""
    first = "Run it again" if source.downloaded else f"  pip install -r {REQUIREMENTS}"
    return f"{first}\nor name a downloaded file:\n  {_with_file(encoder, source)}"


def _compare_sum(source: Source, content: bytes) -> str:
    """How the sum of a file differs from the published one; "" if it agrees or none is published."""
    for name, published in (("SHA-256", source.sha256), ("MD5", source.md5)):
        found = hashlib.new(name.replace("-", ""), content, usedforsecurity=False).hexdigest() if published else ""
        if found != published:
            return f"its {name} is {found} instead of {published}"
    return ""
