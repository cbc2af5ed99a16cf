"""How do runs compare? The result as text for the terminal, and as Markdown for a pull request."""

import textwrap
from collections.abc import Callable, Iterator

from src.errors import printable
from src.report.text.cv_summary import TITLES
from src.report.text.format import ABSENT, Scores, aligned, interval, number
from src.report.text.markdown import Cells, code, markdown_table

MOST_MORE = 100_000  # images or seeds: a larger number is only said to be larger
PAIR = ["", "A", "B", "B - A", "interval", "verdict"]
SEEDS = ["", "A", "B", "B - A", "seeds", "images", "interval", "verdict"]
ALONE = ["", "mean", "seeds", "images", "seeds needed"]


def comparison_text(compared: Scores) -> str:
    """Write the result of `compare`, `compare_seeds` or `summarize_seeds` as text for the terminal."""
    header, *body = table(compared, printable)
    verdicts = [row.pop() for row in (header, *body)] if header[-1] == "verdict" else [""] * (len(body) + 1)
    lines = [f"{line}  {verdict}".rstrip() for line, verdict in zip(aligned([header, *body]), verdicts, strict=True)]
    parts = ["\n".join(aligned(_sides(compared, printable))), _size(compared)]
    parts += [
        "\n".join(aligned(rows)) for rows in (_parameters(compared, printable), _runs(compared, printable)) if rows
    ]
    parts += ["\n".join(lines), *(["\n".join(gates)] if (gates := _gates(compared, printable)) else [])]
    notes = [*compared["notes"], *_without(compared, printable)]
    return "\n\n".join([*parts, *(textwrap.fill(note, 100) for note in notes)])


def comparison_markdown(compared: Scores) -> str:
    """Write the same result in GitHub's Markdown. All names are escaped."""
    header, *body = table(compared, code)
    title = "### Is B better than A?" if "second" in compared else "### How much do scores vary between seeds?"
    sides = [f"- {side}: {name}, {rest}" for side, name, rest in _sides(compared, code)]
    parts = [title, "\n".join(sides), _size(compared), markdown_table(header, body)]
    if changed := _parameters(compared, code):
        parts.append(markdown_table(changed[0], changed[1:]))
    if runs := _runs(compared, code):
        parts.append(markdown_table(runs[0], runs[1:]))
    if gates := _gates(compared, code):
        parts.append("\n".join(f"- {gate}" for gate in gates))
    return "\n\n".join([*parts, *compared["notes"], *_without(compared, code)]) + "\n"


def table(compared: Scores, show: Callable[[str], str]) -> list[Cells]:
    """A header, and rows for Dice and then IoU: the mean, and each class.

    Args:
        compared: The result of `compare`, `compare_seeds` or `summarize_seeds`.
        show: Escapes the name of a class.
    """
    if "second" not in compared:
        return [ALONE, *([name, *_alone(row)] for name, row in _rows(compared, show))]
    if "runs" not in compared:
        return [
            list(PAIR),
            *([name, *_scores(row), interval(row, "+.4f"), _verdict(row)] for name, row in _rows(compared, show)),
        ]
    return [
        list(SEEDS),
        *(
            [name, *_scores(row), *_parts(row), interval(row, "+.4f"), _verdict(row)]
            for name, row in _rows(compared, show)
        ),
    ]


def _rows(compared: Scores, show: Callable[[str], str]) -> Iterator[tuple[str, Scores]]:
    for measure, title in TITLES.items():
        scores = compared.get(measure, {})
        yield f"{title} mean", scores.get("mean", {})
        for name, row in scores.get("classes", {}).items():
            yield f"{title} {show(name)}", row


def _scores(row: Scores) -> Cells:
    return [number(row.get("first")), number(row.get("second")), _signed(row.get("difference"))]


def _parts(row: Scores) -> Cells:
    return [f"± {row[key]:.4f}" if key in row else ABSENT for key in ("seeds", "images")]


def _alone(row: Scores) -> Cells:
    return [number(row.get("mean")), *_parts(row), about(row["seeds_needed"]) if "seeds_needed" in row else ABSENT]


def _signed(value: float | None) -> str:
    return ABSENT if value is None else f"{value:+.4f}"


def _verdict(row: Scores) -> str:
    """The verdict in words, with the number of images or seeds that would be needed to tell."""
    needed = [f"{about(row[f'more_{what}'])} more {what}" for what in ("images", "seeds") if f"more_{what}" in row]
    return row.get("verdict", ABSENT) + (f"; {' or '.join(needed)}" if needed else "")


def about(value: float) -> str:
    """Write a number with two significant digits, rounded up: `about 1,300`."""
    if value > MOST_MORE:
        return f"more than {MOST_MORE:,}"
    step = 10 ** max(len(str(int(value))) - 2, 0)
    whole = -int(-value // step) * step
    return f"{whole:,}" if value == int(value) and whole == value else f"about {whole:,}"


def _sides(compared: Scores, show: Callable[[str], str]) -> list[Cells]:
    sides = [("A", compared["first"]), *([("B", compared["second"])] if "second" in compared else [])]
    return [[letter, show(side["name"]), f"method {show(side['method'])}"] for letter, side in sides]


def _size(compared: Scores) -> str:
    return f"Compared on {compared['images']} test images in {compared['groups']} groups."


def _parameters(compared: Scores, show: Callable[[str], str]) -> list[Cells]:
    """A header, and a row for each parameter that differs; empty if none does."""
    changed = compared.get("params", {})
    rows = [[show(key), show(values["first"]), show(values["second"])] for key, values in changed.items()]
    return [["parameters that differ", "A", "B"], *rows] if rows else []


def _runs(compared: Scores, show: Callable[[str], str]) -> list[Cells]:
    runs = compared.get("runs", {})
    rows = [
        [show(name), str(run.get("seed", ABSENT)), *(number(run.get(measure)) for measure in TITLES)]
        for name, run in runs.items()
    ]
    return [["run", "seed", *TITLES.values()], *rows] if rows else []


def _without(compared: Scores, show: Callable[[str], str]) -> list[str]:
    names = compared.get("without_scores")
    return [f"Other seeds of these settings have no scores here and are left out: {show(names)}."] if names else []


def _gates(compared: Scores, show: Callable[[str], str]) -> list[str]:
    """A line for each gate of the option --gate."""
    return [
        f"gate {show(key)}: {'failed' if gate['failed'] else 'passed'} ({gate['said']}; allowed {-gate['most']:+.4f})"
        for key, gate in compared.get("gates", {}).items()
    ]
