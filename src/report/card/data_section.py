"""What does the model card say about the data? The images and classes, the findings of the checks, and the split."""

from collections import Counter
from pathlib import Path
from statistics import median

import numpy as np

from src.data.source.dataset import SUBSETS, Dataset
from src.data.store.store import Store
from src.report.text.format import ABSENT, Rows, Scores
from src.report.text.markdown import Cells, code, markdown_table, names, prose

MOST_FINDINGS = 5  # findings that are shown
SEVERITIES = {"error": "error(s)", "skipped": "left out (data.on_error: skip)", "warning": "warning(s)"}


def data_section(store: Store, splits: Rows, source: str) -> str:
    """Describe the images, and list the classes.

    Args:
        store: The prepared data set.
        splits: Rows of data/splits.csv.
        source: The setting data.source.
    """
    records, dataset = store.records, store.dataset
    rows = [["source", _source(dataset, source)], ["images with masks", f"{len(records):,}"]]
    if twins := sum(bool(record.twin) for record in records):
        rows.append(["of them duplicates or near-duplicates", f"{twins:,}"])
    rows.append(["groups", f"{len({row['group'] for row in splits}):,}{_rule(dataset)}"])
    for name in ("width", "height"):
        lengths = [getattr(record, name) for record in records]
        rows.append([f"{name} in pixels", f"{min(lengths)} – {max(lengths)}, median {median(lengths):.0f}"])
    rows.append(["channels", f"{store.channels}, {store.dtype.name}"])
    if dataset.spacing is not None:
        height, width = dataset.pixel
        rows.append(["a pixel", f"{width:g} × {height:g} {prose(dataset.length_unit)} (width × height)"])
    header = ["class", "in the masks", "of the pixels", "images that hold it", "in means"]
    return f"{markdown_table(['', ''], rows, left=2)}\n\n{markdown_table(header, _classes(store))}"


def _source(dataset: Dataset, source: str) -> str:
    package = dataset.package
    return code(source) + (f", from the package {code(f'{package.name} {package.version}')}" if package else "")


def _rule(dataset: Dataset) -> str:
    return f", by {code(dataset.group)}" if dataset.group else ""


def _classes(store: Store) -> list[Cells]:
    """A row for each class, and one for the ignored pixels, if there are any."""
    dataset, pixels = store.dataset, np.array([record.pixels for record in store.records], np.int64)
    counted = sum(record.counted_pixels for record in store.records)
    everything = sum(record.height * record.width for record in store.records)
    shares, images = pixels.sum(axis=0) / everything, (pixels > 0).sum(axis=0)
    stored = ["a mask of its own" if dataset.overlap else code(str(value)) for value in dataset.classes]
    rows = [
        [code(name), where, f"{share:.2%}", str(number), "yes" if index in dataset.foreground else "no"]
        for index, (name, where, share, number) in enumerate(zip(dataset.names, stored, shares, images, strict=True))
    ]
    if ignored := everything - counted:
        rows.append(["ignored", code(str(dataset.ignore)), f"{ignored / everything:.2%}", ABSENT, "no"])
    return rows


def findings_section(findings: Rows, table: Path) -> str:
    """Count the findings, and list the first of them.

    Args:
        findings: Rows of the table of the data set checks.
        table: Path of this table.
    """
    if not findings:
        return "Nothing was found."
    counts = Counter(row["severity"] for row in findings)
    summary = ", ".join(f"{counts[severity]} {words}" for severity, words in SEVERITIES.items() if counts[severity])
    lines = [f"- {code(row['file'])}: {prose(row['what'])}" for row in findings[:MOST_FINDINGS]]
    more = [f"- … and {len(findings) - MOST_FINDINGS} more"] if len(findings) > MOST_FINDINGS else []
    return f"{summary}; all of them are in `{table.as_posix()}`.\n\n" + "\n".join([*lines, *more])


def split_section(splits: Rows, settings: Scores) -> str:
    """Count the images and groups of each subset.

    Args:
        splits: Rows of data/splits.csv.
        settings: The section `split` of the settings; may be empty.
    """
    rows, groups = [], {}
    for subset in SUBSETS:
        own = [row for row in splits if row["subset"] == subset]
        groups[subset] = {row["group"] for row in own}
        share = f"{len(own) / max(len(splits), 1):.1%}"
        rows.append([subset, str(len(own)), share, str(len(groups[subset]))])
    shared = [group for group, number in Counter(g for own in groups.values() for g in own).items() if number > 1]
    together = f"**Groups in more than one subset: {names(shared)}.**" if shared else "No group is in two subsets."
    folds = settings.get("folds", 0)
    fold = f" Fold {settings['fold']} of {folds} is the test set." if folds else ""
    table = markdown_table(["subset", "images", "of all", "groups"], rows)
    return f"{table}\n\n{together} Seed of the split: {settings.get('seed', ABSENT)}.{fold}"
