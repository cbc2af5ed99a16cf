"""Layouts that are not one mask per image: several masks of an image, or several image files of a mask."""

from collections.abc import Collection, Iterable, Mapping

from src.data.reading.unreadable import Finding
from src.data.source.matching import NOTHING, SEPARATORS, Affix, NamingRule, cuts, shared_affixes
from src.errors import some

MOST_NAMED = 3  # files of one image that a message names
Groups = dict[str, dict[str, str]]  # id → the ids of the other kind that belong to it, two or more: what else each says


def layout_findings(
    images: Collection[str],
    masks: Collection[str],
    rule: NamingRule,
    alone: list[Finding],
    folder: str = "masks",
    only: Collection[str] | None = None,
) -> list[Finding]:
    """The findings on files without a partner, with one error for all that a layout explains in place of theirs.

    Args:
        images: ids of all images.
        masks: ids of all masks.
        rule: how the two are named.
        alone: a finding for every file without a partner.
        folder: the folder of the masks.
        only: the ids of the images that are wanted, None for all. What belongs to no other is left out.
    """
    if not alone:
        return []
    left = {finding.file for finding in alone}
    wanted = set(images if only is None else only)
    affixes = [rule.image]
    if 2 * sum(f"images/{image}" in left for image in images) > len(images):
        affixes += shared_affixes([image.rpartition("/")[2] for image in sorted(images)])
    of_masks = max((_explained(_groups(images, masks, affix), left, folder) for affix in affixes), key=len)
    of_masks = {image: group for image, group in of_masks.items() if image in wanted}
    of_images = _explained(_groups(masks, images, NOTHING), left, "images")
    of_images = {mask: group for mask, group in of_images.items() if wanted & group.keys()}
    found, explained = [], set[str]()
    if of_masks:
        found.append(_several_masks(of_masks, folder))
        explained |= {f"{folder}/{mask}" for group in of_masks.values() for mask in group}
        explained |= {f"images/{image}" for image in of_masks}
    elif of_images:
        found.append(_several_images(of_images, folder))
        explained |= {f"images/{image}" for group in of_images.values() for image in group}
        explained |= {f"{folder}/{mask}" for mask in of_images}
    if only is not None:
        alone = [finding for finding in alone if finding.file.removeprefix("images/") in wanted]
    return found + [finding for finding in alone if finding.file not in explained]


def _groups(owners: Iterable[str], others: Iterable[str], affix: Affix) -> Groups:
    """Which of the others belong to an owner: by a name, or a folder, that begins or ends with the owner's name."""
    by_name: dict[str, list[str]] = {}
    for owner in owners:
        name = owner.rpartition("/")[2]
        by_name.setdefault(affix.core(name) or name, []).append(owner)
    groups: Groups = {}
    for other in sorted(others):
        if found := _owner(other, by_name):
            groups.setdefault(found[0], {})[other] = found[1]
    return {owner: group for owner, group in groups.items() if len(group) > 1}


def _owner(other: str, by_name: Mapping[str, list[str]]) -> tuple[str, str] | None:
    """The owner whose name is in the path, and what else the path says: a folder of its name counts before a name."""
    parts = other.split("/")
    last = len(parts) - 1
    places = [(place, parts[place]) for place in range(last)]
    places += [(last, piece) for piece in _pieces(parts[last])]
    places += [(place, piece) for place in range(last) for piece in _pieces(parts[place])]
    for place, piece in places:
        fitting = [owner for owner in by_name.get(piece, []) if set(owner.split("/")[:-1]) <= set(parts)]
        if len(fitting) == 1:
            folders = fitting[0].split("/")[:-1]
            rest = [part.replace(piece, "", 1) if index == place else part for index, part in enumerate(parts)]
            said = [part.strip(SEPARATORS) for part in rest if part not in folders]
            return fitting[0], "/".join(part for part in said if part)
    return None


def _pieces(name: str) -> list[str]:
    """The name, and what it begins and ends with, the longest first."""
    places = list(cuts(name))
    return [name, *sorted([name[:cut] for cut in places] + [name[cut:] for cut in places], key=len, reverse=True)]


def _explained(groups: Groups, left: Collection[str], folder: str) -> Groups:
    """The groups with files that have no partner."""
    return {owner: group for owner, group in groups.items() if any(f"{folder}/{one}" in left for one in group)}


def _several_masks(groups: Groups, folder: str) -> Finding:
    image, masks = next(iter(groups.items()))
    what = f"{len(groups)} image(s) have several masks, as {image!r} has {some(masks, MOST_NAMED)}"
    said = sorted({words for group in groups.values() for words in group.values() if words})
    classes = f"a value for each class if each file is a class ({', '.join(map(repr, said))})"
    if not said or len(said) > 2 * MOST_NAMED:
        classes = "a value for each class if each file is a class"
    setting = f"one mask per image is read: merge the files of an image into one, with {classes}, or with all objects"
    return Finding(folder, "error", what, f"{setting} if each file is an object", True)


def _several_images(groups: Groups, folder: str) -> Finding:
    mask, images = next(iter(groups.items()))
    what = f"{len(groups)} mask(s) in {folder} have several images, as {mask!r} has {some(images, MOST_NAMED)}"
    setting = (
        "if they are channels of one image in files of their own, as nnU-Net has them (_0000, _0001 …), save them as "
        "one file with several channels, such as a TIFF; else keep the image that the mask was drawn on"
    )
    return Finding("images", "error", what, setting, True)
