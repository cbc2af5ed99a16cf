"""The search space of a sweep: for each setting a range of numbers or a list of values."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from src.errors import UserError, listing
from src.files import Content, flatten, parse_yaml
from src.params import Params
from src.section import validate

OTHER_IMAGES = "other validation images: the scores of trials would not be comparable"
OTHER_DATA = "other images or masks: the scores of trials would not be comparable"
NO_EFFECT = "no effect on validation scores"
# Settings that a sweep must not vary → reason.
EXCLUDED = {
    "split.": OTHER_IMAGES,
    "train.validation_images": OTHER_IMAGES,
    "data.source": OTHER_DATA,
    "data.masks.": OTHER_DATA,
    "data.on_error": OTHER_DATA,
    "train.decisions.": NO_EFFECT,
    "train.tensorboard": NO_EFFECT,
    "evaluate.": NO_EFFECT,
    "report.": NO_EFFECT,
}
# The plan chooses the number of validation images by these, and by what it chooses itself from them.
OF_VALIDATION = (
    *("train.steps", "train.batch", "train.epochs", "train.initial", "train.memory_gib"),
    *("data.crop", "data.resize", "model.encoder", "model.filters", "model.depth"),
)
AUTO = (
    "with train.validation_images: auto, trials could score different numbers of validation images: set "
    "train.validation_images: N in params.yaml and commit it (python -m tools.plan shows the present number)"
)
FORMS = "KEY=LOW..HIGH, KEY=log:LOW..HIGH (with two whole numbers: whole numbers) or KEY=A|B|C"


class _Trial(Protocol):
    """The methods of optuna.Trial that a dimension calls."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool) -> int: ...
    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float: ...
    def suggest_categorical(self, name: str, choices: Sequence[str]) -> str: ...


@dataclass(frozen=True)
class Dimension:
    """One setting of the search space.

    Attributes:
        key: The name in params.yaml, such as train.lr.
        choices: The values to choose from, as text; empty for a range.
        low: Lower end of the range.
        high: Upper end, which is included.
        log: The logarithm is distributed evenly.
        whole: The numbers are integers.
    """

    key: str
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False

    def suggest(self, trial: _Trial) -> str:
        """Return the value that a trial suggests, as text for `dvc exp run -S`."""
        if self.choices:
            return trial.suggest_categorical(self.key, self.choices)
        if self.whole:
            return str(trial.suggest_int(self.key, int(self.low), int(self.high), log=self.log))
        return f"{trial.suggest_float(self.key, self.low, self.high, log=self.log):.6g}"

    @property
    def extremes(self) -> tuple[str, ...]:
        """The values that are checked: all choices, or both ends."""
        return self.choices or tuple(str(int(end)) if self.whole else f"{end:.6g}" for end in (self.low, self.high))

    @property
    def size(self) -> float:
        """The number of values; infinite for a range of numbers that are not whole."""
        return len(self.choices) or (int(self.high) - int(self.low) + 1 if self.whole else math.inf)


def parse_space(texts: Iterable[str], content: Mapping[str, Content]) -> list[Dimension]:
    """Parse a search space, and check that every setting may take these values.

    Args:
        texts: KEY=RANGE or KEY=VALUES, one for each setting; see `FORMS`.
        content: The content of params.yaml.

    Raises:
        UserError: The message lists everything that is wrong.
    """
    known, space, problems = flatten(content), dict[str, Dimension](), []
    for text in texts:
        key, _, values = text.partition("=")
        if reason := "named twice" if key in space else _exclusion(key, known):
            problems.append(f"{text}: {reason}")
        elif (dimension := _dimension(key, values)) is None:
            problems.append(f"{text}: not of the form {FORMS}")
        else:
            space[key] = dimension
            problems += [f"{text}: {why}" for value in dimension.extremes if (why := _refusal(content, key, value))]
    if problems:
        raise UserError(f"the search space cannot be used\n{listing(problems)}")
    return list(space.values())


def require_combinations(space: Iterable[Dimension], trials: int) -> None:
    """Check that there are different settings for so many trials.

    Args:
        space: The search space.
        trials: Number of trials.

    Raises:
        UserError: The search space has fewer combinations of values.
    """
    number = math.prod(dimension.size for dimension in space)
    if trials > number:
        raise UserError(f"--trials {trials}: the search space has only {number} combinations of values: lower --trials")


def _exclusion(key: str, known: Mapping[str, Content]) -> str:
    """The reason why a sweep must not vary a setting; empty if it may."""
    if reason := next((why for start, why in EXCLUDED.items() if key.startswith(start)), ""):
        return reason
    if key not in known:
        return "no such setting in params.yaml"
    return AUTO if key in OF_VALIDATION and known.get("train.validation_images") == "auto" else ""


def _dimension(key: str, values: str) -> Dimension | None:
    """Parse the values of a setting; None for text that is not of one of the `FORMS`."""
    log, ends = values.startswith("log:"), values.removeprefix("log:").split("..")
    if len(ends) != 2:
        choices = tuple(values.split("|"))
        usable = all(choices) and len(set(choices)) == len(choices) and not log
        return Dimension(key, choices) if usable else None
    whole = all(re.fullmatch(r"-?\d{1,15}", end) for end in ends)
    try:
        low, high = map(int if whole else float, ends)
    except ValueError:
        return None
    if not (math.isfinite(low) and math.isfinite(high) and low < high) or (log and low <= 0):
        return None
    return Dimension(key, (), low, high, log, whole)


def _refusal(content: Mapping[str, Content], key: str, value: str) -> str:
    """The reason why an experiment would refuse this value; empty if it would not."""
    place = Path("params.yaml")
    try:
        parsed = parse_yaml(value, place)
        validate(Params, _changed(content, key.split("."), parsed), place)
    except UserError as error:
        return " ".join(str(error).split())
    if isinstance(parsed, list | dict):
        return "a list or an object cannot be varied"
    return "DVC takes ${ for a reference" if "${" in value else ""


def _changed(content: Mapping[str, Content], keys: Sequence[str], value: Content) -> dict[str, Content]:
    return {**content, keys[0]: _changed(content[keys[0]], keys[1:], value) if keys[1:] else value}
