"""Which images stay together in one subset: by their names, their folders or a table, and because they look alike.

A rule for groups, `group` in dataset.yaml or split.group in params.yaml, is one of

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

LARGEST_TABLE = 64 * 2**20  # bytes (64 MiB): a larger file is not taken for a table of images


def group_rule(setting: str, dataset: Dataset) -> str | None:
    """Resolve split.group to a rule.

    Args:
        setting: split.group.
        dataset: The description of the data set, whose rule counts for `auto`.

    Returns:
        The rule. None if every image is a group of its own.
    """
    return {"auto": dataset.group, "none": None}.get(setting, setting)


def groups_by_rule(folder: Path, rule: str | None, ids: Sequence[str]) -> dict[str, str]:
    """Group images by a rule.

    Args:
        folder: The folder of the tables.
        rule: See the docstring of this module. With None, every image is a group of its own.
        ids: The images.

    Returns:
        id → group, in the order of `ids`.

    Raises:
        UserError: The rule gives some images no group. The message lists them.
    """
    if rule is None:
        return {image: image for image in ids}
    if rule == "folder":
        return {image: image.rpartition("/")[0] or image for image in ids}
    if table := table_column(rule):
        return read_column(folder, *table, ids)
    matches = {image: re.search(rule, image) for image in ids}
    groups = {image: match[1] for image, match in matches.items() if match and match[1]}
    if without := [image for image in ids if image not in groups]:
        raise UserError(
            f"group: {rule!r} finds nothing in {len(without)} of {len(ids)} names of images; correct it (group in "
            f"{NAME}, split.group in params.yaml)\n{listing(map(repr, without))}"
        )
    return groups


def read_column(folder: Path, file: str, column: str, ids: Sequence[str], *, blank: bool = False) -> dict[str, str]:
    """Read one column of a table of images.

    The table is UTF-8 with a header, see src/data/source/tables.py. Its first column names the image, by its id or by
    another name of src/data/source/names.py. Rows of other images are ignored.

    Args:
        folder: The folder of the table.
        file: Its name.
        column: The header of the column.
        ids: The images.
        blank: Whether a cell may be empty.

    Returns:
        id → cell, in the order of `ids`.

    Raises:
        UserError: There is no such file or column; the message names those that exist. Or an image has no row, several
            rows or an empty cell, or a name fits several images; the message lists them.
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
    """Copy the tables and official lists that a split may need from a data set to the store.

    Args:
        source: The folder of the data set. Its tables are the .csv and .tsv files at its top level that are UTF-8 and
            at most `LARGEST_TABLE` bytes long.
        folder: The folder of the store.
        dataset: The description of the data set, which names the lists.
    """
    for path in _tables(source):
        content = path.read_bytes()
        if is_text(content):
            (folder / path.name).write_bytes(content)
    for subset, lines in read_lists(source, dataset).items():
        write_text(folder / getattr(dataset, subset), "".join(f"{line}\n" for line in lines))


def twin_clusters(records: Iterable[Record]) -> list[list[str]]:
    """List the images that are equal or nearly equal: two or more ids in each list."""
    found: dict[str, list[str]] = {}
    for record in records:
        found.setdefault(record.twin or record.id, []).append(record.id)
    return [ids for ids in found.values() if len(ids) > 1]


def merge_groups(groups: Mapping[str, str], clusters: Sequence[Sequence[str]]) -> dict[str, str]:
    """Merge groups that share a cluster of equal or nearly equal images.

    Args:
        groups: id → group.
        clusters: The ids of each cluster, see `twin_clusters`.

    Returns:
        id → group after merging. A merged group has the name that comes first in sorted order.
    """
    if not clusters:
        return dict(groups)
    from scipy.cluster.hierarchy import DisjointSet  # imported only here, since it takes half a second

    sets = DisjointSet(groups.values())
    for first, *others in clusters:
        for other in others:
            sets.merge(groups[first], groups[other])
    name_of = {group: min(members) for members in sets.subsets() for group in members}
    return {image: name_of[group] for image, group in groups.items()}
