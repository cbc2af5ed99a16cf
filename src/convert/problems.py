"""What stands in the way of a conversion: collected over the whole source, shown as one message."""

import contextlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from src.data.unreadable import Finding
from src.errors import UserError, listing
from src.files import read_text

LONGEST = 160  # characters of a name in a message


class Refused(Exception):
    """An entry that cannot be converted; the message says why, the remedy what helps."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy


class Findings(list[Finding]):
    """The problems met so far: errors stop the conversion once all are known, warnings are shown at its end."""

    def warn(self, file: str, what: str, remedy: str) -> None:
        self.append(Finding(file, "warning", what, remedy))

    @contextlib.contextmanager
    def collect(self, file: str) -> Iterator[None]:
        """Turn what the block refuses into an error about `file`."""
        try:
            yield
        except Refused as error:
            self.append(Finding(file, "error", str(error), error.remedy))
        except ValidationError as error:
            first, *more = error.errors()
            place = ".".join(map(str, first["loc"]))
            others = f" (and {len(more)} more)" if more else ""
            self.append(Finding(file, "error", f"{place}: {first['msg']}{others}", "correct the entry"))

    @property
    def warnings(self) -> list[Finding]:
        return [finding for finding in self if finding.severity == "warning"]

    def stop_on_errors(self) -> None:
        """`UserError` with every error, if there is one."""
        errors = [finding for finding in self if finding.severity == "error"]
        if errors:
            lines = lines_of(errors)
            raise UserError(f"{len(errors)} problem(s) in the annotations; nothing was written\n{lines}")


def quoted(text: object) -> str:
    """What came from outside, for a message: no character of it reaches the terminal as it is, and not a page of it."""
    shown = repr(text)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]} …"


def lines_of(findings: Iterable[Finding]) -> str:
    return listing(f"{quoted(finding.file)}: {finding.what} → {finding.setting}" for finding in findings)


def parse_json(path: Path) -> Any:
    """The content of a JSON file from outside; raises `Refused`."""
    try:
        return json.loads(read_text(path))
    except UserError:
        raise Refused("cannot be read, or is not UTF-8", "export it again") from None
    except (ValueError, RecursionError) as error:
        raise Refused(f"is not valid JSON: {error}", "export it again") from None
