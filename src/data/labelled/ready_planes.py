"""Find and read ready masks of overlapping classes: a folder of masks for each class, or a channel for each class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from src.data.labelled.folder import LabelledFolder
from src.data.labelled.ready_files import ReadyFiles, find_ready_files
from src.data.reading.class_planes import merge_planes
from src.data.reading.orientation import orient_mask
from src.data.reading.stored_values import Labels
from src.data.reading.unreadable import Finding, Unreadable
from src.data.source.class_masks import ClassMasks, class_folders, read_stored_masks
from src.data.source.dataset import NAME, Dataset
from src.data.store.store import Record
from src.errors import UserError, some
from src.params import Masks

ClassFiles = dict[int, Path]  # index of a class → its mask; with a channel for each class, 0 → the mask


@dataclass(frozen=True)
class ReadyPlanes:
    """The files of ready masks.

    Attributes:
        classes: The classes in the order of the folders or channels, and which of both it is.
        masks: Position of an image to score in the store → its files.
        problems: Files that cannot be used, and images without a mask.
        rules: How masks are named after images, in words.
        extra: Number of images that have a mask and are not scored.
    """

    classes: ClassMasks
    masks: dict[int, ClassFiles]
    problems: list[Finding]
    rules: list[str]
    extra: int


def find_ready_planes(folder: Path, labelled: LabelledFolder, own: Dataset) -> ReadyPlanes:
    """Find the masks of every image to score. No file is read.

    Args:
        folder: Masks that are named as those of a data set.
        labelled: The images to score, whose classes overlap.
        own: dataset.yaml in the folder, or its defaults.

    Raises:
        UserError: The folders, or the channels that dataset.yaml names, are not those of the data set's classes.
    """
    truth = labelled.store.dataset
    _check_names(folder, truth.names, own)
    folders = class_folders(folder) & {*truth.names}
    if not folders:
        classes = ClassMasks(own if own.classes else truth, False)
        return _joined(classes, {0: find_ready_files(folder, folder, labelled)}, optional=False)
    if absent := [name for name in truth.names if name not in folders]:
        raise UserError(f"{folder}: there is no folder of masks for {some(absent)}; add {folder / absent[0]}")
    parts = {label: find_ready_files(folder / name, folder, labelled) for label, name in enumerate(truth.names)}
    return _joined(ClassMasks(truth, True), parts, optional="empty" in (own.missing, truth.missing))


def _check_names(folder: Path, names: Sequence[str], own: Dataset) -> None:
    """Raise `UserError` if dataset.yaml of the masks names other classes, or classes that do not overlap."""
    if own.classes and not (own.overlap and {*own.names} == {*names}):
        wanted = f"overlap: true, and the classes {', '.join(names)} in the order of the channels"
        raise UserError(f"{folder / NAME}: does not fit the data set, whose classes overlap; write {wanted}")


def _joined(classes: ClassMasks, parts: Mapping[int, ReadyFiles], *, optional: bool) -> ReadyPlanes:
    """Join the files of all classes; optional: an image needs a mask of one class only."""
    masks: dict[int, ClassFiles] = {}
    for label, part in parts.items():
        for index, path in part.masks.items():
            masks.setdefault(index, {})[label] = path
    lacking = [{finding.file: finding for finding in part.missing} for part in parts.values()]
    kept = set.intersection(*map(set, lacking)) if optional else set().union(*lacking)
    missing = {image: finding for part in reversed(lacking) for image, finding in part.items() if image in kept}
    found = [finding for part in parts.values() for finding in part.findings]
    rules = list(dict.fromkeys(words for part in parts.values() if (words := part.rule.describe())))
    return ReadyPlanes(classes, masks, [*missing.values(), *found], rules, max(part.extra for part in parts.values()))


@dataclass(frozen=True)
class PlaneSource:
    """A folder of ready masks, and how its files are read.

    Attributes:
        folder: The folder.
        classes: The classes in the order of the folders or channels.
        names: The names of the classes in the order of the data set.
        settings: The section data.masks, with exif as it applies to these masks.
        work: Folder for pixels.
    """

    folder: Path
    classes: ClassMasks
    names: Sequence[str]
    settings: Masks
    work: Path

    def read(self, files: ClassFiles, record: Record) -> Labels | Finding:
        """Read the labels of an image.

        Args:
            files: The masks of its classes.
            record: The image.

        Returns:
            The labels, or an error if a mask cannot be read or has another size than the image.
        """
        dataset, size = self.classes.dataset, (record.height, record.width)
        remedy = f"write exif: shown, or exif: stored, into {self.folder / NAME}"
        planes = {}
        try:
            stored = read_stored_masks(self.folder.parent, files, self.classes, self.settings, self.work)
            for label, plane in stored.items():
                turned, _ = orient_mask(plane, record.orientation, size, self.settings.exif, remedy)
                if turned.codes.shape != size:
                    height, width = turned.codes.shape
                    what = f"{dataset.names[label]!r} is {width} × {height} pixels, the image {size[1]} × {size[0]}"
                    raise Unreadable(f"the mask of the class {what}", "save it in the size of the image")
                planes[self.names.index(dataset.names[label])] = turned
            return merge_planes(planes, dataset.ignored_value)
        except Unreadable as error:
            return Finding(record.id, "error", str(error), error.setting)
