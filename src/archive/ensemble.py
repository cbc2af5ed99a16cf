"""The file of an ensemble: several model files, unchanged, and ensemble.json, which says how they work together."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from src.archive.members import (
    ENSEMBLE,
    MOST_MODELS,
    json_member,
    model_member,
    read_members,
    read_model_members,
    write_members,
)
from src.archive.project import Decisions, Project
from src.archive.validate_archive import Archive, archive_of, read_json, refusals
from src.files import atomic
from src.section import Section, validate

MOST_IMAGES = 500_000  # digests of images; more would not fit into `MOST_TEXT` bytes
Digest = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
EQUAL = ("classes", "overlap", "background", "channels", "dtype", "shorter_side")  # in the project.json of all models
WORDS = {"channels": "data.channels", "shorter_side": "data.resize"}


class EnsembleModel(Section):
    """A model of an ensemble.

    Attributes:
        name: the experiment or the file that it was taken from.
        recorded: whether `Ensemble.seen` holds the images that it was trained and validated on.
    """

    name: Annotated[str, Field(min_length=1, max_length=1000)]
    recorded: bool


class Ensemble(Section):
    """The content of ensemble.json.

    Attributes:
        models: the models, in the order of their files in the archive.
        decisions: how the averaged probabilities become classes. Those in the models' own files are not used.
        decided: how the decisions were made, in a sentence.
        seen: digests of the images that a model was trained or validated on (src/data/labelled/seen_images.py). They
            tell whether an image is one of these; they hold no pixel and no name.
    """

    models: Annotated[list[EnsembleModel], Field(min_length=2, max_length=MOST_MODELS)]
    decisions: Decisions = Decisions()
    decided: Annotated[str, Field(max_length=2000)]
    seen: Annotated[list[Digest], Field(max_length=MOST_IMAGES)] = Field(default_factory=list)

    @model_validator(mode="after")
    def names_differ(self) -> Self:
        if len({model.name for model in self.models}) < len(self.models):
            raise ValueError("models: a name occurs twice")
        return self

    @property
    def unrecorded(self) -> list[str]:
        """The names of the models whose images are unknown."""
        return [model.name for model in self.models if not model.recorded]


@dataclass(frozen=True)
class EnsembleArchive:
    """What a valid file of an ensemble holds.

    Attributes:
        ensemble: the content of ensemble.json.
        archives: what the file of each model says.
        contents: the bytes of the file of each model.
    """

    ensemble: Ensemble
    archives: Sequence[Archive]
    contents: Sequence[bytes]

    @property
    def project(self) -> Project:
        """What the models have in common, with the decisions of the ensemble; other fields are the first model's."""
        return self.archives[0].project.model_copy(update={"decisions": self.ensemble.decisions, "plan": {}})

    @property
    def digests(self) -> list[str]:
        """The MD5 of each model's file, as DVC computes it."""
        return [hashlib.md5(content).hexdigest() for content in self.contents]


def read_ensemble(path: Path) -> EnsembleArchive | None:
    """Check the file of an ensemble, which may come from anywhere, as strictly as the file of a single model.

    Each model is checked as `validate_archive` checks a file. Nothing in the file is run.

    Returns:
        The ensemble; None if the file is that of a single model, which is not checked further.

    Raises:
        UserError: the file is no zip file of these members, one of its models is not a model of this project, or they
            do not fit together.
    """
    with refusals(str(path)):
        members = read_members(path)
        if ENSEMBLE not in members:
            return None
        ensemble = validate(Ensemble, read_json(members, ENSEMBLE), Path(ENSEMBLE))
        contents = [content for name, content in members.items() if name != ENSEMBLE]
        if len(contents) != len(ensemble.models):
            raise ValueError(f"{ENSEMBLE}: {len(ensemble.models)} models, the file has {len(contents)}")
    archives = []
    for number, content in enumerate(contents):
        with refusals(f"{path}: {model_member(number)}"):
            archives.append(archive_of(read_model_members(content)))
    with refusals(str(path)):
        projects = {model.name: archive.project for model, archive in zip(ensemble.models, archives, strict=True)}
        if problems := list(differences(projects)):
            raise ValueError("\n".join(["its models do not fit together", *problems]))
        found = EnsembleArchive(ensemble, archives, contents)
        validate(Project, found.project.model_dump(), Path(ENSEMBLE))  # do the decisions fit the classes?
    return found


def write_ensemble(path: Path, ensemble: Ensemble, contents: Sequence[bytes]) -> None:
    """Write the file of an ensemble.

    Args:
        path: ends with .keras; a file there is replaced.
        ensemble: the content of ensemble.json.
        contents: the bytes of the model files, in the order of `ensemble.models`; see `differences`.
    """
    members = {model_member(number): content for number, content in enumerate(contents)}
    with atomic(path) as temporary:
        write_members(temporary, members | {ENSEMBLE: json_member(ensemble.model_dump())})


def differences(projects: Mapping[str, Project]) -> Iterator[str]:
    """Describe every difference that keeps models from being one ensemble.

    Encoder, depth, filters, normalisation and precision may differ. Stored mask values and colours are those of the
    first model.

    Args:
        projects: Name of a model → its project.json.

    Yields:
        A line for each field of a model that differs from the first model.
    """
    (first, wanted), *others = projects.items()
    for name, project in others:
        for field in EQUAL:
            here, there = getattr(project, field), getattr(wanted, field)
            if here != there:
                yield f"{name}: {WORDS.get(field, field)} {here!r}; {first}: {there!r}"
        if len(project.mean) != len(wanted.mean):
            yield f"{name}: images of {len(project.mean)} channel(s); {first}: {len(wanted.mean)}"
