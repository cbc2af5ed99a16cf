"""What stands in the way of a conversion: collected over the whole source, shown as one message."""

import contextlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from src.data.reading.unreadable import Finding
from src.errors import UserError, listing, quoted


class Refused(Exception):
    """An entry that cannot be converted; the message says why, the remedy what helps."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy


class Degenerate(Refused):
    """A polygon that encloses nothing: fewer than three points, or a list of coordinates that is not complete."""

    def __init__(self, what: str) -> None:
        super().__init__(what, "draw it again, or leave all such polygons out with --skip-degenerate")


class Findings(list[Finding]):
    """The problems found so far: errors stop the conversion once all are known, the rest is shown at its end.

    Args:
        skip_degenerate: A `Degenerate` polygon is left out and recorded as skipped, instead of an error.
    """

    def __init__(self, skip_degenerate: bool = False) -> None:
        super().__init__()
        self.skip_degenerate = skip_degenerate

    def warn(self, file: str, what: str, remedy: str) -> None:
        self.append(Finding(file, "warning", what, remedy))

    @contextlib.contextmanager
    def collect(self, file: str) -> Iterator[None]:
        """Turn what the block refuses into an error about `file`."""
        try:
            yield
        except Refused as error:
            if self.skip_degenerate and isinstance(error, Degenerate):
                self.append(Finding(file, "skipped", str(error), "draw it again if it counts"))
            else:
                self.append(Finding(file, "error", str(error), error.remedy))
        except ValidationError as error:
            first, *more = error.errors()
            place = ".".join(map(str, first["loc"]))
            others = f" (and {len(more)} more)" if more else ""
            self.append(Finding(file, "error", f"{place}: {first['msg']}{others}", "correct the entry"))

    @property
    def warnings(self) -> list[Finding]:
        return [finding for finding in self if finding.severity == "warning"]

    @property
    def skipped(self) -> list[Finding]:
        return [finding for finding in self if finding.severity == "skipped"]

    def stop_on_errors(self) -> None:
        """`UserError` with every error, if there is one."""
        errors = [finding for finding in self if finding.severity == "error"]
        if errors:
            lines = lines_of(errors)
            raise UserError(f"{len(errors)} problem(s) in the annotations; nothing was written\n{lines}")


@contextlib.contextmanager
def placed(place: str) -> Iterator[None]:
    """Put the place inside a file before what the block refuses."""
    try:
        yield
    except Refused as error:
        error.args = (f"{place}: {error}",)
        raise


def lines_of(findings: Iterable[Finding]) -> str:
    return listing(f"{quoted(finding.file)}: {finding.what} → {finding.setting}" for finding in findings)


def parse_json(path: Path, encoding: str | None = None) -> Any:
    """The content of a JSON file from outside; raises `Refused`.

    Args:
        path: The file.
        encoding: How its text is encoded if it is not UTF-8, nor the UTF-16 or UTF-32 that its first bytes prove.
    """
    try:
        data = path.read_bytes()
        try:
            text = data.decode(json.detect_encoding(data))
        except UnicodeDecodeError:
            text = data.decode(encoding or "ascii")
        return json.loads(text)
    except OSError as error:
        raise Refused(f"cannot be read: {error.strerror}", "check the file and its rights") from None
    except UnicodeDecodeError:
        what = (
            f"is neither UTF-8 nor {encoding}"
            if encoding
            else "is not UTF-8 (some Windows programs write other encodings)"
        )
        remedy = "save it as UTF-8, or, for labelme only, name its encoding: --encoding gbk"
        raise Refused(what, remedy) from None
    except (ValueError, RecursionError) as error:
        raise Refused(f"is not valid JSON: {error}", "export it again") from None
