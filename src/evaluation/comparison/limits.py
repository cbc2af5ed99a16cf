"""Gates for continuous integration: by how much a score may fall, with confidence."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from src.errors import UserError, listing
from src.evaluation.comparison.comparison import all_rows
from src.evaluation.comparison.table import MEASURES


def read_gates(texts: Sequence[str], classes: Sequence[str]) -> dict[str, float]:
    """KEY=NUMBER, as in dice.mean=0.01 → key → the most by which it may fall, from 0 to 1.

    `UserError` lists every text that is none, and the keys that there are.
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
            f"a gate is KEY=NUMBER, by how much that score may fall at most\n{listing(problems)}\nscores are "
            f"{', '.join(dict.fromkeys(keys))}"
        )
    return gates


def check_gates(gates: Mapping[str, float], compared: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """key → most: what is allowed, failed: whether it is, said: why, in words.

    It fails if the whole interval of B - A lies below -most; where there is no interval, if the difference itself does.
    If only A has a score, the gate fails, too: nobody can see any more whether it fell.
    """
    found = {}
    rows = all_rows(compared)
    for key, most in gates.items():
        row = rows.get(key, {})
        gain, high = row.get("difference"), row.get("high")
        if high is not None:
            failed, said = high < -most, f"{gain:+.4f}, at most {high:+.4f} at {100 * row['level']:.4g} %"
        elif gain is not None:
            failed, said = gain < -most, f"{gain:+.4f}, and no interval"
        else:
            failed, said = "first" in row and "second" not in row, "counts for no image of A, of B, or of both"
        found[key] = {"most": most, "failed": bool(failed), "said": said}
    return found


def stop_on_failed(gates: Mapping[str, Mapping[str, Any]]) -> None:
    """`UserError` naming every gate that failed."""
    lines = [f"{key}: {gate['said']}; allowed is {-gate['most']:+.4f}" for key, gate in gates.items() if gate["failed"]]
    if lines:
        raise UserError(f"{len(lines)} of {len(gates)} gate(s) failed\n{listing(lines)}")
