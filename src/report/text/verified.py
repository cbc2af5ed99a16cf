"""Is a revision reproducible? The result as text for the terminal, and as Markdown for a pull request."""

import textwrap
from collections.abc import Callable, Sequence

from src.errors import listing, printable
from src.report.text.format import ABSENT, Scores, aligned
from src.report.text.markdown import Cells, code, markdown_table, prose

OUTS = ["out", "stage", ""]
SCORES = ["score", "then", "now", "difference", "tolerance", ""]


def verified_text(verified: Scores) -> str:
    """Write the result of `verify` in src/reproduction/verify/verify.py, without its failures, for the terminal."""
    parts = [_table([OUTS, *out_rows(verified["outs"], printable)])] if "outs" in verified else []
    for file, rows in verified.get("scores", {}).items():
        others = textwrap.fill(_other_scores(rows), 120)
        parts.append("\n".join([file, _table([SCORES, *score_rows(rows, printable)]), others]))
    if not verified["failures"]:
        parts.append(f"{printable(verified['revision'])} ({verified['commit'][:12]}) is reproduced.")
    return "\n\n".join(["", *parts, *verified["notes"]])


def verified_markdown(verified: Scores) -> str:
    """Write the same result in GitHub's Markdown, failures first. All names are escaped."""
    answer = "yes" if not verified["failures"] else "no"
    parts = [
        f"### Is it reproducible? {answer}",
        f"{code(verified['revision'])}, commit {code(verified['commit'][:12])}, on {verified['hardware']} hardware.",
    ]
    if verified["failures"]:
        parts.append("\n".join(f"- {prose(line)}" for line in verified["failures"]))
    if "outs" in verified:
        parts.append(markdown_table(OUTS, out_rows(verified["outs"], code), left=3))
    for file, rows in verified.get("scores", {}).items():
        parts += [code(file), markdown_table(SCORES, score_rows(rows, code)), prose(_other_scores(rows))]
    return "\n\n".join([*parts, *map(prose, verified["notes"])]) + "\n"


def failure_text(verified: Scores) -> str:
    """List all failures in one message."""
    title = (
        f"{verified['revision']} is not reproduced"
        if "outs" in verified
        else f"{verified['revision']} cannot be verified"
    )
    return f"{title}\n{listing(map(printable, verified['failures']))}"


def _table(rows: Sequence[Cells]) -> str:
    return "\n".join(line.rstrip() for line in aligned(rows))


def out_rows(outs: Sequence[Scores], show: Callable[[str], str]) -> list[Cells]:
    """A row for each output: its path, its stage, and whether it is the same.

    Args:
        outs: Outputs with the keys `out`, `stage`, `same` and `ok`.
        show: Escapes a name.
    """
    words = {(True, True): "same", (False, True): "differs, as it may there", (False, False): "DIFFERS"}
    return [[show(row["out"]), show(row["stage"]), words[row["same"], row["ok"]]] for row in outs]


def score_rows(rows: Sequence[Scores], show: Callable[[str], str]) -> list[Cells]:
    """A row for each score that has a tolerance, and for each that is outside its tolerance.

    Args:
        rows: Scores with the keys `score`, `ok` and, where known, `then`, `now`, `difference` and `limit`.
        show: Escapes a name.
    """
    return [
        [
            show(row["score"]),
            *(_value(row.get(side), show) for side in ("then", "now")),
            f"{row['difference']:+.4f}" if "difference" in row else ABSENT,
            f"{row['limit']:.4g}",
            "ok" if row["ok"] else "NOT OK",
        ]
        for row in rows
        if "limit" in row and (row["limit"] or not row["ok"])
    ]


def _other_scores(rows: Sequence[Scores]) -> str:
    """A sentence on the scores that `score_rows` leaves out."""
    exact = sum(row["ok"] for row in rows if row.get("limit") == 0)
    free = [row["score"] for row in rows if "limit" not in row]
    judged = f"{exact} counts and settings are equal, as they must be"
    return f"{judged}; {len(free)} are not judged: {printable(', '.join(free))}." if free else f"{judged}."


def _value(value: object, show: Callable[[str], str]) -> str:
    if value is None:
        return ABSENT
    return f"{value:.4f}" if isinstance(value, float) else show(str(value))
