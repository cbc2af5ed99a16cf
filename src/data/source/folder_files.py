"""The image and mask files of a folder, and which mask belongs to which image. No file is read."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from src.data.reading.images import SUFFIXES
from src.data.reading.unreadable import Finding
from src.data.source.layouts import layout_findings
from src.data.source.links import check_links, files_below
from src.data.source.matching import NamedFiles, NamingRule, find_rule, pair_by_rule
from src.data.source.unpaired import explain_unpaired, unread_partners
from src.errors import UserError, printable


@dataclass(frozen=True)
class View:
    """The part of a data set that is read.

    Attributes:
        masks: The folder beside images/ that holds the masks.
        only: Ids of the images that are wanted, None for all.
    """

    masks: str = "masks"
    only: frozenset[str] | None = None

    def wants(self, image: str) -> bool:
        return self.only is None or image in self.only


WHOLE_SET = View()


@dataclass(frozen=True)
class ImageFiles:
    """The image or mask files of a folder.

    Attributes:
        files: Id → file. An id is the path below the folder without extension, in composed Unicode (NFC).
        findings: Files that are left out or cannot be used.
        ambiguous: Ids of several files. None of them may be used, since nobody can tell which one is meant.
    """

    files: dict[str, Path]
    findings: list[Finding]
    ambiguous: set[str]


def name_images(images: Mapping[str, Path], masks: Mapping[str, Path]) -> tuple[dict[str, str], NamingRule]:
    """Find the names that masks are named after: the ids of the images, or the ids with their extension.

    Args:
        images: Id → file.
        masks: Id → file.

    Returns:
        Name → id of the image, and the rule that pairs names with masks.
    """
    rule = find_rule(images, masks)
    with_extension = {image + path.suffix: image for image, path in images.items()}
    if any(suffix in mask.lower() for mask in masks for suffix in SUFFIXES):
        other = replace(find_rule(with_extension, masks), extension=True)
        if other.count_pairs(with_extension, masks) > rule.count_pairs(images, masks):
            return with_extension, other
    return {image: image for image in images}, rule


def check_folder(folder: Path, masks: str = View.masks) -> None:
    """Check that a data set has its folders, and that none of them is a link.

    Args:
        folder: The data set.
        masks: The folder beside images/ that holds the masks.

    Raises:
        UserError: A folder is missing or is a link.
    """
    for part in (folder, folder / "images", folder / masks):
        if not part.is_dir():
            present = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
            hint = f"; folders there: {', '.join(present)}" if present else ""
            raise UserError(f"{part}: no such folder; data.source needs a folder with images/ and {masks}/{hint}")
    check_links(folder, "images", masks)


def find_images(folder: Path, root: Path, *, skip: bool = True) -> ImageFiles:
    """Find the files below a folder that are images by their extension.

    Args:
        folder: Folder of images or masks.
        root: The data set that holds it, or the folder itself. Links may not lead out of it.
        skip: Whether messages may recommend data.on_error: skip.
    """
    place = folder.name if folder == root else folder.relative_to(root).as_posix()
    found: dict[str, Path] = {}
    folded: dict[str, str] = {}  # id without case → file name
    findings: list[Finding] = []
    ambiguous: set[str] = set()
    for path, problem in files_below(folder, root.resolve()):
        relative = path.relative_to(folder)
        name = printable(f"{place}/{relative.as_posix()}")
        stem = unicodedata.normalize("NFC", relative.with_suffix("").as_posix())
        twin = found.get(stem)
        if problem:
            findings.append(Finding(name, "error", *problem))
        elif path.suffix.lower() not in SUFFIXES:
            setting = f"images are {', '.join(sorted(SUFFIXES))}"
            findings.append(Finding(name, "warning", "is left out: it has no extension of an image", setting))
        elif twin is not None:
            setting = "keep one of the two" + "; data.on_error: skip leaves out both, and their partner" * skip
            findings.append(Finding(name, "error", f"has the same name as {twin.name} but for the extension", setting))
            ambiguous.add(stem)
        elif stem.casefold() in folded:
            what = f"differs from {folded[stem.casefold()]} in capital letters only: some systems would mix them up"
            setting = "rename one of the two" + ", or data.on_error: skip" * skip
            findings.append(Finding(name, "error", what, setting))
        else:
            found[stem] = path
            folded[stem.casefold()] = path.name
    return ImageFiles(found, findings, ambiguous)


@dataclass(frozen=True)
class MatchedFiles:
    """Images with their masks.

    Attributes:
        files: Id of the image → the image and the mask, in the order of the names.
        lacking: Ids of images without a mask, for no other reason than that there is none.
        findings: Files that cannot be used or have no partner. For a view, only those whose image is wanted.
        rule: How masks are named after images.
    """

    files: dict[str, tuple[Path, Path]]
    lacking: set[str]
    findings: list[Finding]
    rule: NamingRule


def match_files(folder: Path, view: View = WHOLE_SET, kind: str = "mask", *, optional: bool = False) -> MatchedFiles:
    """Pair the files of `folder`/images with those of the folder of masks. No file is read.

    Args:
        folder: The data set.
        view: The part of the data set that is wanted.
        kind: What messages call a mask.
        optional: An image needs no mask. There is no finding about images in `lacking`.

    Raises:
        UserError: A folder is missing or is a link.
    """
    check_folder(folder, view.masks)
    images, masks = find_images(folder / "images", folder), find_images(folder / view.masks, folder)
    ids, rule = name_images(images.files, masks.files)
    files = NamedFiles({name: images.files[image] for name, image in ids.items()}, masks.files, rule, view.masks)
    only = None if view.only is None else {name for name, image in ids.items() if image in view.only}
    together, alone = pair_by_rule(files, kind)
    alone = _explain_masks(folder, files, alone) if optional else _explain(folder, files, alone, only)
    if only is not None:
        alone = [found for found in alone if found.whole or found.file.removeprefix("images/") in only]
    pairs = {
        ids[name]: (files.images[name], files.masks[mask])
        for name, mask in sorted(together.items())
        if ids[name] not in images.ambiguous and mask not in masks.ambiguous
    }
    lacking = {ids[found.pair] for found in alone if found.pair} - images.ambiguous
    kept = [found for found in alone if not (optional and found.pair)]
    return MatchedFiles(pairs, lacking, images.findings + masks.findings + kept, rule)


def _explain(folder: Path, files: NamedFiles, alone: list[Finding], only: set[str] | None) -> list[Finding]:
    return explain_unpaired(folder, files, layout_findings(files, alone, only))


def _explain_masks(folder: Path, files: NamedFiles, alone: list[Finding]) -> list[Finding]:
    """The findings of images that need no mask, explained only where a mask is in a format that is not read."""
    unread = unread_partners(folder, files)
    return [unread.get(found.file, found) for found in alone]
