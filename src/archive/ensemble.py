"""The file of an ensemble: the unchanged model files of its members, and ensemble.json, which describes them."""

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
from src.archive.validate_archive import Archive, archive_of, read_json, refusals, require_file
from src.files import atomic
from src.section import Section, validate

MOST_IMAGES = 500_000  # digests of images; more would not fit into `MOST_TEXT` bytes
Digest = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
EQUAL = ("classes", "overlap", "background", "channels", "dtype", "shorter_side")  # in the project.json of all members
WORDS = {"channels": "data.channels", "shorter_side": "data.resize"}


class EnsembleModel(Section):
    """A member of an ensemble.

    Attributes:
        name: the experiment or the file that it was taken from.
        recorded: whether `Ensemble.seen` holds the images that it was trained and validated on.
    """

    name: Annotated[str, Field(min_length=1, max_length=1000)]
    recorded: bool


class Ensemble(Section):
    """The content of ensemble.json.

    Attributes:
        models: the members, in the order of their files in the archive.
        decisions: how the averaged probabilities become classes. Those in the members' own files are not used.
        decided: how the decisions were made, in a sentence.
        seen: digests of the images that a member was trained or validated on (src/data/labelled/seen_images.py). They
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
        """The names of the members whose images are unknown."""
        return [model.name for model in self.models if not model.recorded]


@dataclass(frozen=True)
class EnsembleArchive:
    """What a valid file of an ensemble holds.

    Attributes:
        ensemble: the content of ensemble.json.
        archives: what the file of each member says.
        contents: the bytes of the file of each member.
    """

    ensemble: Ensemble
    archives: Sequence[Archive]
    contents: Sequence[bytes]

    @property
    def project(self) -> Project:
        """What the members have in common, with the decisions of the ensemble; other fields are the first member's."""
        return self.archives[0].project.model_copy(update={"decisions": self.ensemble.decisions, "plan": {}})

    @property
    def digests(self) -> list[str]:
        """The MD5 of each member's file, as DVC computes it."""
        return [hashlib.md5(content).hexdigest() for content in self.contents]


def read_archive(path: Path) -> Archive | EnsembleArchive:
    """Check a model file, or that of an ensemble, which may come from anywhere. Nothing in the file is run.

    Each member of an ensemble is checked as `validate_archive` checks a file.

    Returns:
        What the file holds.

    Raises:
        UserError: there is no such file, it is not a model of this project, or the members of an ensemble do not fit
            together.
    """
    require_file(path)
    with refusals(str(path)):
        files = read_members(path)
        if ENSEMBLE not in files:
            return archive_of(files)
    return _read_ensemble(path, files)


def _read_ensemble(path: Path, files: Mapping[str, bytes]) -> EnsembleArchive:
    """Check an ensemble. files: name → content of what is in its file."""
    with refusals(str(path)):
        ensemble = validate(Ensemble, read_json(files, ENSEMBLE), Path(ENSEMBLE))
        contents = [content for name, content in files.items() if name != ENSEMBLE]
        if len(contents) != len(ensemble.models):
            raise ValueError(f"{ENSEMBLE}: {len(ensemble.models)} members, the file has {len(contents)}")
    archives = []
    for number, content in enumerate(contents):
        with refusals(f"{path}: {model_member(number)}"):
            archives.append(archive_of(read_model_members(content)))
    with refusals(str(path)):
        projects = {model.name: archive.project for model, archive in zip(ensemble.models, archives, strict=True)}
        if problems := list(differences(projects)):
            raise ValueError("\n".join(["its members do not fit together", *problems]))
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
    """Describe every difference that keeps models from being members of one ensemble.

    Encoder, depth, filters, normalisation and precision may differ. Stored mask values and colours are those of the
    first member.

    Args:
        projects: Name of a model → its project.json.

    Yields:
        A line for each field of a model that differs from the first one.
    """
    (first, wanted), *others = projects.items()
    for name, project in others:
        for field in EQUAL:
            here, there = getattr(project, field), getattr(wanted, field)
            if here != there:
                yield f"{name}: {WORDS.get(field, field)} {here!r}; {first}: {there!r}"
        if len(project.mean) != len(wanted.mean):
            yield f"{name}: images of {len(project.mean)} channel(s); {first}: {len(wanted.mean)}"
