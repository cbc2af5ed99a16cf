"""Sections of YAML files as frozen, validated models, and a sentence for each value that is refused."""

import difflib
import reprlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Discriminator, Tag, ValidationError

from src.errors import UserError, listing

Checked = TypeVar("Checked", bound=BaseModel)
Number = TypeVar("Number")
Rule = TypeVar("Rule")
SHORT = reprlib.Repr()  # shortens the given value, so that it does not fill the terminal
SHORT.maxstring = SHORT.maxother = 200  # characters
NUMBER = "a number"  # the member of the union below that Pydantic reports errors of, unless the value is auto
Auto = Annotated[
    Annotated[Literal["auto"], Tag("auto")] | Annotated[Number, Tag(NUMBER)],
    Discriminator(lambda value: "auto" if value == "auto" else NUMBER),
]
RULE, MAPPING = "a rule", "a mapping"  # the members of the union below, likewise
ByName = Annotated[
    Annotated[Rule, Tag(RULE)] | Annotated[dict[str, Number], Tag(MAPPING)],
    Discriminator(lambda value: MAPPING if isinstance(value, Mapping) else RULE),
]
OR_MAPPING = ", or a mapping {name: value, …}"
UNIONS = ("[key]", NUMBER, RULE, MAPPING)  # parts of a place that are no keys of the file


class Section(BaseModel):
    """A section of a YAML file. It refuses unknown keys, wrong types and values out of range, and cannot be changed.

    Attributes:
        renamed: Earlier name of a key → its present name. An earlier name is refused with the present one.
    """

    renamed: ClassVar[Mapping[str, str]] = {}
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def validate(model: type[Checked], content: object, path: Path) -> Checked:
    """Validate the content of a YAML file.

    Args:
        model: The model of the file.
        content: The parsed content.
        path: The file that the message names.

    Raises:
        UserError: Some keys are refused; the message lists all of them.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise refusal(path, problems(model, error)) from None


def refusal(path: Path, lines: list[str]) -> UserError:
    """The error that lists refused settings.

    Args:
        path: The file that holds them.
        lines: One sentence for each setting.
    """
    return UserError(f"{path}: {len(lines)} setting(s) refused\n{listing(lines)}")


def problems(model: type[BaseModel], error: ValidationError, whole: str = "the file") -> list[str]:
    """Describe every error that Pydantic found, one sentence each.

    Args:
        model: The model that was validated.
        error: The errors.
        whole: The subject of a sentence that concerns no single key.
    """
    lines = []
    for problem in error.errors():
        place = problem["loc"]
        key = ".".join(str(part) for part in place if part not in UNIONS) or whole
        if problem["type"] == "extra_forbidden":
            lines.append(_unknown_key(_section(model, place[:-1]), key, str(place[-1])))
        elif problem["type"] == "missing":
            lines.append(f"{key}: missing")
        else:
            message = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
            other = ", or auto" if NUMBER in place else OR_MAPPING if RULE in place else ""
            value = "" if isinstance(problem["input"], dict | BaseModel) else given_value(problem["input"])
            lines.append(f"{key}: {message}{other}{value}")
    return lines


def given_value(value: object) -> str:
    """The end of a sentence that shows the refused value."""
    return f" (given: {SHORT.repr(value)})"


def _unknown_key(section: type[Section], key: str, name: str) -> str:
    """Describe an unknown key `name` of a section; `key` is its full path."""
    if name in section.renamed:
        return f"{key}: this key has a new name: {key.removesuffix(name)}{section.renamed[name]}"
    allowed = list(section.model_fields)
    close = difflib.get_close_matches(name, allowed, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{key}: no such key; {hint}allowed here: {', '.join(allowed)}"


def _section(model: type[BaseModel], place: Iterable[str | int]) -> type[Section]:
    """The section of `model` at a place in the file, such as ("train", "loss")."""
    for name in place:
        annotation = model.model_fields[str(name)].annotation
        model = next(part for part in (annotation, *get_args(annotation)) if _is_section(part))
    return model if issubclass(model, Section) else Section


def _is_section(part: object) -> bool:
    return isinstance(part, type) and issubclass(part, BaseModel)
