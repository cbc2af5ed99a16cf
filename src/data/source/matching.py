"""Which mask belongs to which image, by their names: equal, or equal without a common prefix or suffix."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from src.data.reading.unreadable import Finding

SAMPLE = 200  # names among which a rule is searched
SEPARATORS = "_-. "
MAX_AFFIXES = 20  # prefixes and suffixes that are tried for images and for masks
MIN_PAIRS = 3  # pairs that a rule needs to be believed if it removes something from both names


class Affix(NamedTuple):
    """The prefix and the suffix that are removed from a name."""

    prefix: str
    suffix: str

    def core(self, name: str) -> str | None:
        """The rest of the name; None if the name does not have the affix, or nothing else."""
        fits = name.startswith(self.prefix) and name.endswith(self.suffix)
        inner = name[len(self.prefix) : len(name) - len(self.suffix)]
        return inner if fits and inner and len(inner) == len(name) - len(self.prefix + self.suffix) else None


NO_AFFIX = Affix("", "")


@dataclass(frozen=True)
class NamingRule:
    """How masks are named after images: a pair lies in the same sub-folder, and its names have the same core.

    Attributes:
        image: What is removed from the names of images.
        mask: What is removed from the names of masks.
        extension: The names of images include their extension, as in a.jpg with the mask a.jpg.png.
    """

    image: Affix = NO_AFFIX
    mask: Affix = NO_AFFIX
    extension: bool = False

    def group(self, ids: Collection[str], affix: Affix) -> dict[str, list[str]]:
        """Group ids by folder and core.

        Args:
            ids: Ids of images or masks.
            affix: `self.image` or `self.mask`.

        Returns:
            folder/core → the ids that have it. Ids without the affix are left out.
        """
        found: dict[str, list[str]] = {}
        for one in ids:
            folder, slash, name = one.rpartition("/")
            core = affix.core(name)
            if core is not None:
                found.setdefault(folder + slash + core, []).append(one)
        return found

    def pair(self, images: Collection[str], masks: Collection[str]) -> dict[str, str]:
        """Pair the ids that are alone in having their folder and core.

        Args:
            images: Ids of images.
            masks: Ids of masks.

        Returns:
            Id of the image → id of its mask.
        """
        by_image, by_mask = self.group(images, self.image), self.group(masks, self.mask)
        keys = [key for key, found in by_image.items() if len(found) == len(by_mask.get(key, [])) == 1]
        return {by_image[key][0]: by_mask[key][0] for key in keys}

    def count_pairs(self, images: Collection[str], masks: Collection[str]) -> int:
        """Number of pairs that the rule makes.

        Args:
            images: Ids of images.
            masks: Ids of masks.
        """
        return len(self.pair(images, masks))

    def describe(self) -> str:
        """The rule in words, "" if names are equal."""
        parts = ["masks are named after images with their extension"] * self.extension
        for kind, (prefix, suffix) in (("images", self.image), ("masks", self.mask)):
            parts += [f"{kind} begin with {prefix!r}"] * bool(prefix) + [f"{kind} end in {suffix!r}"] * bool(suffix)
        return " and ".join(parts)


@dataclass(frozen=True)
class NamedFiles:
    """The images and masks of a data set by name, and the rule that pairs them.

    Attributes:
        images: Name → image file.
        masks: Id → mask file.
        rule: How masks are named after images.
        folder: Name of the folder that holds the masks.
    """

    images: Mapping[str, Path]
    masks: Mapping[str, Path]
    rule: NamingRule
    folder: str = "masks"


def find_rule(images: Collection[str], masks: Collection[str]) -> NamingRule:
    """Find the rule that pairs most ids. Of rules with as many pairs, take the one that removes least.

    A rule that removes something must make at least half of the possible pairs. Otherwise its pairs may be chance.

    Args:
        images: Ids of images.
        masks: Ids of masks.

    Returns:
        The rule, or equal names if there is none.
    """
    if set(images) == set(masks) or not images or not masks:
        return NamingRule()
    rules = {NamingRule(): 0}  # rule → the pairs that it needs to be believed
    rules |= {NamingRule(mask=affix): 1 for affix in _affixes_around(_names(masks), set(_names(images)))}
    rules |= {NamingRule(image=affix): 1 for affix in _affixes_around(_names(images), set(_names(masks)))}
    for image in shared_affixes(_names(images)):
        rules |= {NamingRule(image, mask): MIN_PAIRS for mask in shared_affixes(_names(masks))}
    counts = {rule: rule.count_pairs(images, masks) for rule in rules}
    half = min(len(images), len(masks)) / 2
    believable = [rule for rule, least in rules.items() if rule == NamingRule() or counts[rule] >= max(least, half)]
    return max(believable, key=lambda rule: (counts[rule], -len("".join(rule.image + rule.mask)), rule.describe()))


def pair_by_rule(files: NamedFiles, kind: str = "mask") -> tuple[dict[str, str], list[Finding]]:
    """Pair images with masks by the naming rule.

    Args:
        files: Images, masks and the rule.
        kind: What messages call the files in the folder of the masks.

    Returns:
        Name of the image → id of its mask, and an error for every file without a partner, images first.
    """
    together = files.rule.pair(files.images, files.masks)
    findings = []
    sides = (("images", kind, files.images, files.masks), (files.folder, "image", files.masks, files.images))
    for side, (folder, missing, own, others) in enumerate(sides):
        paired = set(together.values() if side else together)
        folded = {one.casefold(): path.name for one, path in others.items()}
        for one in sorted(own.keys() - paired):
            what = f"has no {missing}"
            if one.casefold() in folded:
                what += f"; {folded[one.casefold()]} differs in capital letters only"
            add = f"add it as {files.folder}/{one}.png" if side == 0 and not files.rule.describe() else "add it"
            setting = f"{add}, remove the file, or data.on_error: skip"
            findings.append(Finding(f"{folder}/{one}", "error", what, setting, pair="" if side else one))
    return together, findings


def _names(ids: Collection[str]) -> list[str]:
    """The ids without their folders."""
    return [one.rpartition("/")[2] for one in sorted(ids)]


def _affixes_around(outer: Sequence[str], inner: set[str]) -> list[Affix]:
    """The three affixes that most often surround one of the `inner` names in an outer one."""
    votes: Counter[Affix] = Counter()
    for name in outer[:: max(1, len(outer) // SAMPLE)]:
        for start, end in combinations([0, *cut_positions(name), len(name)], 2):
            if name[start:end] in inner:
                votes[Affix(name[:start], name[end:])] += 1
    return [affix for affix, _ in votes.most_common(3)]


def shared_affixes(names: Sequence[str]) -> list[Affix]:
    """Prefixes and suffixes that at least half of the names have, the most frequent first."""
    votes: Counter[Affix] = Counter()
    sample = names[:: max(1, len(names) // SAMPLE)]
    for name in sample:
        votes.update(affix for cut in cut_positions(name) for affix in (Affix(name[:cut], ""), Affix("", name[cut:])))
    shared = [affix for affix, count in votes.items() if 2 * count >= len(sample)]
    return sorted(shared, key=lambda affix: (-votes[affix], -len(affix.prefix + affix.suffix), affix))[:MAX_AFFIXES]


def cut_positions(name: str) -> Iterator[int]:
    """Positions at which a name may be cut: at separators, between letters and digits, before a capital letter."""
    for cut in range(1, len(name)):
        before, after = name[cut - 1], name[cut]
        if (
            before in SEPARATORS
            or after in SEPARATORS
            or before.isdigit() != after.isdigit()
            or (before.islower() and after.isupper())
        ):
            yield cut
