"""Find equal and nearly equal images of a data set, which must not be in different subsets."""

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from itertools import groupby

import numpy as np

from src.data.checks.pair_check import CheckedPair
from src.data.reading.unreadable import Finding
from src.data.similarity.duplicates import clusters, near_pairs
from src.data.similarity.thumbnails import same_content


def find_near_duplicates(entries: Sequence[CheckedPair]) -> tuple[dict[str, str], list[Finding]]:
    """Find equal and nearly equal images.

    Of equal images only the first is compared with the others. An image that resembles several earlier ones gets one
    warning.

    Args:
        entries: All pairs of the data set.

    Returns:
        Id of each image in a cluster of at least two → id of the cluster's first image, and a warning for every image
        that equals or resembles an earlier one.
    """
    first: dict[Hashable, int] = {}  # identity of an image's pixels → its first position
    findings: dict[int, Finding] = {}
    equal = []
    for position, entry in enumerate(entries):
        earlier = first.setdefault(entry.image_key, position)
        if earlier != position:
            what = f"is identical to the image {entries[earlier].id!r}"
            what += ", but its mask differs" * (entry.checksums[1] != entries[earlier].checksums[1])
            setting = "remove one; until then split.duplicates: together keeps them in one subset"
            findings[position] = Finding(entry.id, "warning", what, setting)
            equal.append((earlier, position, 1.0))
    distinct = list(first.values())

    def pairs() -> Iterator[tuple[int, int, float]]:
        """All pairs, one by one since they may not fit into memory. Adds the first finding of each image."""
        yield from equal
        for a, b, likeness in _near([entries[position] for position in distinct]):
            a, b = distinct[a], distinct[b]
            what = f"is nearly identical to the image {entries[a].id!r} (likeness {likeness:.3f} of 1)"
            setting = "look at both; split.duplicates: together keeps them in one subset"
            findings.setdefault(b, Finding(entries[b].id, "warning", what, setting))
            yield a, b, likeness

    cluster_of = clusters(pairs(), len(entries))
    sizes = Counter(cluster_of)
    twins = {entry.id: entries[at].id for entry, at in zip(entries, cluster_of, strict=True) if sizes[at] > 1}
    return twins, list(findings.values())


def _near(entries: Sequence[CheckedPair]) -> Iterator[tuple[int, int, float]]:
    """Pairs of near duplicates, without those that are similar only by a frame or an area without data."""
    if not entries:
        return
    values, filled = (np.stack(parts) for parts in zip(*(entry.thumbnail for entry in entries), strict=True))
    for first, pairs in groupby(near_pairs([entry.fingerprint for entry in entries]), key=lambda pair: pair[0]):
        found = list(pairs)
        others = [second for _, second, _ in found]
        same = same_content(values[first], filled[first], values[others], filled[others])
        yield from (pair for pair, alike in zip(found, same.tolist(), strict=True) if alike)
