"""project.json of an archive: what the network's inputs and outputs mean."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from src.data.source.dataset import COLOUR, NONE, ClassName, Dataset, StoredValue
from src.params import Depth
from src.section import Section

Finite = Annotated[float, Field(allow_inf_nan=False)]
Spread = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Colour = Annotated[str, Field(pattern=f"^{COLOUR.pattern}$")]
Side = Annotated[int, Field(ge=0, le=16384)]
MOST_CHANNELS = 16


class Decisions(Section):
    """How probabilities become classes, as decided on the validation images by src/model/decisions/fit_decisions.py.

    mirror: logits are averaged over the image and its three mirror images. temperature: what they are divided by.
    threshold: probability above which a pixel is foreground, of two classes. min_object, fill_holes: connected pixels
    of a class, and holes in the foreground, that are fewer than this take the class around them; 0 leaves them.
    """

    mirror: bool = False
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    min_object: Annotated[int, Field(ge=0)] = 0
    fill_holes: Annotated[int, Field(ge=0)] = 0


class PlannedSetting(Section):
    """A setting of the plan, and why it has this value."""

    value: int | Finite | str
    why: str


class Project(Section):
    """What the network's inputs and outputs mean; stored beside Keras's own members as project.json.

    classes: names in the order of the class indices; background: the index that means leave out, if any.
    values: what stands for each class in the training masks, a number or "#RRGGBB"; the index itself if left out.
    colors: class name → "#RRGGBB". channels: what data.channels made of the images, see `read_image`.
    mean, std: of the training pixels' scaled intensities, for each channel (see src/data/crops/normalise.py).
    normalise: dataset, by that mean and std; image, each image by its own. dtype: the images' number type.
    resize: side in pixels that images are brought to, 0 for none; depth: how often the network halves them.
    plan: the settings that it was trained with, each with the reason for it (see src/plan/plan.py).
    decisions: see `Decisions`.
    """

    classes: Annotated[list[ClassName], Field(min_length=2, max_length=255)]
    background: Annotated[int, Field(ge=0)] | None
    values: list[StoredValue] = Field(default_factory=list)
    colors: dict[str, Colour]
    channels: Annotated[int, Field(ge=0, le=MOST_CHANNELS)] = 0
    mean: Annotated[list[Finite], Field(min_length=1, max_length=MOST_CHANNELS)]
    std: list[Spread]
    normalise: Literal["dataset", "image"]
    dtype: Literal["uint8", "uint16", "float32"]
    resize: Side
    depth: Depth
    plan: dict[str, PlannedSetting] = Field(default_factory=dict)
    decisions: Decisions = Decisions()

    @model_validator(mode="after")
    def consistent(self) -> Self:
        number, channels = len(self.classes), len(self.mean)
        if len(set(self.classes)) < number:
            raise ValueError("classes: a name stands twice")
        if self.background is not None and self.background >= number:
            raise ValueError(f"background: there are {number} classes, counted from 0")
        if self.values and len(self.values) != number:
            raise ValueError(f"values: {len(self.values)} for {number} classes")
        if unknown := sorted(self.colors.keys() - set(self.classes)):
            raise ValueError(f"colors: no such class: {', '.join(map(repr, unknown))}")
        if len(self.std) != channels or self.channels not in (0, channels):
            raise ValueError(f"mean is of {channels} channel(s), std of {len(self.std)}, channels is {self.channels}")
        return self

    @property
    def dataset(self) -> Dataset:
        """The classes as a data set describes them."""
        known = dict(zip(self.values or range(len(self.classes)), self.classes, strict=True))
        background = NONE if self.background is None else self.classes[self.background]
        return Dataset(classes=known, background=background, colors=self.colors)

    @property
    def foreground(self) -> list[int]:
        """The indices of all classes but the background."""
        return [index for index in range(len(self.classes)) if index != self.background]

    @property
    def outputs(self) -> int:
        """Logits of each pixel: one for two classes, else one for each."""
        return 1 if len(self.classes) == 2 else len(self.classes)
