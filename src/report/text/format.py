"""How are single numbers, intervals and tables written as text?"""

from collections.abc import Mapping, Sequence
from typing import Any

Scores = Mapping[str, Any]  # Any: nested JSON objects of numbers and texts, such as metrics/test.json
Rows = Sequence[Mapping[str, str]]  # of a CSV file: column → text
ABSENT = "–"  # stands for a score that does not exist


def number(value: float | None, digits: int = 3) -> str:
    """Write a number with a fixed number of decimals, or `ABSENT` for None.

    Args:
        value: The number.
        digits: Number of decimals.
    """
    return ABSENT if value is None else f"{value:.{digits}f}"


def interval(bounds: Mapping[str, float], form: str = ".3f") -> str:
    """Write an interval as `0.553 – 0.722`, or `ABSENT` if there is none.

    Args:
        bounds: An object with the keys `low` and `high`; without them there is no interval.
        form: Format specification of both numbers.
    """
    return f"{bounds['low']:{form}} – {bounds['high']:{form}}" if "low" in bounds else ABSENT


def interval_in_brackets(bounds: Mapping[str, float], form: str = ".3f") -> str:
    """Write an interval as ` (95 % interval 0.553 – 0.722)`, or "" if there is none.

    Args:
        bounds: An object with the keys `low` and `high`; without them there is no interval.
        form: Format specification of both numbers.
    """
    return f" (95 % interval {interval(bounds, form)})" if "low" in bounds else ""


def class_interval(classes: Rows, name: str, measure: str) -> Mapping[str, float]:
    """Find the interval of a class's score; empty if there is none.

    Args:
        classes: Rows of classes.csv.
        name: The class.
        measure: The score, such as "dice".
    """
    for row in classes:
        if (row["class"], row["measure"]) == (name, measure) and row["low"]:
            return {"low": float(row["low"]), "high": float(row["high"])}
    return {}


def setting(value: object) -> str:
    """Write the value of a setting as in params.yaml, floats with six significant digits."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Write a table as lines of equal width: the first column aligned left, the others right.

    Args:
        rows: Rows of cells; all rows have the same number of cells.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    cells = [[row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in rows]
    return ["  ".join(line) for line in cells]
