"""models/unet.keras: all that a prediction needs in one file, written so that equal models are equal bytes."""

import json
import re
import zipfile
from pathlib import Path
from typing import Annotated, Any, Literal

import keras
from pydantic import Field

from src.data.dataset import Dataset, Value
from src.errors import UserError
from src.files import atomic
from src.model.unet import FusedBatchNormalization
from src.plan.initial import MEMBER
from src.plan.setting import PlannedSetting
from src.section import Section

CUSTOM = {FusedBatchNormalization.__name__: FusedBatchNormalization}
DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can hold


class Decisions(Section):
    """How probabilities become classes, as decided on the validation images by src/model/decide.py.

    mirror: logits are averaged over the image and its three mirror images. temperature: what they are divided by.
    threshold: probability above which a pixel is foreground, of two classes. min_object, fill_holes: connected pixels
    of a class, and holes in the foreground, that are fewer than this take the class around them; 0 leaves them.
    """

    mirror: bool = False
    temperature: Annotated[float, Field(gt=0)] = 1.0
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    min_object: Annotated[int, Field(ge=0)] = 0
    fill_holes: Annotated[int, Field(ge=0)] = 0


class Project(Section):
    """What the network's inputs and outputs mean; stored beside Keras's own members as project.json.

    classes: names in the order of the class indices; background: the index that means leave out, if any.
    values: what stands for each class in the training masks, a number or "#RRGGBB"; the index itself if left out.
    colors: class name → "#RRGGBB". channels: what data.channels made of the images, see `read_image`.
    mean, std: of the training pixels' scaled intensities, for each channel (see src/data/normalise.py).
    normalise: dataset, by that mean and std; image, each image by its own. dtype: the images' number type.
    resize: side in pixels that images are brought to, 0 for none; depth: how often the network halves them.
    plan: the settings that it was trained with, each with the reason for it (see src/plan/plan.py).
    decisions: see `Decisions`.
    """

    classes: list[str]
    background: int | None
    values: list[Value] = Field(default_factory=list)
    colors: dict[str, str]
    channels: int = 0
    mean: list[float]
    std: list[float]
    normalise: Literal["dataset", "image"]
    dtype: str
    resize: int
    depth: int
    plan: dict[str, PlannedSetting] = Field(default_factory=dict)
    decisions: Decisions = Decisions()

    @property
    def dataset(self) -> Dataset:
        """The classes as a data set describes them."""
        values = self.values or range(len(self.classes))
        known = dict(zip(values, self.classes, strict=True))
        background = None if self.background is None else self.classes[self.background]
        return Dataset(classes=known, background=background, colors=self.colors)

    @property
    def foreground(self) -> list[int]:
        """The indices of all classes but the background."""
        return [index for index in range(len(self.classes)) if index != self.background]


def save(path: Path, model: keras.Model, project: Project) -> None:
    """Write the model and its project.json; an equal model gives an equal file, whenever it is written."""
    with atomic(path) as temporary:
        model.save(temporary)
        with zipfile.ZipFile(temporary) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        metadata = json.loads(members["metadata.json"])
        metadata.pop("date_saved", None)
        members["metadata.json"] = _json(metadata)
        members["config.json"] = _renumbered(members["config.json"])
        members[MEMBER] = _json(project.model_dump())
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for name in sorted(members):
                archive.writestr(zipfile.ZipInfo(name, DATE), members[name])


def load(path: Path) -> tuple[keras.Model, Project]:
    """The model, without running code from the file, and its project; `UserError` if the file is not one of ours."""
    if not path.exists():
        raise UserError(f"{path}: not a model of this project: no such file; dvc repro makes it")
    try:
        with zipfile.ZipFile(path) as archive:
            project = Project.model_validate_json(archive.read(MEMBER))
        return keras.saving.load_model(path, custom_objects=CUSTOM, compile=False, safe_mode=True), project
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: not a model of this project: {error}") from None


def _renumbered(config: bytes) -> bytes:
    """Keras tells shared objects apart by their addresses in memory; number them by their first appearance instead."""
    numbers: dict[bytes, int] = {}

    def number(match: re.Match[bytes]) -> bytes:
        return b'"shared_object_id": %d' % numbers.setdefault(match[1], len(numbers) + 1)

    return re.sub(rb'"shared_object_id": (\d+)', number, config)


def _json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
