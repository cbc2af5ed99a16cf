"""Why files have no partner: formats that are not read, leading zeros, other counts."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

from src.data.reading.images import SUFFIXES
from src.data.reading.unreadable import Finding
from src.data.source.links import files_below
from src.data.source.matching import NamingRule, find_rule, pair_by_rule

ANNOTATIONS = {".json", ".xml", ".txt"}  # outlines in place of masks
FEWEST = 2  # names that have to differ in leading zeros alone, or in their folders, before that is called the reason


def explain_unpaired(
    root: Path,
    images: Mapping[str, Path],
    masks: Mapping[str, Path],
    rule: NamingRule,
    alone: list[Finding],
    folder: str,
) -> list[Finding]:
    """The findings on files without a partner, with the reason where the names tell it.

    Args:
        root: the data set's folder.
        images: name → image file that can be read.
        masks: id → mask file that can be read.
        rule: how the two are named.
        alone: a finding for every file without a partner.
        folder: the folder of the masks.
    """
    if not alone:
        return []
    found = _unread(root, images, masks, folder)
    alone = [found.get(finding.file, finding) for finding in alone]
    left = [finding.file for finding in alone if finding.file not in found]
    reason = (
        _similar_names(left, folder)
        or _few_pairs(images, masks, rule, folder)
        or _shifted_numbers(images, masks, rule, folder)
    )
    if not reason:
        return alone
    return reason + [finding for finding in alone if finding.file in found or not reason[0].whole]


def _unread(root: Path, images: Mapping[str, Path], masks: Mapping[str, Path], folder: str) -> dict[str, Finding]:
    """File without a partner → the error that its partner is in a format that is not read."""
    others = {kind: _others(root / kind) for kind in ("images", folder)}
    every_image, every_mask = {**others["images"], **images}, {**others[folder], **masks}
    together, _ = pair_by_rule(every_image, every_mask, find_rule(every_image, every_mask), folder)
    found = {}
    for image, mask in together.items():
        if image in images and mask not in masks:
            found[f"images/{image}"] = _of_format(f"images/{image}", "mask", every_mask[mask])
        elif mask in masks and image not in images:
            found[f"{folder}/{mask}"] = _of_format(f"{folder}/{mask}", "image", every_image[image])
    return found


def _others(folder: Path) -> dict[str, Path]:
    """Path below the folder without extension → file in a format that is not read."""
    files = (path for path, problem in files_below(folder, folder.resolve()) if not problem)
    others = {path for path in files if path.suffix.lower() not in SUFFIXES}
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in sorted(others)}


def _of_format(file: str, kind: str, path: Path) -> Finding:
    what = f"its {kind} is in a format that is not read ({path.suffix or 'no extension'})"
    setting = f"save it as PNG, with the same numbers; images and masks are {', '.join(sorted(SUFFIXES))}"
    if kind == "mask" and path.suffix.lower() in ANNOTATIONS:
        setting = "if these are annotations in COCO, labelme or YOLO format: python -m tools.convert"
    return Finding(file, "error", what, f"{setting}; or data.on_error: skip")


def _similar_names(left: Sequence[str], folder: str) -> list[Finding]:
    """An error if names would pair without the zeros that their numbers begin with, or without their folders."""
    ways: tuple[tuple[Callable[[str], str], str, str], ...] = (
        (lambda name: re.sub(r"(?<!\d)0+(?=\d)", "", name), "leading zeros", "rename the files so that both are alike"),
        (
            lambda name: name.rpartition("/")[2],
            "their folders",
            f"put both into the same folders below images/ and {folder}/",
        ),
    )
    for plain, difference, setting in ways:
        images, masks = ({plain(name): name for name in _names(left, kind)} for kind in ("images", folder))
        rule = find_rule(images, masks)
        pairs, _ = pair_by_rule(dict.fromkeys(images, Path()), dict.fromkeys(masks, Path()), rule, folder)
        if len(pairs) >= max(FEWEST, min(len(images), len(masks)) / 2):
            image, mask = next(iter(pairs.items()))
            what = f"{len(pairs)} name(s) differ in {difference} alone, as {images[image]!r} and {masks[mask]!r}"
            return [Finding(folder, "error", what, setting, True)]
    return []


def _names(files: Iterable[str], kind: str) -> list[str]:
    """The names of the files that are below the folder `kind`, from there on."""
    return [file.removeprefix(f"{kind}/") for file in files if file.startswith(f"{kind}/")]


def _few_pairs(images: Collection[str], masks: Collection[str], rule: NamingRule, folder: str) -> list[Finding]:
    """An error if most images have no mask and most masks no image: the pairs that there are may be chance."""
    pairs = rule.count_pairs(images, masks)
    if not pairs or 2 * pairs >= min(len(images), len(masks)):
        return []
    what = f"only {pairs} of {len(images)} images and {len(masks)} masks have names that go together, maybe by chance"
    setting = "frames and masks may be numbered in different steps: name each mask after its image"
    return [Finding(folder, "error", what, setting, True)]


def _shifted_numbers(images: Collection[str], masks: Collection[str], rule: NamingRule, folder: str) -> list[Finding]:
    """An error if masks are numbered like the images, but begin with another number: each would get its neighbour's."""
    of_images, of_masks = _numbers(rule.group(images, rule.image)), _numbers(rule.group(masks, rule.mask))
    for beginning in sorted(of_images.keys() & of_masks.keys()):
        first, second = sorted(of_images[beginning]), sorted(of_masks[beginning])
        shifts = {there - here for here, there in zip(first, second, strict=False)}
        if len(first) == len(second) > 1 and len(shifts) == 1 and shifts != {0}:
            what = f"{len(first)} images are numbered from {first[0]} to {first[-1]}, as many masks from "
            what += f"{second[0]} to {second[-1]}: paired by number, an image may get the mask of another"
            setting = "if both count the same images, rename the masks; else remove the files without a partner"
            return [Finding(folder, "error", what, setting, True)]
    return []


def _numbers(cores: Collection[str]) -> dict[str, list[int]]:
    """What names begin with → the numbers that they end in."""
    found: dict[str, list[int]] = {}
    for core in cores:
        if part := re.fullmatch(r"(.*?)(\d+)", core):
            found.setdefault(part[1], []).append(int(part[2]))
    return found
