"""Is a revision reproducible? The result as text for the terminal, and as Markdown for a pull request."""

import textwrap
from collections.abc import Callable, Sequence

from src.errors import listing, printable
from src.report.text.format import ABSENT, aligned
from src.report.text.markdown import Cells, code, markdown_table, prose
from src.reproduction.verify.compared import OutRow, ScoreRow
from src.reproduction.verify.verify import Verified

OUTS = ["out", "stage", ""]
SCORES = ["score", "then", "now", "difference", "tolerance", ""]


def verified_text(verified: Verified) -> str:
    """Write the result of `verify` in src/reproduction/verify/verify.py, without its failures, for the terminal."""
    parts = [_table([OUTS, *out_rows(verified.outs, printable)])] if verified.outs is not None else []
    for file, rows in verified.scores.items():
        others = textwrap.fill(_other_scores(rows), 120)
        parts.append("\n".join([file, _table([SCORES, *score_rows(rows, printable)]), others]))
    if not verified.failures:
        parts.append(f"{printable(verified.revision)} ({verified.commit[:12]}) is reproduced.")
    return "\n\n".join(["", *parts, *verified.notes])


def verified_markdown(verified: Verified) -> str:
    """Write the same result in GitHub's Markdown, failures first. All names are escaped."""
    answer = "yes" if not verified.failures else "no"
    parts = [
        f"### Is it reproducible? {answer}",
        f"{code(verified.revision)}, commit {code(verified.commit[:12])}, on {verified.hardware} hardware.",
    ]
    if verified.failures:
        parts.append("\n".join(f"- {prose(line)}" for line in verified.failures))
    if verified.outs is not None:
        parts.append(markdown_table(OUTS, out_rows(verified.outs, code), left=3))
    for file, rows in verified.scores.items():
        parts += [code(file), markdown_table(SCORES, score_rows(rows, code)), prose(_other_scores(rows))]
    return "\n\n".join([*parts, *map(prose, verified.notes)]) + "\n"


def failure_text(verified: Verified) -> str:
    """List all failures in one message."""
    title = (
        f"{verified.revision} is not reproduced"
        if verified.outs is not None
        else f"{verified.revision} cannot be verified"
    )
    return f"{title}\n{listing(map(printable, verified.failures))}"


def _table(rows: Sequence[Cells]) -> str:
    return "\n".join(line.rstrip() for line in aligned(rows))


def out_rows(outs: Sequence[OutRow], show: Callable[[str], str]) -> list[Cells]:
    """A row for each output: its path, its stage, and whether it is the same.

    Args:
        outs: The compared outputs.
        show: Escapes a name.
    """
    words = {(True, True): "same", (False, True): "differs, as it may there", (False, False): "DIFFERS"}
    return [[show(row.out), show(row.stage), words[row.same, row.ok]] for row in outs]


def score_rows(rows: Sequence[ScoreRow], show: Callable[[str], str]) -> list[Cells]:
    """A row for each score that has a tolerance, and for each that is outside its tolerance.

    Args:
        rows: The compared scores.
        show: Escapes a name.
    """
    return [
        [
            show(row.score),
            *(_value(value, show) for value in (row.then, row.now)),
            ABSENT if row.difference is None else f"{row.difference:+.4f}",
            f"{row.limit:.4g}",
            "ok" if row.ok else "NOT OK",
        ]
        for row in rows
        if row.limit is not None and (row.limit or not row.ok)
    ]


def _other_scores(rows: Sequence[ScoreRow]) -> str:
    """A sentence on the scores that `score_rows` leaves out."""
    exact = sum(row.ok for row in rows if row.limit == 0)
    free = [row.score for row in rows if row.limit is None]
    judged = f"{exact} counts and settings are equal, as they must be"
    return f"{judged}; {len(free)} are not judged: {printable(', '.join(free))}." if free else f"{judged}."


def _value(value: object, show: Callable[[str], str]) -> str:
    if value is None:
        return ABSENT
    return f"{value:.4f}" if isinstance(value, float) else show(str(value))
