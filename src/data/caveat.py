"""What a dependence between images of different groups means for the scores of a split, in words."""

from collections.abc import Iterable, Mapping

from src.data.dependence import Dependence, find_dependence
from src.data.store import Described
from src.data.thumbnails import decoded


def dependence_in(store: Described, groups: Mapping[str, str]) -> Dependence | None:
    """The dependence between images of different groups; groups: id → group of every image of the store."""
    thumbnails = decoded(record.thumbnail for record in store.records)
    return find_dependence(thumbnails, {record.id: groups[record.id] for record in store.records})


def caveat(store: Described, rows: Iterable[Mapping[str, str]]) -> str:
    """What to say beside the scores of a split, "" if nothing; rows: id, group and subset of every image."""
    rows = list(rows)
    found = dependence_in(store, {row["id"]: row["group"] for row in rows})
    if found is None:
        return ""
    subset = {row["id"]: row["subset"] for row in rows}
    tested = sum(subset[one] == subset[other] == "test" for one, other in found.pairs)
    across = sum(subset[one] != subset[other] for one, other in found.pairs)
    harm = []
    if tested:
        harm.append(f"{tested} such pair(s) of test images lie in different groups: the 95 % intervals are too narrow.")
    if across:
        harm.append(f"{across} such pair(s) lie in different subsets: validation and test scores may be too high.")
    if not harm:
        return ""
    like = "as frames of a video, slices of a volume and tiles of a scene do."
    return " ".join([f"Caution: {found.words},", like, *harm, "Group such images (README, Groups)."])
