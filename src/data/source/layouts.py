"""Recognise layouts that are not one mask per image: several masks of an image, or several image files of a mask."""

from collections.abc import Collection, Iterable, Mapping

from src.data.reading.unreadable import Finding
from src.data.source.matching import NO_AFFIX, SEPARATORS, Affix, NamedFiles, cut_positions, shared_affixes
from src.errors import some

MAX_NAMED = 3  # files of one image that a message names
Groups = dict[str, dict[str, str]]  # owner's id → id of each file that belongs to it, two or more → rest of its name


def layout_findings(files: NamedFiles, alone: list[Finding], only: Collection[str] | None = None) -> list[Finding]:
    """Replace the findings about files without a partner by one error where a known layout explains them.

    Args:
        files: All images and masks, and the rule that pairs them.
        alone: A finding for every file without a partner.
        only: Names of the images that are wanted, None for all. Findings that concern no wanted image are dropped.

    Returns:
        The error about the layout, if there is one, and the findings that it does not explain.
    """
    if not alone:
        return []
    left = {finding.file for finding in alone}
    wanted = set(files.images if only is None else only)
    affixes = [files.rule.image]
    if 2 * sum(f"images/{image}" in left for image in files.images) > len(files.images):
        affixes += shared_affixes([image.rpartition("/")[2] for image in sorted(files.images)])
    by_affix = (_unpaired(_group(files.images, files.masks, affix), left, files.folder) for affix in affixes)
    by_image = {image: group for image, group in max(by_affix, key=len).items() if image in wanted}
    by_mask = _unpaired(_group(files.masks, files.images, NO_AFFIX), left, "images")
    by_mask = {mask: group for mask, group in by_mask.items() if wanted & group.keys()}
    found, explained = [], set[str]()
    if by_image:
        found.append(_several_masks(by_image, files.folder))
        explained = _files_of(by_image, "images", files.folder)
    elif by_mask:
        found.append(_several_images(by_mask, files.folder))
        explained = _files_of(by_mask, files.folder, "images")
    if only is not None:
        alone = [finding for finding in alone if finding.file.removeprefix("images/") in wanted]
    return found + [finding for finding in alone if finding.file not in explained]


def _files_of(groups: Groups, owners_folder: str, others_folder: str) -> set[str]:
    """All files of the groups, as findings name them."""
    others = {f"{others_folder}/{one}" for group in groups.values() for one in group}
    return others | {f"{owners_folder}/{owner}" for owner in groups}


def _group(owners: Iterable[str], others: Iterable[str], affix: Affix) -> Groups:
    """Group the others by the owner whose name their own name, or a folder, begins or ends with."""
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
    """The owner whose name is in the path, and the rest of the path. A whole folder name counts before a file name."""
    parts = other.split("/")
    last = len(parts) - 1
    places = [(place, parts[place]) for place in range(last)]
    places += [(last, piece) for piece in _pieces(parts[last])]
    places += [(place, piece) for place in range(last) for piece in _pieces(parts[place])]
    for place, piece in places:
        fitting = [owner for owner in by_name.get(piece, []) if set(owner.split("/")[:-1]) <= set(parts)]
        if len(fitting) == 1:
            folders = fitting[0].split("/")[:-1]
            without = [part.replace(piece, "", 1) if index == place else part for index, part in enumerate(parts)]
            rest = [part.strip(SEPARATORS) for part in without if part not in folders]
            return fitting[0], "/".join(part for part in rest if part)
    return None


def _pieces(name: str) -> list[str]:
    """The name, then its beginnings and ends, the longest first."""
    cuts = list(cut_positions(name))
    return [name, *sorted([name[:cut] for cut in cuts] + [name[cut:] for cut in cuts], key=len, reverse=True)]


def _unpaired(groups: Groups, left: Collection[str], folder: str) -> Groups:
    """The groups with a file that has no partner."""
    return {owner: group for owner, group in groups.items() if any(f"{folder}/{one}" in left for one in group)}


def _several_masks(groups: Groups, folder: str) -> Finding:
    image, masks = next(iter(groups.items()))
    what = f"{len(groups)} image(s) have several masks, as {image!r} has {some(masks, MAX_NAMED)}"
    rests = sorted({rest for group in groups.values() for rest in group.values() if rest})
    classes = f"a value for each class if each file is a class ({', '.join(map(repr, rests))})"
    if not rests or len(rests) > 2 * MAX_NAMED:
        classes = "a value for each class if each file is a class"
    setting = f"one mask per image is read: merge the files of an image into one, with {classes}, or with all objects"
    return Finding(folder, "error", what, f"{setting} if each file is an object", True)


def _several_images(groups: Groups, folder: str) -> Finding:
    mask, images = next(iter(groups.items()))
    what = f"{len(groups)} mask(s) in {folder} have several images, as {mask!r} has {some(images, MAX_NAMED)}"
    setting = (
        "if they are channels of one image in files of their own, as nnU-Net has them (_0000, _0001 …), save them as "
        "one file with several channels, such as a TIFF; else keep the image that the mask was drawn on"
    )
    return Finding("images", "error", what, setting, True)
