"""Rules for `group` that the names of the images suggest: one group for each video, volume, scene or patient."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SEQUENCE_RULES = (
    "^(.+)[/_. -]",  # everything before the last part of a name
    r"^(.*\D)\d+$",  # everything before the last number
    r"^(.*\d)[A-Za-z]+$",  # everything before the letters behind a number, such as 12L and 12R
    "^([^/_. -]+)",  # the first part
)
END_RULES = (r"[/_. -]([^/_. -]+)$",)  # the last part, such as seq3 in frame_12_seq3
BLOCK_RULES = (r"^(.*?)\d$", r"^(.*?)\d{1,2}$", r"^(.*?)\d{1,3}$", r"^(.*?)\d{1,4}$")  # blocks of consecutive numbers


@dataclass(frozen=True)
class Proposal:
    """A rule for groups that fits the names of all images.

    Attributes:
        rule: A regular expression, see src/data/splits/groups.py.
        groups: The number of groups.
        name: The largest of them, as an example.
        images: The number of images in that group.
        blocks: Whether the rule cuts sequences into blocks.
    """

    rule: str
    groups: int
    name: str
    images: int
    blocks: bool

    @property
    def quoted(self) -> str:
        """The rule as YAML, in quotes."""
        return json.dumps(self.rule, ensure_ascii=False)


def propose_rules(ids: Sequence[str]) -> Iterator[Proposal]:
    """Find the rules that fit all names and make at least two groups, of two or more images on average.

    Rules for whole sequences come before rules for blocks.
    """
    for rule in (*SEQUENCE_RULES, *END_RULES, *BLOCK_RULES):
        matches = [re.search(rule, image) for image in ids]
        counts = Counter(match[1] for match in matches if match and match[1]).most_common()
        if counts and sum(count for _, count in counts) == len(ids) and 1 < len(counts) <= len(ids) / 2:
            yield Proposal(rule, len(counts), *counts[0], rule in BLOCK_RULES)


def is_one_sequence(ids: Sequence[str]) -> bool:
    """Return whether all names are equal but for their last number."""
    return len({re.sub(r"\d+(?=\D*$)", "", image) for image in ids}) == 1
