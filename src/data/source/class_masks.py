"""Pair images with the masks of overlapping classes: a folder of masks for each class, or a channel for each class."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from src.data.checks.image_as_mask import may_hold_image
from src.data.reading.class_planes import merge_planes, read_class_channels, read_class_mask
from src.data.reading.images import apply_orientation, read_picture
from src.data.reading.orientation import orient_mask
from src.data.reading.stored_values import Labels
from src.data.reading.unreadable import Finding
from src.data.source.dataset import NAME, Dataset
from src.data.source.folder_files import WHOLE_SET, MatchedFiles, View, check_folder, match_files
from src.data.source.pairs import (
    Content,
    FolderPairs,
    Pair,
    alpha_notes,
    check_same_size,
    read_named,
    refuse_image_as_mask,
)
from src.errors import UserError, some
from src.params import Data, Masks
from src.section import problems

EMPTY = f"or, if images without a file there hold nothing of the class, in {NAME}: missing: empty"


@dataclass(frozen=True)
class ClassMasks:
    """Where the masks of overlapping classes are.

    Attributes:
        dataset: dataset.yaml with the names of the classes.
        folders: Whether there is a folder for each class, not a channel.
    """

    dataset: Dataset
    folders: bool


def find_class_masks(source: Path, dataset: Dataset, masks: str) -> ClassMasks:
    """Find out how a data set stores the masks of overlapping classes. No file is read.

    Folders below the folder of masks are classes if images/ has no folders of these names.

    Args:
        source: The data set.
        dataset: Its dataset.yaml, with overlap: true.
        masks: Name of the folder of masks.

    Raises:
        UserError: A folder is missing, the layout is unclear, or it does not fit dataset.yaml.
    """
    check_folder(source, masks)
    folders, images = class_folders(source / masks), class_folders(source / "images")
    if folders and folders <= images:
        folders = set()
    if both := sorted(folders & images):
        what = f"{source / masks}: {some(both)}: a class, or a folder of images as in images/?"
        raise UserError(f"{what} Rename one of them, or move all masks into a folder for each class")
    if not folders:
        return ClassMasks(_with_channels(source, dataset, masks), False)
    return ClassMasks(_with_folders(source, dataset, masks, sorted(folders)), True)


def class_folders(folder: Path) -> set[str]:
    """Return the names of the folders in a folder of masks that may be classes."""
    return {path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))}


def _with_channels(source: Path, dataset: Dataset, masks: str) -> Dataset:
    """The data set, whose dataset.yaml must name the channels."""
    where = source / NAME
    if not dataset.classes:
        named = "name all channels, as in classes: {0: nucleus, 1: cell}"
        raise UserError(
            f"{where}: overlap: true, and {masks}/ has no folder of a class. If masks have a channel for each class, "
            f"{named}; else make the folders, as {masks}/nucleus/ and {masks}/cell/"
        )
    if dataset.missing is not None:
        raise UserError(f"{where}: missing: applies to a folder for each class, and {masks}/ has none: remove it")
    return dataset


def _with_folders(source: Path, dataset: Dataset, masks: str, folders: Sequence[str]) -> Dataset:
    """The data set with the folders as classes, in the order that dataset.yaml says."""
    if dataset.classes:
        problem = [f"no folder {masks}/{name}" for name in sorted({*dataset.names} - {*folders})]
        problem += [f"{masks}/{name} is no class" for name in sorted({*folders} - {*dataset.names})]
        if problem:
            remedy = "name all of them under classes, or none; or remove the folder"
            raise UserError(f"{source / NAME}: with overlap: true, folders are classes: {some(problem)}: {remedy}")
        return dataset
    content = dataset.model_dump() | {"classes": dict(enumerate(folders))}
    try:
        return Dataset.model_validate(content)
    except ValidationError as error:
        what = "; ".join(problems(Dataset, error, "does not fit"))
        raise UserError(f"{source / masks}: the folders {some(folders)} are classes: {what}") from None


def class_mask_pairs(source: Path, data: Data, found: ClassMasks, view: View = WHOLE_SET) -> FolderPairs:
    """Pair images with the masks of overlapping classes. No file is read yet.

    Args:
        source: The data set.
        data: The section data.
        found: Where the masks are.
        view: The part of the data set that is wanted.
    """
    if found.folders:
        return _folder_per_class(source, data, found.dataset, view)
    matched = match_files(source, view)
    pairs = [
        Pair(image, _ClassFiles(source, picture, {0: mask}, data, found).read)
        for image, (picture, mask) in matched.files.items()
    ]
    return FolderPairs(pairs, matched.findings, matched.rule.describe())


def _folder_per_class(source: Path, data: Data, dataset: Dataset, view: View) -> FolderPairs:
    """The pairs whose image has all masks that it needs; every other image has a finding."""
    optional, matched = dataset.missing == "empty", list[MatchedFiles]()
    for name in dataset.names:
        folder = replace(view, masks=f"{view.masks}/{name}")
        matched.append(match_files(source, folder, f"mask of the class {name!r}", optional=optional))
    findings = list(dict.fromkeys(finding for of_class in matched for finding in of_class.findings))
    findings = [replace(found, setting=f"{found.setting}; {EMPTY}") if found.pair else found for found in findings]
    files: dict[str, tuple[Path, dict[int, Path]]] = {}
    for label, of_class in enumerate(matched):
        for image, (picture, mask) in of_class.files.items():
            files.setdefault(image, (picture, {}))[1][label] = mask
    if optional:
        findings += _without_any_mask(matched, f"{view.masks}/{dataset.names[0]}")
    found = ClassMasks(dataset, True)
    pairs = [
        Pair(image, _ClassFiles(source, picture, masks, data, found).read)
        for image, (picture, masks) in sorted(files.items())
        if all(label in masks or (optional and image in m.lacking) for label, m in enumerate(matched))
    ]
    named = zip(dataset.names, (of_class.rule.describe() for of_class in matched), strict=True)
    return FolderPairs(pairs, findings, "; ".join(f"{name}: {words}" for name, words in named if words))


def _without_any_mask(matched: Iterable[MatchedFiles], folder: str) -> list[Finding]:
    """An error for each image that has no mask of any class."""
    images = sorted(set.intersection(*(of_class.lacking for of_class in matched)))
    setting = f"if it holds nothing of any class, add an empty mask as {folder}/NAME.png; else label or remove it"
    what = "has no mask of any class"
    return [Finding(f"images/{one}", "error", what, f"{setting}, or data.on_error: skip", pair=one) for one in images]


@dataclass(frozen=True)
class _ClassFiles:
    """The files of an image with the masks of its classes, and what decides how they are read.

    Attributes:
        folder: The data set.
        image: The image file.
        masks: Class index → mask file; with a channel for each class, 0 → the mask file.
        data: The section data.
        found: The classes.
    """

    folder: Path
    image: Path
    masks: Mapping[int, Path]
    data: Data
    found: ClassMasks

    def read(self, scratch: Path | None) -> Content:
        picture = read_named(self.folder, self.image, lambda: read_picture(self.image, self.data.channels, scratch))
        image = apply_orientation(picture.pixels, picture.orientation)
        notes = alpha_notes(picture, image)
        planes = {}
        settings = self.data.masks
        masks = read_stored_masks(self.folder, self.masks, self.found, settings, scratch)
        if any(may_hold_image(stored.values, settings) for stored in masks.values()):
            for path in self.masks.values():
                refuse_image_as_mask(self.folder, path, image)
        for label, stored in masks.items():
            plane, warnings = orient_mask(stored, picture.orientation, image.shape[:2], settings.exif)
            check_same_size(image, plane.codes, f"its mask of the class {self.found.dataset.names[label]!r}")
            notes += [warning for warning in warnings if warning not in notes]
            planes[label] = plane
        labels = merge_planes(planes, self.found.dataset.ignored_value)
        return Content(image, labels, notes, picture.inverted, picture.orientation)


def read_stored_masks(
    root: Path, files: Mapping[int, Path], found: ClassMasks, settings: Masks, scratch: Path | None
) -> dict[int, Labels]:
    """Read the masks of one image as they are stored.

    Args:
        root: Folder from which messages name the files.
        files: Class index → mask file; with a channel for each class, 0 → the mask file.
        found: The classes in the order of the folders or channels.
        settings: The section data.masks.
        scratch: Folder for the pixels of a TIFF too large for memory.

    Returns:
        Class index → its mask.

    Raises:
        Unreadable: A file cannot be used.
    """
    dataset, ignore = found.dataset, found.dataset.ignored_value

    def read_one(path: Path) -> Labels:
        return read_named(root, path, lambda: read_class_mask(path, settings, ignore, scratch))

    if found.folders:
        return {label: read_one(path) for label, path in files.items()}
    path, names = files[0], dataset.names
    channels = read_named(root, path, lambda: read_class_channels(path, names, settings, ignore, scratch))
    return dict(enumerate(channels))
