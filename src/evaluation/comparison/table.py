"""A run's scores.csv, checked and as arrays."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from src.errors import UserError, listing
from src.evaluation.comparison.runs import Run
from src.evaluation.metrics.confusion import Scores

MEASURES = ("dice", "iou")
NUMBERS = ("true", *MEASURES)
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # prepare allows none in names, and a terminal may obey them
LONGEST = 15  # digits of a number of pixels that float64 holds exactly
COLUMNS = ("id", "group", "method", "class", *NUMBERS)  # required; there may be more


@dataclass(frozen=True)
class Table:
    """The scores of a run.

    Attributes:
        ids: The ids of the test images, sorted.
        groups: The group of each image.
        true: Method → pixels of each class in the truth, int64 [images, classes].
        values: Method → measure → float64 [images, classes] from 0 to 1; NaN where an image does not count for a class.
    """

    ids: list[str]
    groups: list[str]
    true: dict[str, NDArray[np.int64]]
    values: dict[str, dict[str, Scores]]

    @classmethod
    def of(cls, run: Run) -> "Table":
        """Read the rows of a run; classes are in the order of its data set.

        Raises:
            UserError: A column is missing, a row is invalid, or a combination of method, image and class does not have
                exactly one row. The message lists all of that.
        """
        _refuse(run, [f"no column {name}" for name in COLUMNS if run.rows and name not in run.rows[0]])
        group_of = dict(sorted({row["id"]: row["group"] for row in reversed(run.rows)}.items()))  # the first row's
        axes = [list(dict.fromkeys(row["method"] for row in run.rows)), list(group_of), run.dataset.names]
        cells = {name: np.full([len(axis) for axis in axes], np.nan) for name in NUMBERS}
        filled = np.zeros([len(axis) for axis in axes], np.int64)
        places = [{name: place for place, name in enumerate(axis)} for axis in axes]
        problems = []
        for line, row in enumerate(run.rows, 2):
            problem = _problem(row, group_of, run.dataset.names)
            if problem:
                problems.append(f"row {line}: {problem}")
                continue
            place = tuple(of[row[key]] for of, key in zip(places, ("method", "id", "class"), strict=True))
            filled[place] += 1
            for name in NUMBERS:
                cells[name][place] = float(row[name] or "nan")
        if not problems:
            for found in np.argwhere(filled != 1):
                names = ", ".join(axis[at] for axis, at in zip(axes, found, strict=True))
                problems.append(f"{names}: {filled[tuple(found)]} rows instead of one")
        _refuse(run, problems)
        true = {method: cells["true"][number].astype(np.int64) for number, method in enumerate(axes[0])}
        values = {method: {m: cells[m][number] for m in MEASURES} for number, method in enumerate(axes[0])}
        return cls(list(group_of), list(group_of.values()), true, values)

    def chosen(self, ids: Sequence[str], classes: Sequence[int]) -> "Table":
        """Select images and classes.

        Args:
            ids: Ids of the images, in the order wanted.
            classes: Indices of the classes, in the order wanted.
        """
        place = {image: number for number, image in enumerate(self.ids)}
        rows = [place[image] for image in ids]
        grid = np.ix_(rows, classes)
        true = {method: pixels[grid] for method, pixels in self.true.items()}
        values = {method: {m: scores[grid] for m, scores in own.items()} for method, own in self.values.items()}
        return Table(list(ids), [self.groups[row] for row in rows], true, values)


def _problem(row: Mapping[str, str], group_of: Mapping[str, str], classes: Sequence[str]) -> str:
    """Describe the error in a row; empty if there is none."""
    if CONTROL.search("".join(row[name] for name in COLUMNS)):
        return f"a control character in {', '.join(repr(row[name]) for name in COLUMNS if CONTROL.search(row[name]))}"
    if row["class"] not in classes:
        return f"not a class of the data set: {row['class']!r}"
    if row["group"] != group_of[row["id"]]:
        return f"{row['id']!r} is in group {row['group']!r} and in {group_of[row['id']]!r}"
    if not row["true"].isdecimal() or len(row["true"]) > LONGEST:
        return f"true is {row['true']!r}, not a number of pixels"
    wrong = [f"{name} is {row[name]!r}" for name in MEASURES if not _score(row[name])]
    return f"{', '.join(wrong)}; it must be from 0 to 1, or empty" if wrong else ""


def _score(text: str) -> bool:
    try:
        return text == "" or 0 <= float(text) <= 1
    except ValueError:
        return False


def _refuse(run: Run, problems: Sequence[str]) -> None:
    if problems:
        raise UserError(f"{run.name}: its scores.csv is not as evaluate writes it\n{listing(problems)}")
