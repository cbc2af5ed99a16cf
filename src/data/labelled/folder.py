"""A labelled folder, or some images of it, as a store to score on: external validation, a second annotator."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from src.data.checks.dataset_checks import Gate
from src.data.source.dataset import Dataset, read_dataset
from src.data.source.package import package_pairs
from src.data.source.pairs import WHOLE, View, by_stem, check_folder
from src.data.splits.divide import group_images
from src.data.splits.groups import group_rule, groups_by_rule
from src.data.splits.lists import listed_images
from src.data.store.prepare import prepare
from src.data.store.store import Store
from src.data.store.subsets import Subset
from src.errors import UserError
from src.params import Params


@dataclass(frozen=True)
class Labelled:
    """What is scored on.

    images: to score, of a store that is its own copy and may be changed; known: the ids of all images that there are;
    named: whether dataset.yaml names the classes.
    """

    images: Subset
    known: list[str]
    named: bool

    @property
    def store(self) -> Store:
        return self.images.store


def read_labelled(
    source: Path,
    params: Params,
    work: Path,
    report: Callable[[Gate], None],
    masks: str = WHOLE.masks,
    only: Path | None = None,
) -> Labelled:
    """Read the data set at `source` into the folder `work` as `prepare` does, by the same settings.

    report: see `prepare`. masks: the folder in place of masks/. only: a text file of ids or groups (see `found`), the
    images to score; all without it. `UserError` if something does not fit.
    """
    dataset = read_dataset(source)
    masks = Path(masks).as_posix()
    if Path(masks).is_absolute() or ".." in Path(masks).parts:
        raise UserError(f"{masks}: must be a folder beside images/, in {source}")
    if not dataset.package:
        check_folder(source, masks)
    known = _ids(source, dataset)
    view = View(masks, None if only is None else _listed(found(only, source), source, dataset, params, known))
    store = prepare(params.data.model_copy(update={"source": str(source)}), work / "prepared", report, view)
    scored = {record.id: index for index, record in enumerate(store.records) if view.wants(record.id)}
    if not scored:
        raise UserError(f"{only}: none of its images can be used")
    groups = group_images(store, params.split).merged
    images = Subset(store, list(scored.values()), [groups[image] for image in scored])
    return Labelled(images, known, bool(dataset.classes))


def found(path: Path, source: Path) -> Path:
    """The path as seen from the current folder, else from the data set's; `UserError` if neither has it."""
    for place in (path, source / path):
        if place.exists():
            return place
    raise UserError(f"{path}: neither in the current folder nor in {source}")


def _ids(source: Path, dataset: Dataset) -> list[str]:
    """The ids of all images, with or without a mask."""
    if dataset.package:
        return [pair.id for pair in package_pairs(dataset.package)]
    return sorted(by_stem(source / "images", source)[0])


def _listed(path: Path, source: Path, dataset: Dataset, params: Params, ids: list[str]) -> frozenset[str]:
    rules = dict.fromkeys((group_rule(params.split.group, dataset), dataset.group))
    return frozenset(listed_images(path, [groups_by_rule(source, rule, ids) for rule in rules]))
