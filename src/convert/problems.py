"""Collects the problems of a conversion over the whole source, so that one message can list all of them."""

import contextlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError

from src.data.reading.unreadable import Finding
from src.errors import UserError, listing, quoted
from src.files import Content


class Refused(Exception):
    """An entry cannot be converted. The message says why.

    Args:
        what: The reason.
        remedy: What the user can do.
    """

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy


class Degenerate(Refused):
    """A polygon encloses nothing: it has fewer than three points, or an incomplete list of coordinates."""

    def __init__(self, what: str) -> None:
        super().__init__(what, "draw it again, or leave all such polygons out with --skip-degenerate")


class Findings(list[Finding]):
    """The problems found so far: errors, warnings, and polygons that were skipped.

    Args:
        skip_degenerate: Record a `Degenerate` polygon as skipped instead of as an error.
    """

    def __init__(self, skip_degenerate: bool = False) -> None:
        super().__init__()
        self.skip_degenerate = skip_degenerate

    def warn(self, file: str, what: str, remedy: str) -> None:
        """Add a warning.

        Args:
            file: The file, or the place in it.
            what: What is unusual.
            remedy: What the user can check or do.
        """
        self.append(Finding(file, "warning", what, remedy))

    @contextlib.contextmanager
    def collect(self, file: str) -> Iterator[None]:
        """Record an exception of the block as a problem of `file`: `Refused`, or a validation error of Pydantic."""
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
        """The warnings, in the order they were added."""
        return [finding for finding in self if finding.severity == "warning"]

    @property
    def skipped(self) -> list[Finding]:
        """The polygons that were skipped, in the order they were added."""
        return [finding for finding in self if finding.severity == "skipped"]

    def stop_on_errors(self) -> None:
        """Raise `UserError` with a list of all errors, if there are any."""
        errors = [finding for finding in self if finding.severity == "error"]
        if errors:
            lines = lines_of(errors)
            raise UserError(f"{len(errors)} problem(s) in the annotations; nothing was written\n{lines}")


@contextlib.contextmanager
def located(place: str) -> Iterator[None]:
    """Add a place inside a file to the message of a `Refused` that the block raises."""
    try:
        yield
    except Refused as error:
        error.args = (f"{place}: {error}",)
        raise


def lines_of(findings: Iterable[Finding]) -> str:
    """List findings for a message, one line each: file, reason and remedy."""
    return listing(f"{quoted(finding.file)}: {finding.what} → {finding.setting}" for finding in findings)


def parse_json(path: Path, encoding: str | None = None) -> Content:
    """Return the content of a JSON file from another program.

    Args:
        path: The file.
        encoding: The encoding to try if the file is not UTF-8, nor the UTF-16 or UTF-32 that its first bytes prove.

    Raises:
        Refused: The file cannot be read, decoded or parsed.
    """
    try:
        data = path.read_bytes()
        try:
            text = data.decode(json.detect_encoding(data))
        except UnicodeDecodeError:
            text = data.decode(encoding or "ascii")
        return json.loads(text)
    except OSError as error:
        raise Refused(f"cannot be read: {error.strerror}", "check the file and its permissions") from None
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
