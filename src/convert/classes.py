"""Class names of a source: which value each has in the masks, and names that are unclear."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from src.convert.problems import Findings, Refused
from src.data.source.dataset import BACKGROUND_NAMES, IGNORE, UNLABELLED_NAMES, Dataset, plain_name, similar_names
from src.errors import UserError, quoted
from src.section import validate

IGNORE_NAME = "__ignore__"  # the name that labelme uses
MOST_CLASSES = IGNORE - 1  # besides the background
MOST_LETTERS = 60  # of a class name in dataset.yaml


def number_classes(names: Sequence[str], path: Path) -> dict[str, int]:
    """Give each class a value in the masks: 1, 2 … in the given order; a background is 0, `__ignore__` is 255.

    Args:
        names: The class names.
        path: The file or folder that names them, for messages.

    Returns:
        Class name → value.

    Raises:
        UserError: A name is too long, occurs twice, or is not allowed in dataset.yaml; there are no classes or too
            many; or several names mean the background.
    """
    background = [name for name in names if is_background(name)]
    own = [name for name in names if name not in background and name != IGNORE_NAME]
    if len(background) > 1:
        raise UserError(
            f"{path}: several names mean the background: {', '.join(map(quoted, background))}; keep one of them, and "
            "rename those that are classes"
        )
    if not own:
        raise UserError(f"{path}: no classes are named there, so there is nothing to learn")
    if len(own) > MOST_CLASSES:
        raise UserError(f"{path}: {len(own)} classes; at most {MOST_CLASSES} fit into an 8-bit mask: merge some")
    if long := [name for name in own if len(name) > MOST_LETTERS]:
        raise UserError(f"{path}: a class name is longer than {MOST_LETTERS} characters: {quoted(long[0])}")
    if doubled := [name for name, count in Counter(own).items() if count > 1]:
        raise UserError(f"{path}: named twice: {', '.join(map(quoted, doubled))}; give each class a name of its own")
    validate(Dataset, {"classes": dict(enumerate(["background", *own]))}, path)
    return (
        {name: position for position, name in enumerate(own, 1)}
        | dict.fromkeys(["background", *background], 0)
        | {IGNORE_NAME: IGNORE}
    )


def classes_by_value(values: dict[str, int]) -> dict[int, str]:
    """Turn the result of `number_classes` into value → name, as in dataset.yaml."""
    return {0: "background"} | {value: name for name, value in values.items() if 0 < value < IGNORE}


def value_of_label(values: dict[str, int], label: str) -> int:
    """The value of a shape's label in the masks.

    Args:
        values: Class name → value, from `number_classes`.
        label: The label.

    Raises:
        Refused: The label is empty, or not one of the classes.
    """
    if not label.strip():
        raise Refused("the label of the shape is empty", "name its class, or remove the shape")
    if is_background(label):
        return 0
    if label not in values:
        close = [name for pair in similar_names([label, *values]) if label in pair for name in pair if name != label]
        hint = f"; did you mean {quoted(close[0])}?" if close else ""
        raise Refused(f"{quoted(label)} is not one of the classes{hint}", "add it to --names, or correct the label")
    return values[label]


def is_background(name: str) -> bool:
    """Return whether a class name means the background: background or bg in any case, also labelme's `_background_`."""
    return plain_name(name) in BACKGROUND_NAMES


def is_unlabelled(name: str) -> bool:
    """Return whether a class name, such as void or `__ignore__`, may mean pixels that nobody annotated."""
    return plain_name(name) in UNLABELLED_NAMES


def warn_of_unclear_names(
    names: Iterable[str], file: str, findings: Findings, places: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Add warnings for class names that are unclear.

    Such names differ in case, blanks, underscores or hyphens only, or may mean pixels that nobody annotated.

    Args:
        names: The names of the classes.
        file: The file or folder that names them.
        findings: Gets the warnings.
        places: Name → where it is used, in words; empty if that is not known.
    """
    names = list(names)
    for name in dict.fromkeys(names):
        if name != IGNORE_NAME and is_unlabelled(name):
            what = f"{_with_place(name, places)} becomes a class of its own and counts in every score"
            findings.warn(file, what, f"if it means not annotated, call it {IGNORE_NAME} and convert again")
    groups: dict[str, list[str]] = {}
    for first, second in similar_names(names):
        if not any(first in others for others in groups.values()):
            groups.setdefault(first, []).append(second)
    for first, others in groups.items():
        shown = ", ".join(_with_place(name, places) for name in [first, *others])
        what = f"class names differ in case, blanks, underscores or hyphens only: {shown}"
        findings.warn(file, what, "if they mean one class, give it one name there and convert again")


def _with_place(name: str, places: Mapping[str, str]) -> str:
    return quoted(name) + (f" ({places[name]})" if name in places else "")
