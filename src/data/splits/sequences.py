"""Rules for `group` that the names of the images suggest: one video, volume, scene or patient, one group."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WHOLE = (
    "^(.+)[/_. -]",  # all before the last part of a name
    r"^(.*\D)\d+$",  # all before the last number
    r"^(.*\d)[A-Za-z]+$",  # all before the letters behind a number: 12L and 12R
    "^([^/_. -]+)",  # the first part
)
BLOCKS = (r"^(.*?)\d$", r"^(.*?)\d{1,2}$", r"^(.*?)\d{1,3}$", r"^(.*?)\d{1,4}$")  # of consecutive numbers


@dataclass(frozen=True)
class Proposal:
    """A rule, how many groups it makes, and one of the largest of them; blocks: it cuts sequences."""

    rule: str
    groups: int
    name: str
    images: int
    blocks: bool

    @property
    def quoted(self) -> str:
        """The rule as YAML, in quotes."""
        return json.dumps(self.rule, ensure_ascii=False)


def proposals(ids: Sequence[str]) -> Iterator[Proposal]:
    """The rules that fit all names and make groups of several images, those for whole sequences first."""
    for rule in (*WHOLE, *BLOCKS):
        found = [re.search(rule, image) for image in ids]
        counts = Counter(match[1] for match in found if match and match[1]).most_common()
        if counts and sum(count for _, count in counts) == len(ids) and 1 < len(counts) <= len(ids) / 2:
            yield Proposal(rule, len(counts), *counts[0], rule in BLOCKS)


def one_sequence(ids: Sequence[str]) -> bool:
    """Whether the names differ in their last number alone, or are numbers."""
    return len({re.sub(r"\d+(?=\D*$)", "", image) for image in ids}) == 1
