"""Read a labelled folder, or some of its images, as a data set to score on (external validation, second annotator)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from src.data.checks.dataset_checks import CheckResult
from src.data.source.dataset import Dataset, read_dataset
from src.data.source.folder_files import WHOLE_SET, View, check_folder, find_images
from src.data.source.package import package_pairs
from src.data.splits.divide import group_images
from src.data.splits.groups import group_rule, groups_by_rule
from src.data.splits.lists import listed_images
from src.data.store.prepare import prepare
from src.data.store.store import Store
from src.data.store.subsets import Subset
from src.errors import UserError
from src.params import Params


@dataclass(frozen=True)
class LabelledFolder:
    """A labelled folder to score on.

    Attributes:
        images: The images to score. Their store is a copy of the folder and may be changed.
        known: The ids of all images of the folder.
        named: Whether dataset.yaml names the classes.
    """

    images: Subset
    known: list[str]
    named: bool

    @property
    def store(self) -> Store:
        """The prepared data set that holds the images."""
        return self.images.store


def read_labelled(
    source: Path,
    params: Params,
    work: Path,
    report: Callable[[CheckResult], None],
    *,
    masks: str = WHOLE_SET.masks,
    only: Path | None = None,
) -> LabelledFolder:
    """Read and check a data set as the prepare stage does, with the same settings.

    Args:
        source: Folder of the data set.
        params: The parameters; data.source is replaced by `source`.
        work: Folder for the prepared data set.
        report: Is called with the result of the checks, see `prepare`.
        masks: Name of the folder of masks beside images/.
        only: Text file with the ids or groups of the images to score, see `find_path`. None for all images.

    Raises:
        UserError: The folder cannot be used, or no image is left to score.
    """
    dataset = read_dataset(source)
    masks = Path(masks).as_posix()
    if Path(masks).is_absolute() or ".." in Path(masks).parts:
        raise UserError(f"{masks}: must be a folder beside images/, in {source}")
    if not dataset.package:
        check_folder(source, masks)
    known = _ids(source, dataset)
    view = View(masks, None if only is None else _listed(find_path(only, source), source, dataset, params, known))
    store = prepare(params.data.model_copy(update={"source": str(source)}), work / "prepared", report, view)
    scored = {record.id: index for index, record in enumerate(store.records) if view.wants(record.id)}
    if not scored:
        raise UserError(f"{only}: none of its images can be used")
    groups = group_images(store, params.split).merged
    images = Subset(store, list(scored.values()), [groups[image] for image in scored])
    return LabelledFolder(images, known, bool(dataset.classes))


def find_path(path: Path, source: Path) -> Path:
    """Find a path relative to the current folder, else relative to the folder of the data set.

    Args:
        path: The path that a user gave.
        source: Folder of the data set.

    Raises:
        UserError: It exists in neither folder.
    """
    for place in (path, source / path):
        if place.exists():
            return place
    raise UserError(f"{path}: neither in the current folder nor in {source}")


def _ids(source: Path, dataset: Dataset) -> list[str]:
    """The ids of all images, with and without a mask."""
    if dataset.package:
        return [pair.id for pair in package_pairs(dataset.package)]
    return sorted(find_images(source / "images", source).files)


def _listed(path: Path, source: Path, dataset: Dataset, params: Params, ids: list[str]) -> frozenset[str]:
    """The ids of the images that the text file names, by id or group."""
    rules = dict.fromkeys((group_rule(params.split.group, dataset), dataset.group))
    return frozenset(listed_images(path, [groups_by_rule(source, rule, ids) for rule in rules]))
