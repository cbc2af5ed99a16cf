"""params.yaml as frozen, validated models; nothing else reads that file.

What each key means stands in params.yaml itself; here is what values are allowed.
"""

import difflib
import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from src.errors import UserError, listing
from src.files import read_yaml

Checked = TypeVar("Checked", bound=BaseModel)
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


OUTPUTS = ("data/prepared", "data/evaluation", "models", "metrics", "plots")


class Section(BaseModel):
    """Unknown keys, wrong types and values out of range are refused; nothing can be changed afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Masks(Section):
    read: Literal["auto", "alpha", "instances"]
    threshold: Annotated[float, Field(ge=0, lt=2**32)]

    @model_validator(mode="after")
    def one_reading(self) -> "Masks":
        if self.threshold and self.read == "instances":
            raise ValueError("threshold and read: instances are two ways to make foreground: set one of them")
        return self


class Data(Section):
    source: Annotated[str, Field(min_length=1)]
    on_error: Literal["fail", "skip"]
    channels: Annotated[int, Field(ge=0, le=16)]
    masks: Masks
    normalise: Literal["dataset", "image"]
    resize: Annotated[int, Field(ge=0, le=16384)]
    crop: Annotated[int, Field(ge=16, le=4096)]
    rare: Share

    @field_validator("source")
    @classmethod
    def not_an_output(cls, source: str) -> str:
        path, outputs = Path(source).resolve(), [Path(name).resolve() for name in OUTPUTS]
        if path in (Path().resolve(), Path("data").resolve()) or any(path.is_relative_to(output) for output in outputs):
            raise ValueError("the pipeline writes its outputs there; put the data set in a folder of its own")
        return source


def table_column(rule: str) -> tuple[str, str] | None:
    """The file and the column that `FILE.csv:COLUMN` names, or None if `rule` is of another form."""
    found = re.fullmatch(r"([^/\\:.][^/\\:]*\.csv):(.+)", rule, re.IGNORECASE)
    return (found[1], found[2]) if found else None


def _group_rule(rule: str) -> str:
    if rule == "folder" or table_column(rule):
        return rule
    try:
        captured = re.compile(rule).groups
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    if captured != 1:
        forms = "a regular expression with exactly one capture group ( … ), folder, or FILE.csv:COLUMN"
        raise ValueError(f"must be {forms}; as an expression it has {captured} group(s)")
    return rule


GroupRule = Annotated[str, AfterValidator(_group_rule)]


class Split(Section):
    seed: Seed
    validation: Annotated[float, Field(gt=0, lt=1)]
    test: Annotated[float, Field(gt=0, lt=1)]
    group: str
    duplicates: Literal["together", "apart"]
    stratify: str
    folds: Annotated[int, Field(ge=0)]
    fold: Annotated[int, Field(ge=0)]

    @field_validator("group")
    @classmethod
    def known_group(cls, group: str) -> str:
        return group if group in ("auto", "none") else _group_rule(group)

    @field_validator("stratify")
    @classmethod
    def known_stratify(cls, stratify: str) -> str:
        if stratify not in ("classes", "none") and table_column(stratify) is None:
            raise ValueError("must be classes, none, or FILE.csv:COLUMN")
        return stratify

    @model_validator(mode="after")
    def consistent(self) -> "Split":
        if self.validation + self.test >= 1:
            raise ValueError("validation + test must be less than 1: the rest is trained on")
        if self.folds in (1, 2):
            raise ValueError(
                "folds must be 0 (one fixed split) or 3 and more: one to test, one to validate, the rest to train"
            )
        if self.fold >= max(self.folds, 1):
            raise ValueError(f"fold must be one of 0 … {max(self.folds, 1) - 1} with folds: {self.folds}")
        return self


class Augment(Section):
    flip: Literal["none", "horizontal", "vertical", "both"]
    shift: Share
    share: Share
    rotate: Annotated[float, Field(ge=0, le=180)]
    scale: Annotated[float, Field(ge=0, le=3)]
    brightness: Amount
    contrast: Annotated[float, Field(ge=0, le=3)]
    noise: Amount
    gamma: Amount
    invert: Share
    blur: Amount
    coarse: Share
    colour: Amount


class Model(Section):
    filters: Annotated[int, Field(ge=1, le=1024)]
    depth: Annotated[int, Field(ge=1, le=7)]
    norm: Literal['batch','instance']
    supervision: Annotated[int, Field(ge=0, le=4)]


class Loss(Section):
    cross_entropy: Amount
    dice: Amount

    @model_validator(mode="after")
    def something(self) -> "Loss":
        if self.cross_entropy + self.dice == 0:
            raise ValueError("cross_entropy and dice cannot both be 0: nothing would be learned")
        return self


class Decide(Section):
    mirror: bool
    temperature: bool
    threshold: bool
    min_object: bool
    fill_holes: bool


class Train(Section):
    epochs: Count
    crops: Count
    batch: Count
    lr: Annotated[float, Field(gt=0, le=10)]
    warmup: Share
    average: Share
    decay: Amount
    precision: Literal["auto", "float32", "bfloat16", "float16"]
    strategy: Literal["auto", "single", "mirrored", "multi_worker"]
    loss: Loss
    decisions: Decide

    @model_validator(mode="after")
    def at_least_one_step(self) -> "Train":
        if self.crops < self.batch:
            raise ValueError(f"crops must be at least batch ({self.batch}): an epoch has whole steps only")
        return self


class Evaluate(Section):
    resamples: Annotated[int, Field(ge=100)]
    tolerance: Amount
    objects: Literal["auto", "all", "none"]


class Report(Section):
    panels: Annotated[int, Field(ge=1, le=33)]


class Params(Section):
    """The whole of params.yaml."""

    seed: Seed
    data: Data
    split: Split
    augment: Augment
    model: Model
    train: Train
    evaluate: Evaluate
    report: Report

    @model_validator(mode="after")
    def crop_fits_network(self) -> "Params":
        if self.data.crop % 2**self.model.depth:
            raise ValueError(
                f"data.crop ({self.data.crop}) must be a multiple of {2**self.model.depth}, "
                f"since model.depth ({self.model.depth}) halves it that many times"
            )
        if self.train.batch * (self.data.crop // 2**self.model.depth) ** 2 < 2:
            raise ValueError("at model.depth a batch comes down to one pixel, which normalises to 0: raise data.crop")
        return self


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and check params.yaml; `UserError` lists every key that is unknown, missing, mistyped or out of range."""
    return validate(Params, read_yaml(path), path)


def validate(model: type[Checked], content: Any, path: Path) -> Checked:
    """Check the content of a YAML file against `model`; `UserError` lists every offending key of the file at `path`."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        lines = [_sentence(model, dict(problem)) for problem in error.errors()]
        raise UserError(f"{path}: {len(lines)} setting(s) refused\n{listing(lines)}") from None


def _sentence(model: type[BaseModel], problem: dict[str, Any]) -> str:
    """One problem found by Pydantic in words: the key, what is wrong with it, and what was given."""
    key = ".".join(str(part) for part in problem["loc"] if part != "[key]") or "the file"
    if problem["type"] == "extra_forbidden":
        allowed = _keys(model, problem["loc"][:-1])
        close = difflib.get_close_matches(str(problem["loc"][-1]), allowed, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        return f"{key}: no such key; {hint}allowed here: {', '.join(allowed)}"
    if problem["type"] == "missing":
        return f"{key}: missing"
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    given = "" if isinstance(problem["input"], dict | BaseModel) else f" (given: {problem['input']!r})"
    return f"{key}: {message}{given}"


def _keys(model: type[BaseModel], place: tuple[str | int, ...]) -> list[str]:
    for name in place:
        annotation = model.model_fields[str(name)].annotation
        model = next(
            part for part in (annotation, *get_args(annotation)) if part is not None and hasattr(part, "model_fields")
        )
    return list(model.model_fields)
