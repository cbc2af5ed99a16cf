"""What a dependence between images of different groups means for scores, in words."""

from collections.abc import Iterable, Mapping, Sequence

from src.data.similarity.thumbnails import decode_thumbnails
from src.data.splits.dependence import Dependence, find_dependence
from src.data.store.store import Record

LEAST_TESTED = 0.1  # pairs for each test image: fewer hardly change an interval


def dependence_in(records: Iterable[Record], groups: Mapping[str, str]) -> Dependence | None:
    """The dependence between images of different groups; groups: id → group of every image of `records`."""
    records = list(records)
    return find_dependence(
        decode_thumbnails(record.thumbnail for record in records), {record.id: groups[record.id] for record in records}
    )


def split_warning(records: Sequence[Record], rows: Iterable[Mapping[str, str]]) -> str:
    """What to say beside the scores of a split, "" if nothing; rows: id, group and subset of every image."""
    rows = list(rows)
    found = dependence_in(records, {row["id"]: row["group"] for row in rows})
    if found is None:
        return ""
    subset = {row["id"]: row["subset"] for row in rows}
    tested = sum(subset[one] == subset[other] == "test" for one, other in found.pairs)
    across = sum(subset[one] != subset[other] for one, other in found.pairs)
    harm = []
    if tested >= LEAST_TESTED * list(subset.values()).count("test") > 0:
        harm.append(f"{tested} such pairs of test images lie in different groups: the 95 % intervals are too narrow.")
    if across:
        harm.append(f"{across} such pairs lie in different subsets: validation and test scores may be too high.")
    if not harm:
        return ""
    like = "like frames of a video, slices of a volume or tiles of a scene."
    return " ".join([f"Warning: {found.words},", like, *harm, "Put such images into one group (docs/splits.md)."])
