"""Report the result of the checks: a table of all findings, a summary for the terminal, and the error of a run."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from src.data.checks.dataset_checks import CheckResult
from src.data.reading.unreadable import Finding
from src.data.source.dataset import IGNORE, NAME, NONE, Dataset, as_yaml
from src.errors import UserError, listing
from src.files import write_csv

COLUMNS = ["file", "severity", "what", "setting"]
MOST_SIZES, MOST_SHOWN = 4, 5  # image sizes, and lines of findings, in the summary
FEWEST_ALIKE = 4  # findings with the same words that share one line


def write_findings(path: Path, result: CheckResult) -> None:
    """Write the table of findings (data/checks.csv), errors first.

    Args:
        path: The CSV file.
        result: The result of the checks.
    """
    write_csv(path, ({column: getattr(found, column) for column in COLUMNS} for found in result.findings), COLUMNS)


def stop_on_errors(result: CheckResult, table: Path) -> None:
    """Stop the run if the checks found errors.

    Args:
        result: The result of the checks.
        table: The file of `write_findings`, which the message names.

    Raises:
        UserError: There are errors. The message lists them.
    """
    raise_errors(result.errors, f"in the data set, all of them in {table}")


def raise_errors(errors: Sequence[Finding], where: str) -> None:
    """Raise an error that lists findings.

    Args:
        errors: The findings. If there are none, nothing is raised.
        where: Where the problems are, for the first line.

    Raises:
        UserError: There is a finding.
    """
    if errors:
        raise UserError(f"{len(errors)} problem(s) {where}\n{listing(_lines(errors))}")


def summary(result: CheckResult) -> Iterator[str]:
    """Lines for the terminal: the number of pairs, their sizes and types, the classes, and the findings."""
    pairs = list(result.pairs.values())
    if pairs:
        channels = Counter(f"{pair.shape[2]} channel(s) of {pair.dtype}" for pair in pairs)
        sizes = Counter(f"{pair.shape[1]} × {pair.shape[0]}" for pair in pairs)
        shown = ", ".join(f"{size} ({count})" for size, count in sizes.most_common(MOST_SIZES))
        more = f" and {len(sizes) - MOST_SIZES} more" if len(sizes) > MOST_SIZES else ""
        yield f"{len(pairs)} pairs, {', '.join(channels)}; width × height {shown}{more}"
    if result.naming:
        yield f"paired by name: {result.naming}"
    yield from _class_lines(result)
    if result.twins:
        yield f"{len(result.twins)} images are the same as another, or nearly so"
    yield _counts(result.findings)
    milder = [finding for finding in result.findings if finding.severity != "error"]
    yield from (f"  {line}" for line in _lines([finding for finding in milder if finding.whole]))
    lines = list(_lines([finding for finding in milder if not finding.whole]))
    yield from (f"  {line}" for line in lines[:MOST_SHOWN])
    if len(lines) > MOST_SHOWN:
        yield f"  … and {len(lines) - MOST_SHOWN} more, see the table"


def _counts(findings: Sequence[Finding]) -> str:
    """How many files have errors, are left out, and have warnings."""
    counts = Counter(severity for severity, _ in {(str(finding.severity), finding.file) for finding in findings})
    words = {
        "error": "file(s) with errors",
        "skipped": "file(s) left out (data.on_error: skip)",
        "warning": "file(s) with warnings",
    }
    return ", ".join(f"{counts[severity]} {name}" for severity, name in words.items() if counts[severity]) or (
        "no errors or warnings"
    )


def _lines(findings: Sequence[Finding]) -> Iterator[str]:
    """A line for each finding. At least `FEWEST_ALIKE` findings that differ in the file alone share a line."""
    alike: dict[tuple[str, str], list[str]] = {}
    for found in findings:
        alike.setdefault((found.what, found.setting), []).append(repr(found.file))
    for (what, setting), files in alike.items():
        together = [", ".join(files)] if len(files) >= FEWEST_ALIKE else files
        yield from (f"{file}: {what} → {setting}" for file in together)


def _class_lines(result: CheckResult) -> Iterator[str]:
    """A line for each class: its stored value, its share of the pixels, and how many images hold it."""
    dataset = result.encoding.dataset
    if not dataset.classes:
        return  # the meaning of the stored values is not known yet
    pixels = {name: result.pixels(pair) for name, pair in result.pairs.items()}
    total = sum(map(result.counted, result.pairs.values())) or 1
    for index, (value, name) in enumerate(dataset.classes.items()):
        counts = [of_image[index] for of_image in pixels.values()]
        share = f"{sum(counts) / total:.2%} of the pixels, in {sum(map(bool, counts))} images"
        yield f"class {name!r}: {share}" if dataset.overlap else f"mask value {value}: {name!r}, {share}"
    if ignored := _ignored_pixels(result):
        yield f"ignored: {ignored / (total + ignored):.2%} of the pixels"
    if any(pair.values.kind == "one-hot" for pair in result.pairs.values()):
        yield "one-hot masks: the value is the number of the channel that is set, from 0"
    yield _overlap_line(result) if dataset.overlap else _background_line(dataset, pixels)


def _overlap_line(result: CheckResult) -> str:
    """How many pixels are of several classes, and of none."""
    pixels = Counter[int]()
    for pair in result.pairs.values():
        pixels.update({label.bit_count(): count for label, count in pair.values.pixels.items() if label != IGNORE})
    total = pixels.total() or 1
    several = sum(count for classes, count in pixels.items() if classes > 1)
    return f"overlapping classes: {several / total:.2%} of the pixels are of several, {pixels[0] / total:.2%} of none"


def _ignored_pixels(result: CheckResult) -> int:
    """Number of pixels that count nowhere."""
    if result.encoding.dataset.overlap:
        return sum(pair.values.pixels.get(IGNORE, 0) for pair in result.pairs.values())
    encoding, number = result.encoding, 0
    for pair in result.pairs.values():
        for stored, count in pair.values.pixels.items():
            if encoding.common_value(stored, pair.values.kind) == encoding.dataset.ignored_value:
                number += count
    return number


def _background_line(dataset: Dataset, pixels: Mapping[str, Sequence[int]]) -> str:
    """A line on the class that averages exclude. `pixels`: id → number of pixels of each class."""
    names, index = dataset.names, dataset.background_index
    if index is not None:
        return f"background: {names[index]!r} (averages over classes exclude it)"
    if dataset.background == NONE:
        return f"background: none, averages are over all {len(names)} classes"
    totals = [sum(of_image[index] for of_image in pixels.values()) for index in range(len(names))]
    largest = as_yaml(names[totals.index(max(totals))])
    return f"no background: averages are over all {len(names)} classes; else say in {NAME}: background: {largest}"
