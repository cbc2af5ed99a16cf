"""Gates for continuous integration: by how much a score may fall, with confidence."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from src.errors import UserError, listing
from src.evaluation.comparison.comparison import all_rows
from src.evaluation.comparison.table import MEASURES
from src.evaluation.comparison.verdict import Compared


@dataclass(frozen=True)
class GateResult:
    """The outcome of a gate.

    Attributes:
        most: By how much the score may fall, from 0 to 1.
        failed: Whether it fell by more.
        said: The difference and its interval, in words.
    """

    most: float
    failed: bool
    said: str


def read_gates(texts: Sequence[str], classes: Sequence[str]) -> dict[str, float]:
    """Parse gates such as dice.mean=0.01.

    Args:
        texts: KEY=NUMBER each; the number is from 0 to 1.
        classes: Names of the classes.

    Returns:
        Key → by how much the score may fall.

    Raises:
        UserError: A key or a number is wrong; the message lists all of them, and the keys that exist.
    """
    keys = [f"{measure}.{name}" for measure in MEASURES for name in ("mean", *classes)]
    gates, problems = {}, []
    for text in texts:
        key, _, number = text.rpartition("=")
        try:
            most = float(number)
        except ValueError:
            most = math.nan
        if key not in keys or not 0 <= most <= 1:
            problems.append(f"{text}: {'not a number from 0 to 1' if key in keys else 'no such score'}")
        gates[key] = most
    if problems:
        raise UserError(
            f"a gate is KEY=NUMBER: NUMBER is by how much the score KEY may fall\n{listing(problems)}\nscores are "
            f"{', '.join(dict.fromkeys(keys))}"
        )
    return gates


def check_gates(gates: Mapping[str, float], compared: Compared) -> dict[str, GateResult]:
    """Check by how much scores fell.

    A gate fails if the whole interval of B - A lies below -most or, where there is no interval, if the difference does.
    It also fails if only A has the score, because a fall would not be noticed.

    Args:
        gates: Key → by how much the score may fall.
        compared: What `compare` or `compare_seeds` returned.

    Returns:
        Key → outcome.
    """
    found = {}
    rows = all_rows(compared)
    for key, most in gates.items():
        row = rows.get(key, {})
        gain, high = row.get("difference"), row.get("high")
        if high is not None:
            failed, words = high < -most, f"{gain:+.4f}, at most {high:+.4f} at {100 * row['level']:.4g} %"
        elif gain is not None:
            failed, words = gain < -most, f"{gain:+.4f}, and no interval"
        else:
            failed, words = "first" in row and "second" not in row, "counts for no image of A, of B, or of both"
        found[key] = GateResult(most, bool(failed), words)
    return found


def stop_on_failed(gates: Mapping[str, GateResult]) -> None:
    """Raise `UserError` if any gate failed; the message lists those that did."""
    lines = [f"{key}: {gate.said}; allowed is {-gate.most:+.4f}" for key, gate in gates.items() if gate.failed]
    if lines:
        raise UserError(f"{len(lines)} of {len(gates)} gate(s) failed\n{listing(lines)}")
