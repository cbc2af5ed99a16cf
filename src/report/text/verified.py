"""A verified revision in the terminal, and in Markdown for a pull request."""

import textwrap
from collections.abc import Callable, Sequence

from src.errors import listing, printable
from src.report.text.markdown import Cells, code, markdown_table, prose
from src.report.text.summary import aligned
from src.reproduction.verify.compared import OutRow, ScoreRow
from src.reproduction.verify.verify import Verified

OUTS = ["out", "stage", ""]
SCORES = ["score", "then", "now", "difference", "tolerance", ""]


def verified_text(verified: Verified) -> str:
    """What `verify` in src/reproduction/verify/verify.py returns, as text for the terminal, but for its failures."""
    parts = [_table([OUTS, *out_rows(verified.outs, printable)])] if verified.outs is not None else []
    for file, rows in verified.scores.items():
        parts.append(
            "\n".join([file, _table([SCORES, *score_rows(rows, printable)]), textwrap.fill(_left_out(rows), 120)])
        )
    if not verified.failures:
        parts.append(f"{printable(verified.revision)} ({verified.commit[:12]}) is reproduced.")
    return "\n\n".join(["", *parts, *verified.notes])


def verified_markdown(verified: Verified) -> str:
    """All of it in GitHub's Markdown, failures first; names are shown as they are, whatever they hold."""
    said = "yes" if not verified.failures else "no"
    parts = [
        f"### Is it reproducible? {said}",
        f"{code(verified.revision)}, commit {code(verified.commit[:12])}, on {verified.hardware} hardware.",
    ]
    if verified.failures:
        parts.append("\n".join(f"- {prose(line)}" for line in verified.failures))
    if verified.outs is not None:
        parts.append(markdown_table(OUTS, out_rows(verified.outs, code), left=3))
    for file, rows in verified.scores.items():
        parts += [code(file), markdown_table(SCORES, score_rows(rows, code)), prose(_left_out(rows))]
    return "\n\n".join([*parts, *map(prose, verified.notes)]) + "\n"


def failure_text(verified: Verified) -> str:
    """What is not as it must be, in one message."""
    title = (
        f"{verified.revision} is not reproduced"
        if verified.outs is not None
        else f"{verified.revision} cannot be verified"
    )
    return f"{title}\n{listing(map(printable, verified.failures))}"


def _table(rows: Sequence[Cells]) -> str:
    return "\n".join(line.rstrip() for line in aligned(rows))


def out_rows(outs: Sequence[OutRow], show: Callable[[str], str]) -> list[Cells]:
    words = {(True, True): "same", (False, True): "differs, as it may there", (False, False): "DIFFERS"}
    return [[show(row.out), show(row.stage), words[row.same, row.ok]] for row in outs]


def score_rows(rows: Sequence[ScoreRow], show: Callable[[str], str]) -> list[Cells]:
    """Those that may differ somewhat, and every one that is not as it must be."""
    return [
        [
            show(row.score),
            *(_number(value, show) for value in (row.then, row.now)),
            "–" if row.difference is None else f"{row.difference:+.4f}",
            f"{row.limit:.4g}",
            "ok" if row.ok else "NOT OK",
        ]
        for row in rows
        if row.limit is not None and (row.limit or not row.ok)
    ]


def _left_out(rows: Sequence[ScoreRow]) -> str:
    exact = sum(row.ok for row in rows if row.limit == 0)
    free = [row.score for row in rows if row.limit is None]
    judged = f"{exact} counts and settings are equal, as they must be"
    return f"{judged}; {len(free)} are not judged: {printable(', '.join(free))}." if free else f"{judged}."


def _number(value: object, show: Callable[[str], str]) -> str:
    if value is None:
        return "–"
    return f"{value:.4f}" if isinstance(value, float) else show(str(value))
