"""Which of many runs is best? The ranking as text for the terminal, and as Markdown."""

import textwrap
from collections.abc import Callable

from src.errors import printable
from src.report.text.format import Scores, aligned, interval, number
from src.report.text.markdown import Cells, code, markdown_table, prose

HEADER = ["95 % interval", "from the best", "corrected interval"]
UNKNOWN = "?"  # the value of a parameter of a run without known parameters


def ranking_text(ranked: Scores) -> str:
    """Write the result of `rank_runs` as text for the terminal."""
    table = _table(ranked, printable)
    verdicts = [row.pop() for row in table]
    joined = aligned([[f"{rank:>2}  {name}", *row] for rank, name, *row in table])
    lines = [f"{line}  {verdict}" for line, verdict in zip(joined, verdicts, strict=True)]
    parts = [_size(ranked), "\n".join(lines)]
    if left := ranked.get("left_out"):
        lines = [f"  {printable(name)}: {printable(why)}" for name, why in left.items()]
        parts.append("\n".join(["left out:", *lines]))
    return "\n\n".join([*parts, *(textwrap.fill(note, 100) for note in ranked["notes"])])


def ranking_markdown(ranked: Scores) -> str:
    """Write the same result in GitHub's Markdown. All names are escaped."""
    header, *body = _table(ranked, code)
    parts = ["### Which run is best?", _size(ranked), markdown_table(header, body, left=2)]
    if left := ranked.get("left_out"):
        parts.append("\n".join(f"- left out: {code(name)}: {prose(why)}" for name, why in left.items()))
    return "\n\n".join([*parts, *ranked["notes"]]) + "\n"


def _table(ranked: Scores, show: Callable[[str], str]) -> list[Cells]:
    """A header, and for each run: rank, name, score, difference from the best, parameters that differ, verdict."""
    runs = ranked["ranking"]
    keys = list(dict.fromkeys(key for row in runs.values() for key in row.get("params", {})))
    rows = [["", "run", show(ranked["by"]), *HEADER, *map(show, keys), "verdict"]]
    for name, row in runs.items():
        score, lower = row["score"], row.get("from_best", {})
        cells = [str(row["rank"]), show(name), number(score["mean"]), interval(score)]
        cells += [f"{lower['difference']:+.4f}", interval(lower, "+.4f")] if lower else ["", ""]
        rows.append([*cells, *(show(row.get("params", {}).get(key, UNKNOWN)) for key in keys), row["verdict"]])
    return rows


def _size(ranked: Scores) -> str:
    runs = len(ranked["ranking"])
    return f"{runs} run(s), scored on {ranked['images']} test images in {ranked['groups']} groups."
