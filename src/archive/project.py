"""project.json of a model file: the meaning of the network's inputs and outputs."""

import operator
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from src.data.classes.label_format import LabelFormat
from src.data.source.dataset import (
    COLOUR,
    MOST_OVERLAPPING,
    NONE,
    ClassName,
    Dataset,
    StoredValue,
    overlap_problem,
)
from src.encoders import DEEPEST
from src.params import Depth, Encoder, Flip
from src.section import Section

Finite = Annotated[float, Field(allow_inf_nan=False)]
Spread = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Colour = Annotated[str, Field(pattern=f"^{COLOUR.pattern}$")]
Threshold = Annotated[float, Field(gt=0, lt=1)]
Side = Annotated[int, Field(ge=0, le=16384)]
MOST_CHANNELS, MOST_CLASSES = 16, 255
MIRRORED_AXES: dict[Flip, list[tuple[int, ...]]] = {
    "none": [()],
    "horizontal": [(), (2,)],
    "vertical": [(), (1,)],
    "both": [(), (1,), (2,), (1, 2)],
}


class Decisions(Section):
    """How logits become classes; src/model/decisions/fit_decisions.py chooses this on the validation images.

    Attributes:
        mirror: average the logits over the image and its mirror images (test-time augmentation): none, the one that is
            mirrored horizontally or vertically, or both of these and the one that is turned by 180 degrees.
        temperature: the logits are divided by it before they become probabilities.
        threshold: with two classes, a pixel is foreground if its probability is above this; with overlapping classes,
            it is of each class whose probability is above this.
        thresholds: with overlapping classes, the threshold of each class instead; empty: `threshold` for all.
        min_object: components of fewer pixels take the class around them; 0: none.
        fill_holes: holes in the foreground of fewer pixels take the class around them; 0: none.
    """

    mirror: Flip = "none"
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    threshold: Threshold = 0.5
    thresholds: Annotated[list[Threshold], Field(max_length=MOST_OVERLAPPING, exclude_if=operator.not_)] = Field(
        default_factory=list
    )
    min_object: Annotated[int, Field(ge=0)] = 0
    fill_holes: Annotated[int, Field(ge=0)] = 0

    @field_validator("mirror", mode="before")
    @classmethod
    def of_earlier_models(cls, mirror: object) -> object:
        """Earlier models averaged all mirror images, or none."""
        return {True: "both", False: "none"}[mirror] if isinstance(mirror, bool) else mirror

    @property
    def mirrored_axes(self) -> list[tuple[int, ...]]:
        """The axes of [n, height, width, channels] along which each averaged copy is mirrored; () is the image."""
        return MIRRORED_AXES[self.mirror]


class PlannedSetting(Section):
    """A setting of the plan.

    Attributes:
        value: what the training used.
        why: the reason for this value.
    """

    value: int | Finite | str
    why: str


class Project(Section):
    """The meaning of the network's inputs and outputs; stored beside Keras's own members as project.json.

    Attributes:
        classes: names in the order of the class indices.
        background: index of the class that averages exclude; None: no such class.
        values: the stored value of each class in the training masks, a number or "#RRGGBB"; empty: the class index.
        colors: class name → "#RRGGBB".
        channels: data.channels of the training, see `read_image`.
        mean: of the training pixels' scaled intensities, one number for each channel (src/data/crops/normalise.py).
        std: their standard deviation, one number for each channel.
        normalise: dataset: by `mean` and `std`; image: each image by its own mean and standard deviation; encoder: as
            the weights of the encoder expect (src/encoders.py).
        dtype: number type of the images.
        shorter_side: the network sees each image scaled to this shorter side in pixels, with the aspect ratio kept; 0:
            images keep their size.
        encoder: model.encoder of the training.
        depth: how often the network halves the resolution.
        plan: setting → its value in training and the reason (src/plan/plan.py).
        decisions: how logits become classes.
        overlap: a pixel may be of several classes, or of none.
    """

    classes: Annotated[list[ClassName], Field(min_length=2, max_length=MOST_CLASSES)]
    background: Annotated[int, Field(ge=0)] | None
    values: list[StoredValue] = Field(default_factory=list)
    colors: dict[str, Colour]
    channels: Annotated[int, Field(ge=0, le=MOST_CHANNELS)] = 0
    mean: Annotated[list[Finite], Field(min_length=1, max_length=MOST_CHANNELS)]
    std: list[Spread]
    normalise: Literal["dataset", "image", "encoder"]
    dtype: Literal["uint8", "uint16", "float32"]
    shorter_side: Side
    encoder: Encoder = "plain"
    depth: Depth
    plan: dict[str, PlannedSetting] = Field(default_factory=dict)
    decisions: Decisions = Decisions()
    overlap: Annotated[bool, Field(exclude_if=operator.not_)] = False

    @model_validator(mode="after")
    def consistent(self) -> Self:
        number, channels = len(self.classes), len(self.mean)
        if len(set(self.classes)) < number:
            raise ValueError("classes: a name occurs twice")
        if self.background is not None and self.background >= number:
            raise ValueError(f"background: there are {number} classes, counted from 0")
        if self.values and len(self.values) != number:
            raise ValueError(f"values: {len(self.values)} for {number} classes")
        if unknown := sorted(self.colors.keys() - set(self.classes)):
            raise ValueError(f"colors: no such class: {', '.join(map(repr, unknown))}")
        if len(self.std) != channels or self.channels not in (0, channels):
            raise ValueError(f"mean is of {channels} channel(s), std of {len(self.std)}, channels is {self.channels}")
        if self.encoder != "plain" and self.depth > DEEPEST:
            raise ValueError(f"depth: {self.depth}, but {self.encoder} halves the resolution {DEEPEST} times at most")
        if self.normalise == "encoder" and (self.encoder == "plain" or self.dtype == "float32"):
            raise ValueError(f"normalise: encoder, for images of type {self.dtype} and the encoder {self.encoder}")
        return self._overlap_consistent()

    def _overlap_consistent(self) -> Self:
        """Refuse what does not fit overlapping classes."""
        number, thresholds = len(self.classes), len(self.decisions.thresholds)
        if thresholds and not self.overlap:
            raise ValueError("decisions.thresholds: overlap is not true")
        if thresholds not in (0, number):
            raise ValueError(f"decisions.thresholds: {thresholds} for {number} classes")
        if self.overlap and (problem := overlap_problem(self.classes)):
            raise ValueError(f"classes: they overlap, and {problem}")
        if self.overlap and self.background is not None:
            raise ValueError(f"background: {self.background}, but overlapping classes have none")
        if self.overlap and self.values and self.values != list(range(number)):
            raise ValueError("values: overlapping classes are numbered from 0")
        return self

    @property
    def dataset(self) -> Dataset:
        """The classes, as dataset.yaml would describe them."""
        known = dict(zip(self.values or range(len(self.classes)), self.classes, strict=True))
        background = NONE if self.background is None else self.classes[self.background]
        return Dataset(classes=known, background=background, colors=self.colors, overlap=self.overlap)

    @property
    def foreground(self) -> list[int]:
        """Indices of all classes except the background."""
        return [index for index in range(len(self.classes)) if index != self.background]

    @property
    def outputs(self) -> int:
        """Number of logits of each pixel."""
        return self.labels.outputs

    @property
    def labels(self) -> LabelFormat:
        """The meaning of predicted labels."""
        return LabelFormat(len(self.classes), self.overlap)

    @property
    def thresholds(self) -> list[float]:
        """For each logit the probability above which a pixel is of its class."""
        return self.decisions.thresholds or [self.decisions.threshold] * self.outputs

    @property
    def decision_values(self) -> dict[str, float | str]:
        """The decisions by the names of metrics/train.json: overlapping classes have a threshold each."""
        values: dict[str, float | str] = {}
        for name, value in self.decisions.model_dump(exclude={"thresholds"}).items():
            if name == "threshold" and self.overlap:
                values |= {threshold_of(one): level for one, level in zip(self.classes, self.thresholds, strict=True)}
            else:
                values[name] = value
        return values

    @property
    def default_values(self) -> dict[str, float | str]:
        """The default of each of `decision_values`."""
        return self.model_copy(update={"decisions": Decisions()}).decision_values


def threshold_of(name: str) -> str:
    """Return the name of the decision on the threshold of an overlapping class."""
    return f"threshold of {name}"
