"""The settings in params.yaml as frozen, validated models: which values are allowed.

The comments in params.yaml say what each key means. In `Data`, `Augment`, `Model` and `Train`, `auto` stands for a
value that the plan finds (see src/plan/rules). `PlannedData`, `PlannedAugment`, `PlannedModel` and `PlannedTrain`
hold the values of the plan.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from src.files import read_yaml
from src.section import Auto, ByName, Section, given_value, refusal, validate

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Resize = Annotated[int, Field(ge=0, le=16384)]
Crop = Annotated[int, Field(ge=16, le=4096)]
Filters = Annotated[int, Field(ge=1, le=1024)]
Depth = Annotated[int, Field(ge=1, le=7)]
Rate = Annotated[float, Field(gt=0, le=10)]
Precision = Literal["float32", "bfloat16", "float16"]
Flip = Literal["none", "horizontal", "vertical", "both"]
Encoder = Literal["plain", "efficientnet_lite0", "mobilenet_v2", "efficientnet_b0", "resnet50", "vgg16"]

Weight = Annotated[float, Field(gt=0, allow_inf_nan=False)]

INITIAL = Path("models/initial")  # training depends on this folder, so initial weights must be there
OUTPUTS = ("data/prepared", "data/evaluation", "models", "metrics", "plots")  # folders that the pipeline writes


class Masks(Section):
    read: Literal["auto", "alpha", "indices", "instances"]
    threshold: Annotated[float, Field(ge=0, lt=2**32)]
    exif: Literal["auto", "shown", "stored"] = "auto"

    @model_validator(mode="after")
    def one_rule_for_foreground(self) -> "Masks":
        if self.threshold and self.read == "instances":
            raise ValueError("threshold and read: instances are two ways to make foreground: set one of them")
        return self


class Data(Section):
    renamed: ClassVar[Mapping[str, str]] = {"rare": "oversample_rare"}
    source: Annotated[str, Field(min_length=1)]
    on_error: Literal["fail", "skip"]
    channels: Annotated[int, Field(ge=0, le=16)]
    masks: Masks
    normalise: Literal["auto", "dataset", "image", "encoder"]
    resize: Auto[Resize]
    crop: Auto[Crop]
    oversample_rare: Auto[Share]

    @field_validator("source")
    @classmethod
    def local_folder(cls, source: str) -> str:
        if "://" in source:
            raise ValueError("must be a folder on this machine; dvc import-url fetches one from elsewhere")
        return source


class PlannedData(Data):
    normalise: Literal["dataset", "image", "encoder"]
    resize: Resize
    crop: Crop
    oversample_rare: Share


def table_column(rule: str) -> tuple[str, str] | None:
    """Split `FILE.csv:COLUMN` (or .tsv) into the file and the column; None if `rule` has another form."""
    found = re.fullmatch(r"([^/\\:.][^/\\:]*\.[ct]sv):(.+)", rule, re.IGNORECASE)
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
    folds: Natural
    fold: Natural

    @field_validator("group")
    @classmethod
    def valid_group(cls, group: str) -> str:
        return group if group in ("auto", "none") else _group_rule(group)

    @field_validator("stratify")
    @classmethod
    def valid_stratify(cls, stratify: str) -> str:
        if stratify not in ("classes", "none") and table_column(stratify) is None:
            raise ValueError("must be classes, none, or FILE.csv:COLUMN")
        return stratify

    @model_validator(mode="after")
    def shares_and_folds(self) -> "Split":
        if self.validation + self.test >= 1:
            raise ValueError("validation + test must be less than 1: the rest is trained on")
        if self.folds in (1, 2):
            counts = "one to test, one to validate, the rest to train"
            raise ValueError(f"folds must be 0 (one fixed split) or 3 and more: {counts}")
        if self.fold >= max(self.folds, 1):
            raise ValueError(f"fold must be one of 0 … {max(self.folds, 1) - 1} with folds: {self.folds}")
        return self


class Augment(Section):
    renamed: ClassVar[Mapping[str, str]] = {"share": "probability"}
    flip: Literal["auto", "none", "horizontal", "vertical", "both"]
    shift: Share
    probability: Share
    rotate: Annotated[float, Field(ge=0, le=180)]
    scale: Annotated[float, Field(ge=0, le=3)]
    brightness: Amount
    contrast: Annotated[float, Field(ge=0, le=3)]
    noise: Amount


class PlannedAugment(Augment):
    flip: Flip


class Model(Section):
    encoder: Encoder = "plain"
    weights: str = "imagenet"
    filters: Auto[Filters]
    depth: Auto[Depth]

    @field_validator("weights")
    @classmethod
    def file_in_initial_folder(cls, weights: str) -> str:
        if weights not in ("none", "imagenet") and (Path(weights).parent != INITIAL or Path(weights).suffix != ".h5"):
            raise ValueError(
                f"must be none, imagenet, or an .h5 file in {INITIAL}/, which python -m tools.encoder writes"
            )
        return weights

    @property
    def weights_file(self) -> Path | None:
        """The file of the encoder's initial weights; None if they are random."""
        if self.encoder == "plain" or self.weights == "none":
            return None
        return INITIAL / f"{self.encoder}.imagenet.weights.h5" if self.weights == "imagenet" else Path(self.weights)


class PlannedModel(Model):
    filters: Filters
    depth: Depth


class Loss(Section):
    cross_entropy: Amount
    class_weights: ByName[Literal["auto", "none", "root", "balanced"], Weight] = "auto"
    dice: Amount
    focal: Amount = 0.0
    focal_gamma: Annotated[float, Field(ge=0, le=10)] = 2.0

    @model_validator(mode="after")
    def one_weight_positive(self) -> "Loss":
        if not any((self.cross_entropy, self.dice, self.focal)):
            raise ValueError("cross_entropy, dice and focal cannot all be 0: nothing would be learned")
        return self


class PlannedLoss(Loss):
    class_weights: ByName[Literal["none", "root", "balanced"], Weight]


class Decide(Section):
    mirror: bool
    temperature: bool
    threshold: bool
    min_object: bool
    fill_holes: bool


class Train(Section):
    renamed: ClassVar[Mapping[str, str]] = {"validated": "validation_images"}
    initial: str
    memory_gib: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    steps: Auto[Count]
    validation_images: Auto[Count]
    epochs: Auto[Count]
    patience: Natural = 0
    finish_after: Natural = 0
    batch: Auto[Count]
    lr: Auto[Rate]
    encoder_rate: Share = 0.1
    warmup: Auto[Share]
    precision: Literal["auto", "float32", "bfloat16", "float16"]
    strategy: Literal["auto", "single", "mirrored", "multi_worker"]
    loss: Loss
    supervision: Annotated[int, Field(ge=0, le=6)]
    tensorboard: bool = False
    decisions: Decide

    @field_validator("initial")
    @classmethod
    def file_in_initial_folder(cls, initial: str) -> str:
        if initial != "none" and (Path(initial).parent != INITIAL or Path(initial).suffix != ".keras"):
            raise ValueError(f"must be none, or a .keras file in {INITIAL}/, the folder that training depends on")
        return initial

    @model_validator(mode="after")
    def one_step_per_epoch(self) -> "Train":
        if self.steps != "auto" and self.epochs != "auto" and self.steps < self.epochs:
            raise ValueError(f"steps ({self.steps}) must be at least as many as epochs ({self.epochs})")
        return self


class PlannedTrain(Train):
    steps: Count
    validation_images: Count
    epochs: Count
    batch: Count
    lr: Rate
    warmup: Share
    loss: PlannedLoss


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
        if self.data.crop != "auto" and self.model.depth != "auto":
            check_crop(self.data.crop, self.model.depth)
        return self


def check_crop(crop: int, depth: int) -> None:
    """Check that a network can halve a patch as often as its depth asks for.

    Args:
        crop: Side of the patch in pixels.
        depth: How often the network halves the resolution.

    Raises:
        ValueError: `crop` is not a multiple of 2 ** `depth`.
    """
    if crop % 2**depth:
        raise ValueError(
            f"data.crop ({crop}) must be a multiple of {2**depth}, "
            f"since model.depth ({depth}) halves it that many times"
        )


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and check params.yaml, which lies in the root of the project.

    Raises:
        UserError: Settings are refused (the message lists all of them), or `check_source` refuses data.source.
    """
    params = validate(Params, read_yaml(path), path)
    check_source(params.data.source, path.parent, path)
    return params


def check_source(source: str, root: Path, path: Path, key: str = "data.source") -> None:
    """Check the folder of the data set in the file system, which the models above never look at.

    Args:
        source: The folder, as it was written; a relative path starts at `root`.
        root: The root folder of the project.
        path: The file or folder that the message names first.
        key: The key that the message names.

    Raises:
        UserError: The pipeline writes to this folder; or only a shell would find it, and the message names the folder
            that was probably meant.
    """
    if problem := _source_problem(source, root):
        raise refusal(path, [f"{key}: {problem}{given_value(source)}"])


def check_weights(params: Params, root: Path = Path(), path: Path = Path("params.yaml")) -> None:
    """Check that the file of the encoder's initial weights exists, unless training starts from an earlier model.

    Args:
        params: The settings.
        root: The root folder of the project.
        path: The file that the message names first.

    Raises:
        UserError: There is no such file. The message names the command that brings it.
    """
    model, file = params.model, params.model.weights_file
    if file is None or params.train.initial != "none" or (root / file).is_file():
        return
    if (root / f"{file}.dvc").is_file():
        remedy = f"run dvc pull {file}"
    elif model.weights == "imagenet":
        copies = "then git add it, so that experiments in a copy (--temp, --queue) find it"
        remedy = f"run python -m tools.encoder {model.encoder}, {copies}"
    else:
        remedy = f"copy it there, or set imagenet and run python -m tools.encoder {model.encoder}"
    raise refusal(path, [f"model.weights: there is no {file}: {remedy}; or set none for random weights"])


def _source_problem(source: str, root: Path) -> str | None:
    meant = _expanded(source)
    if meant != source and not (root / source).exists():
        literal = "~, $NAME, backslashes and blanks at the ends are part of a name, here and to DVC"
        return f"{literal}, and there is no such folder; did you mean {meant!r}?"
    try:
        folder, outputs = (root / source).resolve(), [(root / name).resolve() for name in OUTPUTS]
    except RuntimeError:
        return "is a link that leads in a circle"
    if any(folder.is_relative_to(output) or output.is_relative_to(folder) for output in outputs):
        return "the pipeline writes its outputs there; put the data set in a folder of its own"
    return None


def _expanded(source: str) -> str:
    """The path as a shell, or Windows, would read it."""
    text = source.strip()
    if os.sep == "/":
        text = text.replace("\\", "/")
    return os.path.expandvars(os.path.expanduser(text))  # noqa: PTH111
