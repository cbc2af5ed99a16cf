"""Sections of YAML files as frozen, validated models, and what is wrong with one in words."""

import difflib
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Discriminator, Tag, ValidationError

from src.errors import UserError, listing

Checked = TypeVar("Checked", bound=BaseModel)
Number = TypeVar("Number")
SHORT = reprlib.Repr()  # shows a value that was given, without filling the terminal with it
SHORT.maxstring = SHORT.maxother = 200  # characters
NUMBER = "a number"  # the part of a union that a complaint is about, unless the value is auto
Auto = Annotated[
    Annotated[Literal["auto"], Tag("auto")] | Annotated[Number, Tag(NUMBER)],
    Discriminator(lambda value: "auto" if value == "auto" else NUMBER),
]


class Section(BaseModel):
    """A section of a YAML file. Unknown keys, wrong types and values out of range are refused; it cannot be changed.

    `renamed`: earlier name of a key → its name now. An earlier name is refused with the new one.
    """

    renamed: ClassVar[Mapping[str, str]] = {}
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def validate(model: type[Checked], content: Any, path: Path) -> Checked:
    """Check the content of a YAML file against `model`; `UserError` lists every offending key of the file at `path`."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        lines = problems(model, error)
        raise UserError(f"{path}: {len(lines)} setting(s) refused\n{listing(lines)}") from None


def problems(model: type[BaseModel], error: ValidationError, whole: str = "the file") -> list[str]:
    """Every problem that Pydantic found, in words; whole: the subject of what concerns no single key."""
    return [_sentence(model, dict(problem), whole) for problem in error.errors()]


def _sentence(model: type[BaseModel], problem: dict[str, Any], whole: str) -> str:
    """One problem found by Pydantic in words: the key, what is wrong with it, and what was given."""
    key = ".".join(str(part) for part in problem["loc"] if part not in ("[key]", NUMBER)) or whole
    or_auto = ", or auto" if NUMBER in problem["loc"] else ""
    if problem["type"] == "extra_forbidden":
        section, wrong = _section(model, problem["loc"][:-1]), str(problem["loc"][-1])
        if wrong in section.renamed:
            now = section.renamed[wrong]
            return f"{key}: this key has a new name: {key.removesuffix(wrong)}{now}"
        allowed = list(section.model_fields)
        close = difflib.get_close_matches(wrong, allowed, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        return f"{key}: no such key; {hint}allowed here: {', '.join(allowed)}"
    if problem["type"] == "missing":
        return f"{key}: missing"
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    given = "" if isinstance(problem["input"], dict | BaseModel) else f" (given: {SHORT.repr(problem['input'])})"
    return f"{key}: {message}{or_auto}{given}"


def _section(model: type[BaseModel], place: tuple[str | int, ...]) -> type[Section]:
    """The section of `model` at a place in the file, such as ("train", "loss")."""
    for name in place:
        annotation = model.model_fields[str(name)].annotation
        model = next(part for part in (annotation, *get_args(annotation)) if _is_section(part))
    return model if issubclass(model, Section) else Section


def _is_section(part: object) -> bool:
    return isinstance(part, type) and issubclass(part, BaseModel)
