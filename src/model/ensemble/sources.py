"""The members of an ensemble before they are joined, and the images that they know."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Self

from src.archive.ensemble import MOST_IMAGES, Ensemble, EnsembleArchive, EnsembleModel, differences, read_archive
from src.archive.project import MIRRORED_AXES, Decisions, Project
from src.data.labelled.seen_images import store_digests
from src.data.store.store import Store
from src.data.store.subsets import FEWEST_GROUPS, Subset, read_subset
from src.errors import UserError, listing, some
from src.files import read_csv
from src.model.ensemble.limits import require_small
from src.model.ensemble.names import stored_names
from src.params import Flip

SEEN = ("train", "validation")  # subsets that a training uses


@dataclass(frozen=True)
class KnownImages:
    """The images of the run that trained a member.

    Attributes:
        store: The prepared data set.
        splits: The table that assigns each image to a subset, data/splits.csv.
        digest_of: Id of each image → its digest.
    """

    store: Store
    splits: Path
    digest_of: Mapping[str, str]

    @classmethod
    def read(cls, prepared: Path, splits: Path, known: Sequence[Self]) -> Self:
        """Read the images of a run.

        Args:
            prepared: The folder of the prepared data set.
            splits: The table of subsets.
            known: Images of other runs; one with the same prepared data set is not read again.

        Raises:
            UserError: The files do not belong together, or another version of the project wrote them.
        """
        equal = next((other for other in known if other.store.folder == prepared), None)
        try:
            store = equal.store if equal else Store(prepared)
        except (TypeError, LookupError) as error:
            reason = f"its prepared data set is one of another version ({type(error).__name__}: {error})"
            raise UserError(f"{reason}; name its model file instead") from None
        if missing := {row["id"] for row in read_csv(splits)} - store.position.keys():
            raise UserError(f"its split names images that its prepared data set lacks: {some(sorted(missing))}")
        return cls(store, splits, equal.digest_of if equal else store_digests(store))

    def digests(self, *subsets: str) -> set[str]:
        """The digests of the images of some subsets: train, validation, test."""
        return {self.digest_of[row["id"]] for row in read_csv(self.splits) if row["subset"] in subsets}

    def groups(self) -> list[set[str]]:
        """The digests of the images of each group of the split."""
        found = dict[str, set[str]]()
        for row in read_csv(self.splits):
            found.setdefault(row["group"], set()).add(self.digest_of[row["id"]])
        return list(found.values())


@dataclass(frozen=True)
class Source:
    """A model that is to become a member of an ensemble.

    Attributes:
        name: The experiment or the file that it is taken from, as the user named it.
        path: The model file.
        project: What the file says of the model.
        images: The images of its run; None if they are unknown.
    """

    name: str
    path: Path
    project: Project
    images: KnownImages | None


def read_source(name: str, path: Path, images: KnownImages | None) -> Source:
    """Check the file of a member.

    Args:
        name: The experiment or the file that it is taken from, as the user named it.
        path: The model file.
        images: The images of its run; None if they are unknown.

    Raises:
        UserError: It is not a model of this project, or an ensemble itself.
    """
    found = read_archive(path)
    if isinstance(found, EnsembleArchive):
        raise UserError(f"{path}: is an ensemble itself; name its members instead")
    return Source(name, path, found.project, images)


def names_of(sources: Sequence[Source]) -> list[str]:
    """The names of the members in ensemble.json; a model file is named without its folders."""
    labels = [one.path.name if one.path == Path(one.name) else one.name for one in sources]
    return stored_names(labels)


def require_one_ensemble(sources: Sequence[Source]) -> None:
    """Check that members can be joined into one file.

    Raises:
        UserError: They cannot. The message lists every difference, or every size.
    """
    names = [source.name for source in sources]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"a member is named twice: {some(twice)}; an ensemble needs different members")
    require_small({source.name: source.path for source in sources})
    known, equal = dict[str, str](), []
    for source in sources:
        digest = hashlib.sha256(source.path.read_bytes()).hexdigest()
        equal += [f"{source.name}: the same file as {known[digest]}"] if digest in known else []
        known.setdefault(digest, source.name)
    if equal:
        raise UserError(f"an ensemble needs different members\n{listing(equal)}")
    if found := list(differences({source.name: source.project for source in sources})):
        raise UserError(f"these members do not fit together\n{listing(found)}")


def unseen_validation(sources: Sequence[Source]) -> tuple[Subset | None, str]:
    """Select the validation images of the first member that no member was trained on and none tests.

    An image is left out with its whole group. Images of one patient depend on each other, and members may have split
    them by different groups.

    Returns:
        The images, and ""; or None if there are too few, and the reason.
    """
    if unknown := [name for name, source in zip(names_of(sources), sources, strict=True) if source.images is None]:
        return None, f"it is not known which images were used to train {some(unknown, show=str)}"
    (first, *_) = known = [source.images for source in sources if source.images]
    used = with_groups(set().union(*(images.digests("train", "test") for images in known)), known)
    validated = read_subset(first.splits, first.store, "validation")
    pairs = zip(validated.indices, validated.records, strict=True)
    unseen = validated.only([index for index, record in pairs if first.digest_of[record.id] not in used])
    if (groups := len(set(unseen.groups))) < FEWEST_GROUPS:
        what = "of validation images that no member was trained on and none tests"
        return None, f"there are {groups} groups {what}, and {FEWEST_GROUPS} are needed"
    return unseen, ""


def with_groups(used: Collection[str], known: Sequence[KnownImages]) -> set[str]:
    """Add every image of a group that holds one of some images, in the split of any member, until nothing is added.

    Args:
        used: Digests of images.
        known: The images and the splits of the members.
    """
    reached, groups = set(used), [group for images in known for group in images.groups() if len(group) > 1]
    while more := [group for group in groups if not reached.isdisjoint(group) and not group <= reached]:
        reached.update(*more)
    return reached


def common_mirror(projects: Sequence[Project]) -> Flip:
    """The directions of mirrored copies that all members use, by their own decisions on validation images."""
    ways = {flip: frozenset(axes) for flip, axes in MIRRORED_AXES.items()}
    common = reduce(frozenset.__and__, (ways[project.decisions.mirror] for project in projects))
    return next(flip for flip, axes in ways.items() if axes == common)


def describe_ensemble(sources: Sequence[Source], decisions: Decisions, decided: str) -> Ensemble:
    """The content of ensemble.json. Images are not recorded if there are too many.

    Args:
        sources: The members.
        decisions: How the averaged probabilities become classes.
        decided: How the decisions were made, in a sentence.
    """
    seen = sorted(set().union(*(source.images.digests(*SEEN) for source in sources if source.images)))
    fits = len(seen) <= MOST_IMAGES
    names = zip(names_of(sources), sources, strict=True)
    models = [EnsembleModel(name=name, recorded=fits and source.images is not None) for name, source in names]
    return Ensemble(models=models, decisions=decisions, decided=decided, seen=seen if fits else [])
