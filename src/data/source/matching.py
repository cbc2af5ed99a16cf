"""Which mask belongs to which image, by their names: equal, or equal once a common prefix or suffix is taken off."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from src.data.reading.unreadable import Finding

SAMPLE = 200  # names that a rule is looked for with
SEPARATORS = "_-. "
MOST_SHARED = 20  # prefixes and suffixes that are tried on either side
FEWEST = 3  # pairs that make a rule believable which takes something off both names


class Affix(NamedTuple):
    """What is taken off a name at its start and at its end."""

    prefix: str
    suffix: str

    def core(self, name: str) -> str | None:
        """What is left of the name; None if it does not have the affix, or nothing else."""
        fits = name.startswith(self.prefix) and name.endswith(self.suffix)
        inner = name[len(self.prefix) : len(name) - len(self.suffix)]
        return inner if fits and inner and len(inner) == len(name) - len(self.prefix + self.suffix) else None


NOTHING = Affix("", "")


@dataclass(frozen=True)
class NamingRule:
    """An image and a mask belong together if they lie in the same sub-folder and their names have the same core.

    extension: whether the names of images are taken with their extension, as a.jpg of the mask a.jpg.png.
    """

    image: Affix = NOTHING
    mask: Affix = NOTHING
    extension: bool = False

    def group(self, ids: Collection[str], affix: Affix) -> dict[str, list[str]]:
        """folder/core → the ids that come down to it."""
        found: dict[str, list[str]] = {}
        for one in ids:
            folder, slash, name = one.rpartition("/")
            core = affix.core(name)
            if core is not None:
                found.setdefault(folder + slash + core, []).append(one)
        return found

    def count_pairs(self, images: Collection[str], masks: Collection[str]) -> int:
        """How many keys are those of exactly one image and one mask."""
        by_image, by_mask = self.group(images, self.image), self.group(masks, self.mask)
        return sum(len(found) == len(by_mask.get(key, [])) == 1 for key, found in by_image.items())

    def describe(self) -> str:
        """The rule for people, "" where names are equal."""
        parts = ["masks are named after images with their extension"] * self.extension
        for kind, (prefix, suffix) in (("images", self.image), ("masks", self.mask)):
            parts += [f"{kind} begin with {prefix!r}"] * bool(prefix) + [f"{kind} end in {suffix!r}"] * bool(suffix)
        return " and ".join(parts)


def find_rule(images: Collection[str], masks: Collection[str]) -> NamingRule:
    """The rule that pairs most of the ids; of equal ones the one that takes least off.

    One that takes something off must pair at least half of what can have a partner: fewer are chance.
    """
    if set(images) == set(masks) or not images or not masks:
        return NamingRule()
    rules = {NamingRule(): 0}
    rules |= {NamingRule(mask=affix): 1 for affix in _around(_names(masks), set(_names(images)))}
    rules |= {NamingRule(image=affix): 1 for affix in _around(_names(images), set(_names(masks)))}
    for image in shared_affixes(_names(images)):
        rules |= {NamingRule(image, mask): FEWEST for mask in shared_affixes(_names(masks))}
    counts = {rule: rule.count_pairs(images, masks) for rule in rules}
    half = min(len(images), len(masks)) / 2
    believable = [rule for rule, fewest in rules.items() if rule == NamingRule() or counts[rule] >= max(fewest, half)]
    return max(believable, key=lambda rule: (counts[rule], -len("".join(rule.image + rule.mask)), rule.describe()))


def pair_by_rule(
    images: Mapping[str, Path], masks: Mapping[str, Path], rule: NamingRule, folder: str = "masks", kind: str = "mask"
) -> tuple[dict[str, str], list[Finding]]:
    """The id of an image → that of its one mask in `folder`; a finding for every other file, images first.

    kind: what the files in `folder` are called in messages.
    """
    by_image, by_mask = rule.group(images, rule.image), rule.group(masks, rule.mask)
    both = [key for key, found in by_image.items() if len(found) == len(by_mask.get(key, [])) == 1]
    together = {by_image[key][0]: by_mask[key][0] for key in both}
    findings = []
    for of_images, files, other in ((True, images, masks), (False, masks, images)):
        paired = set(together) if of_images else set(together.values())
        folded = {one.casefold(): path.name for one, path in other.items()}
        for one in sorted(files.keys() - paired):
            what = f"has no {kind if of_images else 'image'}"
            if one.casefold() in folded:
                what += f"; {folded[one.casefold()]} differs in capital letters only"
            add = f"add it as {folder}/{one}.png" if of_images and not rule.describe() else "add it"
            setting = f"{add}, remove the file, or data.on_error: skip"
            findings.append(Finding(f"{'images' if of_images else folder}/{one}", "error", what, setting))
    return together, findings


def _names(ids: Collection[str]) -> list[str]:
    return [one.rpartition("/")[2] for one in sorted(ids)]


def _around(outer: Sequence[str], inner: set[str]) -> list[Affix]:
    """What most often stands around one of the `inner` names in an outer one, cut off as in `cuts`."""
    votes: Counter[Affix] = Counter()
    for name in outer[:: max(1, len(outer) // SAMPLE)]:
        for start, end in combinations([0, *cuts(name), len(name)], 2):
            if name[start:end] in inner:
                votes[Affix(name[:start], name[end:])] += 1
    return [affix for affix, _ in votes.most_common(3)]


def shared_affixes(names: Sequence[str]) -> list[Affix]:
    """The prefixes and suffixes, cut at separators or between letters and digits, that at least half of them have."""
    votes: Counter[Affix] = Counter()
    sample = names[:: max(1, len(names) // SAMPLE)]
    for name in sample:
        votes.update(affix for cut in cuts(name) for affix in (Affix(name[:cut], ""), Affix("", name[cut:])))
    shared = [affix for affix, count in votes.items() if 2 * count >= len(sample)]
    return sorted(shared, key=lambda affix: (-votes[affix], -len(affix.prefix + affix.suffix), affix))[:MOST_SHARED]


def cuts(name: str) -> Iterator[int]:
    """Where a name may be cut: at separators, between letters and digits, before a capital letter."""
    for cut in range(1, len(name)):
        before, after = name[cut - 1], name[cut]
        if (
            before in SEPARATORS
            or after in SEPARATORS
            or before.isdigit() != after.isdigit()
            or (before.islower() and after.isupper())
        ):
            yield cut
