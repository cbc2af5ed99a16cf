"""Images of a set that are the same or nearly so: they must not lie on both sides of a split."""

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from itertools import groupby

import numpy as np

from src.data.checks.pair_check import CheckedPair
from src.data.reading.unreadable import Finding
from src.data.similarity.duplicates import clusters, near_pairs
from src.data.similarity.thumbnails import same_content


def find_near_duplicates(entries: Sequence[CheckedPair]) -> tuple[dict[str, str], list[Finding]]:
    """The id of every image that has a twin → the first of its cluster; a warning for every image like an earlier one.

    Of equal images only the first is compared with the others, and of several likenesses only the first is told.
    """
    first: dict[Hashable, int] = {}
    findings: dict[int, Finding] = {}
    pairs = []
    for position, entry in enumerate(entries):
        earlier = first.setdefault(entry.image_key, position)
        if earlier != position:
            what = f"is the very picture of {entries[earlier].id!r}"
            what += ", but its mask is another" * (entry.checksums[1] != entries[earlier].checksums[1])
            setting = "remove one; until then split.duplicates: together keeps them in one subset"
            findings[position] = Finding(entry.id, "warning", what, setting)
            pairs.append((earlier, position, 1.0))
    distinct = list(first.values())

    def told() -> Iterator[tuple[int, int, float]]:
        """Every pair, of which there may be more than fit into memory; a finding for the first of each image."""
        yield from pairs
        for a, b, likeness in _near([entries[position] for position in distinct]):
            a, b = distinct[a], distinct[b]
            what = f"is nearly the picture of {entries[a].id!r} (likeness {likeness:.3f} of 1)"
            setting = "look at both; split.duplicates: together keeps them in one subset"
            findings.setdefault(b, Finding(entries[b].id, "warning", what, setting))
            yield a, b, likeness

    place = clusters(told(), len(entries))
    sizes = Counter(place)
    twins = {entry.id: entries[at].id for entry, at in zip(entries, place, strict=True) if sizes[at] > 1}
    return twins, list(findings.values())


def _near(entries: Sequence[CheckedPair]) -> Iterator[tuple[int, int, float]]:
    """The pairs of near duplicates, less those that only a frame or an area without data makes alike."""
    if not entries:
        return
    values, filled = (np.stack(parts) for parts in zip(*(entry.thumbnail for entry in entries), strict=True))
    for first, pairs in groupby(near_pairs([entry.fingerprint for entry in entries]), key=lambda pair: pair[0]):
        found = list(pairs)
        others = [second for _, second, _ in found]
        same = same_content(values[first], filled[first], values[others], filled[others])
        yield from (pair for pair, alike in zip(found, same.tolist(), strict=True) if alike)
