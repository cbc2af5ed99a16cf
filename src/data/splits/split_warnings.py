"""Warn where images of different groups depend on each other, and say what that means for the scores."""

from collections.abc import Iterable, Mapping, Sequence

from src.data.similarity.thumbnails import decode_thumbnails
from src.data.splits.dependence import Dependence, find_dependence
from src.data.store.store import Record

LEAST_TESTED = 0.1  # dependent pairs per test image: fewer hardly change an interval


def record_dependence(records: Iterable[Record], groups: Mapping[str, str]) -> Dependence | None:
    """Test whether images of different groups depend on each other.

    Args:
        records: The images.
        groups: id → group, for every image.

    Returns:
        See `find_dependence`.
    """
    records = list(records)
    return find_dependence(
        decode_thumbnails(record.thumbnail for record in records), {record.id: groups[record.id] for record in records}
    )


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
