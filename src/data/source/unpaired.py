"""Explain why files have no partner: a format that is not read, leading zeros, other folders, shifted numbers."""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from src.data.reading.images import SUFFIXES
from src.data.reading.unreadable import Finding
from src.data.source.links import files_below
from src.data.source.matching import NamedFiles, find_rule

ANNOTATIONS = {".json", ".xml", ".txt"}  # formats of outlines, which tools.convert turns into masks
MIN_NAMES = 2  # names that must differ in leading zeros only, or in folders only, before this is given as the reason


def explain_unpaired(root: Path, files: NamedFiles, alone: list[Finding]) -> list[Finding]:
    """Add the reason to the findings about files without a partner, where the names show it.

    Args:
        root: The folder of the data set.
        files: Images and masks that can be read, and the rule that pairs them.
        alone: A finding for every file without a partner.

    Returns:
        The findings, some of them replaced by an error that gives the reason.
    """
    if not alone:
        return []
    unread = unread_partners(root, files)
    alone = [unread.get(finding.file, finding) for finding in alone]
    left = [finding.file for finding in alone if finding.file not in unread]
    reason = _similar_names(left, files.folder) or _few_pairs(files) or _shifted_numbers(files)
    if not reason:
        return alone
    return reason + [finding for finding in alone if finding.file in unread or not reason[0].whole]


def unread_partners(root: Path, files: NamedFiles) -> dict[str, Finding]:
    """Find files whose partner is in a format that is not read.

    Args:
        root: The folder of the data set.
        files: Images and masks that can be read, and the rule that pairs them.

    Returns:
        File without a partner, as findings name it → the error about its partner.
    """
    images = {**_unread_files(root / "images"), **files.images}
    masks = {**_unread_files(root / files.folder), **files.masks}
    found = {}
    for image, mask in find_rule(images, masks).pair(images, masks).items():
        if image in files.images and mask not in files.masks:
            found[f"images/{image}"] = _unread_format(f"images/{image}", "mask", masks[mask])
        elif mask in files.masks and image not in files.images:
            found[f"{files.folder}/{mask}"] = _unread_format(f"{files.folder}/{mask}", "image", images[image])
    return found


def _unread_files(folder: Path) -> dict[str, Path]:
    """Path below the folder without extension → file in a format that is not read."""
    files = (path for path, problem in files_below(folder, folder.resolve()) if not problem)
    others = {path for path in files if path.suffix.lower() not in SUFFIXES}
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in sorted(others)}


def _unread_format(file: str, kind: str, path: Path) -> Finding:
    what = f"its {kind} is in a format that is not read ({path.suffix or 'no extension'})"
    setting = f"save it as PNG, with the same numbers; images and masks are {', '.join(sorted(SUFFIXES))}"
    if kind == "mask" and path.suffix.lower() in ANNOTATIONS:
        setting = "if these are annotations in COCO, labelme or YOLO format: python -m tools.convert"
    return Finding(file, "error", what, f"{setting}; or data.on_error: skip")


def _similar_names(left: Sequence[str], folder: str) -> list[Finding]:
    """An error if names would pair without the leading zeros of their numbers, or without their folders."""
    ways: tuple[tuple[Callable[[str], str], str, str], ...] = (
        (lambda name: re.sub(r"(?<!\d)0+(?=\d)", "", name), "leading zeros", "rename the files so that both are alike"),
        (
            lambda name: name.rpartition("/")[2],
            "their folders",
            f"put both into the same folders below images/ and {folder}/",
        ),
    )
    for simplify, difference, setting in ways:
        images, masks = ({simplify(name): name for name in _names_below(left, kind)} for kind in ("images", folder))
        pairs = find_rule(images, masks).pair(images, masks)
        if len(pairs) >= max(MIN_NAMES, min(len(images), len(masks)) / 2):
            image, mask = next(iter(pairs.items()))
            what = f"{len(pairs)} name(s) differ in {difference} alone, as {images[image]!r} and {masks[mask]!r}"
            return [Finding(folder, "error", what, setting, True)]
    return []


def _names_below(files: Iterable[str], folder: str) -> list[str]:
    """Paths relative to `folder` of the files that are below it."""
    return [file.removeprefix(f"{folder}/") for file in files if file.startswith(f"{folder}/")]


def _few_pairs(files: NamedFiles) -> list[Finding]:
    """An error if most images have no mask and most masks no image: the pairs that exist may be chance."""
    images, masks = files.images, files.masks
    pairs = files.rule.count_pairs(images, masks)
    if not pairs or 2 * pairs >= min(len(images), len(masks)):
        return []
    what = f"only {pairs} of {len(images)} images and {len(masks)} masks have names that go together, maybe by chance"
    setting = "frames and masks may be numbered in different steps: name each mask after its image"
    return [Finding(files.folder, "error", what, setting, True)]


def _shifted_numbers(files: NamedFiles) -> list[Finding]:
    """An error if masks are numbered like images but start at another number: each would get its neighbour's mask."""
    of_images = _numbers(files.rule.group(files.images, files.rule.image))
    of_masks = _numbers(files.rule.group(files.masks, files.rule.mask))
    for beginning in sorted(of_images.keys() & of_masks.keys()):
        first, second = sorted(of_images[beginning]), sorted(of_masks[beginning])
        shifts = {there - here for here, there in zip(first, second, strict=False)}
        if len(first) == len(second) > 1 and len(shifts) == 1 and shifts != {0}:
            what = f"{len(first)} images are numbered from {first[0]} to {first[-1]}, as many masks from "
            what += f"{second[0]} to {second[-1]}: paired by number, an image may get the mask of another"
            setting = "if both count the same images, rename the masks; else remove the files without a partner"
            return [Finding(files.folder, "error", what, setting, True)]
    return []


def _numbers(cores: Collection[str]) -> dict[str, list[int]]:
    """Beginning of a name → the numbers that follow it at the end of names."""
    found: dict[str, list[int]] = {}
    for core in cores:
        if part := re.fullmatch(r"(.*?)(\d+)", core):
            found.setdefault(part[1], []).append(int(part[2]))
    return found
