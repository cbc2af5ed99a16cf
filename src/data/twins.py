"""Images of a set that are the same or nearly so: they must not lie on both sides of a split."""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from src.data.duplicates import clusters, near_pairs
from src.data.pairs import Finding


class Fingerprinted(Protocol):
    """What is compared: see `Entry` in gate.py."""

    @property
    def id(self) -> str: ...
    @property
    def digests(self) -> tuple[bytes, bytes]: ...
    @property
    def fingerprint(self) -> NDArray[np.float16]: ...


def find_twins(entries: Sequence[Fingerprinted]) -> tuple[dict[str, str], list[Finding]]:
    """The id of every image that has a twin → the first of its cluster, and a warning for each pair that was found."""
    first: dict[bytes, int] = {}
    same = [
        (first[entry.digests[0]], position, 1.0)
        for position, entry in enumerate(entries)
        if first.setdefault(entry.digests[0], position) != position
    ]
    near = near_pairs(np.stack([entry.fingerprint for entry in entries])) if entries else []
    findings = []
    for one, other, _ in same:
        a, b = entries[one], entries[other]
        what = f"is the very picture of {a.id!r}"
        if a.digests[1] != b.digests[1]:
            what += ", but its mask is another"
        findings.append(Finding(b.id, "warning", what, "remove one; until then split.duplicates keeps them together"))
    for one, other, likeness in near:
        if entries[one].digests[0] != entries[other].digests[0]:
            what = f"is nearly the picture of {entries[one].id!r} (likeness {likeness:.3f})"
            setting = "look at both; until then split.duplicates keeps them together"
            findings.append(Finding(entries[other].id, "warning", what, setting))
    place = clusters([*same, *near], len(entries))
    sizes = Counter(place)
    return {entry.id: entries[at].id for entry, at in zip(entries, place, strict=True) if sizes[at] > 1}, findings
