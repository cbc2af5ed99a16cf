"""Layouts that are not one mask per image: several masks of an image, or several image files of a mask."""

from collections.abc import Collection, Iterable, Mapping
from itertools import takewhile

from src.data.matching import NOTHING, Affix, Rule, cuts, shared_affixes
from src.data.unreadable import Finding

MOST_NAMED = 3  # files of one image that a message names
Groups = dict[str, list[str]]  # id → the ids of the other kind that belong to it, two or more


def layout_findings(
    images: Collection[str], masks: Collection[str], rule: Rule, alone: list[Finding], folder: str = "masks"
) -> list[Finding]:
    """The findings on files without a partner, with one error for all that a layout explains in place of theirs.

    Args:
        images: ids of all images.
        masks: ids of all masks.
        rule: how the two are named.
        alone: a finding for every file without a partner.
        folder: the folder of the masks.
    """
    if not alone:
        return []
    left = {finding.file for finding in alone}
    affixes = [rule.image, *shared_affixes([image.rpartition("/")[2] for image in sorted(images)])]
    of_masks = max((_explained(_groups(images, masks, affix), left, folder) for affix in affixes), key=len)
    of_images = _explained(_groups(masks, images, NOTHING), left, "images")
    found, explained = [], set[str]()
    if of_masks:
        found.append(_several_masks(of_masks, folder))
        explained |= {f"{folder}/{mask}" for group in of_masks.values() for mask in group}
        explained |= {f"images/{image}" for image in of_masks}
    elif of_images:
        found.append(_several_images(of_images, folder))
        explained |= {f"images/{image}" for group in of_images.values() for image in group}
        explained |= {f"{folder}/{mask}" for mask in of_images}
    return found + [finding for finding in alone if finding.file not in explained]


def _groups(owners: Iterable[str], others: Iterable[str], affix: Affix) -> Groups:
    """Which of the others belong to an owner: by a name that begins with its, or by a folder that is called like it."""
    by_name: dict[str, str] = {}
    for owner in owners:
        folder, slash, name = owner.rpartition("/")
        core = affix.core(name) or name
        by_name[folder + slash + core] = owner
    groups: Groups = {}
    for other in sorted(others):
        folder, slash, name = other.rpartition("/")
        begun = [name, *(name[:cut] for cut in sorted(cuts(name), reverse=True))]
        keys = [folder, *(folder + slash + one for one in begun), *begun]  # the last ones are images at the top
        if key := next((key for key in keys if key in by_name), None):
            groups.setdefault(by_name[key], []).append(other)
    return {owner: group for owner, group in groups.items() if len(group) > 1}


def _explained(groups: Groups, left: Collection[str], folder: str) -> Groups:
    """The groups with files that have no partner."""
    return {owner: group for owner, group in groups.items() if any(f"{folder}/{one}" in left for one in group)}


def _several_masks(groups: Groups, folder: str) -> Finding:
    image, masks = next(iter(groups.items()))
    what = f"{len(groups)} image(s) have several masks, as {image!r} has {_some(masks)}"
    tails = sorted({tail for group in groups.values() for tail in _tails(group)})
    classes = f"a value for each class if each file is a class ({', '.join(map(repr, tails))})"
    if not tails or len(tails) > 2 * MOST_NAMED:
        classes = "a value for each class if each file is a class"
    setting = f"one mask per image is read: merge the files of an image into one, with {classes}, or with all objects"
    return Finding(folder, "error", what, f"{setting} if each file is an object", True)


def _several_images(groups: Mapping[str, list[str]], folder: str) -> Finding:
    mask, images = next(iter(groups.items()))
    what = f"{len(groups)} mask(s) in {folder} have several images, as {mask!r} has {_some(images)}"
    setting = (
        "if they are channels of one image in files of their own, as nnU-Net has them (_0000, _0001 …), save them as "
        "one file with several channels, such as a TIFF; else keep the image that the mask was drawn on"
    )
    return Finding("images", "error", what, setting, True)


def _tails(group: list[str]) -> list[str]:
    """What the names of a group end in, after what they have in common."""
    names = [one.rpartition("/")[2] for one in group]
    shared = sum(1 for _ in takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False)))
    return [name[shared:] for name in names if name[shared:]]


def _some(ids: list[str]) -> str:
    return ", ".join(map(repr, ids[:MOST_NAMED])) + (
        f" and {len(ids) - MOST_NAMED} more" if len(ids) > MOST_NAMED else ""
    )
