"""What the gate found, for people: a table of every finding, a summary in words, and the message that stops a run."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from src.data.checks.dataset_checks import CheckResult
from src.data.reading.unreadable import Finding
from src.data.source.dataset import NAME, NONE, Dataset, as_yaml
from src.errors import UserError, listing
from src.files import write_csv

COLUMNS = ["file", "severity", "what", "setting"]
MOST_SIZES, MOST_SHOWN = 4, 5  # sizes, and lines of warnings, in the summary
FEWEST_ALIKE = 4  # findings of the same words that are told in one line


def write_findings(path: Path, gate: CheckResult) -> None:
    """data/checks.csv: a row for each finding, errors first."""
    write_csv(path, ({column: getattr(found, column) for column in COLUMNS} for found in gate.findings), COLUMNS)


def stop_on_errors(gate: CheckResult, table: Path) -> None:
    """`UserError` with every error, if there is one; table: where all of them stand."""
    raise_errors(gate.errors, f"in the data set, all of them in {table}")


def raise_errors(errors: list[Finding], where: str) -> None:
    """`UserError` with every one of these, if there is one."""
    if errors:
        raise UserError(f"{len(errors)} problem(s) {where}\n{listing(_lines(errors))}")


def summary(gate: CheckResult) -> Iterator[str]:
    """Lines: how many pairs, of what sizes and types, what their masks mean, and how much was found."""
    entries = list(gate.pairs.values())
    if entries:
        channels = Counter(f"{entry.shape[2]} channel(s) of {entry.dtype}" for entry in entries)
        sizes = Counter(f"{entry.shape[1]} × {entry.shape[0]}" for entry in entries)
        shown = ", ".join(f"{size} ({count})" for size, count in sizes.most_common(MOST_SIZES))
        more = f" and {len(sizes) - MOST_SIZES} more" if len(sizes) > MOST_SIZES else ""
        yield f"{len(entries)} pairs, {', '.join(channels)}; width × height {shown}{more}"
    if gate.naming:
        yield f"paired by name: {gate.naming}"
    yield from _classes(gate)
    if gate.twins:
        yield f"{len(gate.twins)} images are the same as another, or nearly so"
    counts = Counter(severity for severity, _ in {(str(finding.severity), finding.file) for finding in gate.findings})
    words = {
        "error": "file(s) with errors",
        "skipped": "file(s) left out (data.on_error: skip)",
        "warning": "with warnings",
    }
    found = [f"{counts[severity]} {name}" for severity, name in words.items() if counts[severity]]
    yield ", ".join(found) or "no findings"
    milder = [finding for finding in gate.findings if finding.severity != "error"]
    yield from (f"  {line}" for line in _lines([finding for finding in milder if finding.whole]))
    lines = list(_lines([finding for finding in milder if not finding.whole]))
    yield from (f"  {line}" for line in lines[:MOST_SHOWN])
    if len(lines) > MOST_SHOWN:
        yield f"  … and {len(lines) - MOST_SHOWN} more, see the table"


def _lines(findings: list[Finding]) -> Iterator[str]:
    """A line for each finding; many that say the same of different files share one."""
    alike: dict[tuple[str, str], list[str]] = {}
    for found in findings:
        alike.setdefault((found.what, found.setting), []).append(repr(found.file))
    for (what, setting), files in alike.items():
        together = [", ".join(files)] if len(files) >= FEWEST_ALIKE else files
        yield from (f"{file}: {what} → {setting}" for file in together)


def _classes(gate: CheckResult) -> Iterator[str]:
    """A line for each class: its value in the masks, its share of the pixels, and how many images hold it."""
    if not gate.encoding.dataset.classes:
        return  # nobody knows yet what the masks mean
    pixels = [gate.pixels(entry) for entry in gate.pairs.values()]
    total = sum(map(sum, pixels)) or 1
    for position, (value, name) in enumerate(gate.encoding.dataset.classes.items()):
        counts = [of_image[position] for of_image in pixels]
        share = f"{sum(counts) / total:.2%} of the pixels, in {sum(map(bool, counts))} images"
        yield f"mask value {value}: {name!r}, {share}"
    ignored = gate.encoding.dataset.ignored_value
    held = [(entry.values.kind, *item) for entry in gate.pairs.values() for item in entry.values.pixels.items()]
    if left_out := sum(count for kind, value, count in held if gate.encoding.common_value(value, kind) == ignored):
        yield f"ignored: {left_out / (total + left_out):.2%} of the pixels"
    if any(entry.values.kind == "one-hot" for entry in gate.pairs.values()):
        yield "one-hot masks: the value is the number of the channel that is set, from 0"
    yield _background(gate.encoding.dataset, pixels)


def _background(dataset: Dataset, pixels: list[list[int]]) -> str:
    """Which class the averages exclude."""
    names, index = dataset.names, dataset.background_index
    if index is not None:
        return f"background: {names[index]!r} (averages over classes exclude it)"
    if dataset.background == NONE:
        return f"background: none, averages are over all {len(names)} classes"
    largest = names[max(range(len(names)), key=lambda position: sum(of_image[position] for of_image in pixels))]
    return (
        f"no background: averages are over all {len(names)} classes; else say in {NAME}: background: {as_yaml(largest)}"
    )
