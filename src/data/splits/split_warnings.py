"""Warn where images of different groups depend on each other, and say what that means for the scores."""

import shlex
from collections.abc import Iterable, Mapping, Sequence

from src.data.similarity.likeness import CONTENT, MEASURES, Likeness
from src.data.similarity.thumbnails import decode_thumbnails
from src.data.splits.dependence import Dependence, find_dependence
from src.data.store.store import Record
from src.data.store.subsets import Subset

LEAST_TESTED = 0.1  # dependent pairs per test image: fewer hardly change an interval


def record_dependence(
    records: Iterable[Record], groups: Mapping[str, str], measures: Mapping[str, Likeness] = MEASURES
) -> Dependence | None:
    """Test whether images of different groups depend on each other.

    Args:
        records: The images.
        groups: id → group, for every image.
        measures: What images may have in common → its measure.

    Returns:
        See `find_dependence`.
    """
    records = list(records)
    thumbnails = decode_thumbnails(record.thumbnail for record in records)
    return find_dependence(thumbnails, {record.id: groups[record.id] for record in records}, measures)


def split_warning(records: Sequence[Record], rows: Iterable[Mapping[str, str]]) -> str:
    """Warn that the scores of a split are too high or their intervals too narrow.

    Args:
        records: The images.
        rows: The rows of data/splits.csv, of which id, group and subset are used.

    Returns:
        The warning; "" if there is nothing to warn of.
    """
    rows = list(rows)
    found = record_dependence(records, {row["id"]: row["group"] for row in rows})
    if found is None:
        return ""
    subset = {row["id"]: row["subset"] for row in rows}
    tested = sum(subset[one] == subset[other] == "test" for one, other in found.pairs)
    across = sum(subset[one] != subset[other] for one, other in found.pairs)
    effects = []
    if tested >= LEAST_TESTED * list(subset.values()).count("test") > 0:
        effects.append(
            f"{tested} such pairs of test images lie in different groups: the 95 % intervals are too narrow."
        )
    if across:
        effects.append(f"{across} such pairs lie in different subsets: validation and test scores may be too high.")
    if not effects:
        return ""
    like = "like frames of a video, slices of a volume or tiles of a scene."
    return " ".join([f"Warning: {found.words},", like, *effects, "Put such images into one group (docs/splits.md)."])


def validation_warning(trained: Subset, validated: Subset, source: str) -> str:
    """Warn that validation is optimistic, since its images resemble their neighbours by name in the training images.

    Only frames and slices are compared, which takes less than a second; `split_warning` compares tiles, too.

    Args:
        trained: The training images.
        validated: The validation images.
        source: data.source, for the command in the message.

    Returns:
        The warning; "" if there is nothing to warn of.
    """
    records = [*trained.records, *validated.records]
    groups = [*trained.groups, *validated.groups]
    group_of = {record.id: group for record, group in zip(records, groups, strict=True)}
    found = record_dependence(records, group_of, CONTENT)
    if found is None:
        return ""
    chosen_by = {record.id for record in validated.records}
    across = sum((one in chosen_by) != (other in chosen_by) for one, other in found.pairs)
    if across < LEAST_TESTED * len(validated):
        return ""
    return (
        f"Warning: {found.words}, like frames of a video or slices of a volume. {across} such pairs are divided "
        "between training and validation, so validation scores will be too high, and what is chosen by them may not "
        f"hold for new images. Put such images into one group: python -m tools.check {shlex.quote(source)} proposes "
        "one (docs/splits.md)."
    )
