"""Find the files of ready masks: which file in a folder belongs to which image to score."""

from dataclasses import dataclass
from pathlib import Path

from src.data.labelled.folder import LabelledFolder
from src.data.reading.unreadable import Finding
from src.data.source.folder_files import find_images
from src.data.source.matching import NamedFiles, NamingRule, find_rule, pair_by_rule


@dataclass(frozen=True)
class ReadyFiles:
    """Ready masks in one folder.

    Attributes:
        masks: Position of an image to score in the store → its mask.
        findings: Files that cannot be used.
        missing: An error for each image to score without a mask.
        rule: How the masks are named after the images.
        extra: Number of masks that belong to no image to score.
    """

    masks: dict[int, Path]
    findings: list[Finding]
    missing: list[Finding]
    rule: NamingRule
    extra: int


def find_ready_files(folder: Path, root: Path, labelled: LabelledFolder) -> ReadyFiles:
    """Find the mask of every image to score. No file is read.

    Args:
        folder: Masks that are named as those of a data set.
        root: `folder`, or a folder above it, out of which links may not lead.
        labelled: The images to score.
    """
    found = find_images(folder, root, skip=False)
    files, rule = found.files, find_rule(labelled.known, found.files)
    scored = {labelled.store.records[index].id: index for index in labelled.images.indices}
    images = {image: Path(image) for image in labelled.known}
    together, alone = pair_by_rule(NamedFiles(images, files, rule, folder.name), kind="prediction")
    setting = f"give every image one mask of its name in {folder}, or name the images to score with --only"
    missing = [Finding(found.pair, "error", found.what, setting) for found in alone if found.pair in scored]
    masks = {index: files[together[image]] for image, index in scored.items() if image in together}
    return ReadyFiles(masks, found.findings, missing, rule, len(files) - len(masks))
