"""Which images stay in one subset: by their names, their folders or a table, and because they look alike.

A rule, `group` in dataset.yaml or split.group in params.yaml, is one of

- a regular expression with one capture group, searched in the image's id: what it captures names the group;
- `folder`: the id's folder; an image at the top level is a group of its own, by its name;
- `FILE.csv:COLUMN`: a column of a table beside dataset.yaml, read by `read_column`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from src.data.source.dataset import NAME, Dataset, read_lists
from src.data.source.names import Names, naming_hint
from src.data.source.tables import SUFFIXES, is_text, read_table
from src.data.store.store import Record
from src.errors import UserError, listing
from src.files import write_text
from src.params import table_column

LARGEST_TABLE = 64 * 2**20  # bytes: a larger file is no table of images


def rule_of(setting: str, dataset: Dataset) -> str | None:
    """The rule that split.group stands for, None for groups of single images."""
    return {"auto": dataset.group, "none": None}.get(setting, setting)


def groups_of(folder: Path, group: str | None, ids: Sequence[str]) -> dict[str, str]:
    """id → group of every image, by the rule `group`; without one every image is a group of its own.

    folder: where the tables lie. `UserError` lists every image that the rule gives no group.
    """
    if group is None:
        return {image: image for image in ids}
    if group == "folder":
        return {image: image.rpartition("/")[0] or image for image in ids}
    if table := table_column(group):
        return read_column(folder, *table, ids)
    matches = {image: re.search(group, image) for image in ids}
    groups = {image: match[1] for image, match in matches.items() if match and match[1]}
    if without := [image for image in ids if image not in groups]:
        raise UserError(
            f"group: {group!r} finds nothing in {len(without)} of {len(ids)} names of images; correct it (group in "
            f"{NAME}, split.group in params.yaml)\n{listing(map(repr, without))}"
        )
    return groups


def read_column(folder: Path, file: str, column: str, ids: Sequence[str], *, blank: bool = False) -> dict[str, str]:
    """id → the image's cell in `column` of the table `folder`/`file`: UTF-8, a header, see tables.py for the rest.

    The first column names the image, by its id or another name of names.py. Rows of other images are passed over.
    `UserError` lists every image without a row, every second row of an image, every name that several images have and,
    unless `blank` cells are allowed, every empty cell; an unknown file or column is named with those that there are.
    """
    if not (folder / file).is_file():
        there = ", ".join(sorted(repr(path.name) for path in _tables(folder))) or "none"
        raise UserError(f"{folder / file}: no such table; tables beside {NAME} (.csv, UTF-8, up to 64 MB): {there}")
    table = read_table(folder / file, column)
    names = Names(ids)
    values: dict[str, tuple[int, str]] = {}
    problems = []
    for line, cells in table.rows:
        images = names.find(cells[0])
        value = cells[table.header.index(column)]
        if len(images) > 1:
            problems.append(f"line {line}: {cells[0]!r} may be {' or '.join(map(repr, images))}")
        for image in images if len(images) == 1 else []:
            first, known = values.setdefault(image, (line, value))
            if first != line:
                same = "again" if value == known else f"is {value!r}, but {known!r}"
                problems.append(f"line {line}: {image!r} {same} in line {first}")
            elif not value and not blank:
                problems.append(f"line {line}: {image!r} has no {column!r}")
    problems += [f"{image!r}: in no line" for image in ids if image not in values]
    if problems:
        what = f"the first column must name every image once; {naming_hint(ids)}"
        raise UserError(f"{folder / file}: {what}\n{listing(problems)}")
    return {image: values[image][1] for image in ids}


def _tables(folder: Path) -> list[Path]:
    files = (path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    return [path for path in files if path.suffix.lower() in SUFFIXES and path.stat().st_size <= LARGEST_TABLE]


def copy_tables(source: Path, folder: Path, dataset: Dataset) -> None:
    """Copy what a split may ask for from a data set to the store: the official lists, and every table.

    A table is a .csv or .tsv file at the top of `source`, UTF-8, up to `LARGEST_TABLE`; other files may lie there,
    unread.
    """
    for path in _tables(source):
        content = path.read_bytes()
        if is_text(content):
            (folder / path.name).write_bytes(content)
    for subset, lines in read_lists(source, dataset).items():
        write_text(folder / getattr(dataset, subset), "".join(f"{line}\n" for line in lines))


def clusters(records: Iterable[Record]) -> list[list[str]]:
    """The ids of identical or nearly identical images, two or more in a list."""
    found: dict[str, list[str]] = {}
    for record in records:
        found.setdefault(record.twin or record.id, []).append(record.id)
    return [ids for ids in found.values() if len(ids) > 1]


def merged(groups: Mapping[str, str], twins: Iterable[Sequence[str]]) -> dict[str, str]:
    """id → group, once groups with images of one cluster of `twins` are one, named like its first in sorted order."""
    above = {group: group for group in groups.values()}

    def root(group: str) -> str:
        while above[group] != group:
            above[group] = group = above[above[group]]
        return group

    for ids in twins:
        first, *others = sorted({root(groups[image]) for image in ids})
        above |= dict.fromkeys(others, first)
    return {image: root(group) for image, group in groups.items()}
