"""What only all pairs together tell of files that were damaged, exchanged or saved in several ways."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations, pairwise

import numpy as np

from src.data.checks.edges import interpolated_values
from src.data.checks.pair_check import CheckedPair
from src.data.reading.masks import StoredValues
from src.data.reading.unreadable import Finding
from src.data.source.dataset import NAME, Dataset
from src.errors import some

APART = 4.0  # times as high: intensities of files that were saved in different ranges, such as 12 and 16 bits
BRIGHTER = 2.5  # times as bright are then the images in the middle of both groups: one hot pixel is no range
GAP = 0.2  # share of the pixels that no mask has as foreground, between those that may be exchanged and the others
SAME_TOP = 0.95  # of the highest value: 255 // 4 × 4 is 252
SPREAD = 4  # times the number of values: class numbers themselves are not as far apart
FEW = 1 / 3  # share of the masks that may be exchanged: of more nobody can say which ones are


def set_findings(
    entries: Mapping[str, CheckedPair], dataset: Dataset, twins: Mapping[str, str], named: bool
) -> list[Finding]:
    """Findings about a set whose pairs can all be read.

    Args:
        entries: id → pair.
        dataset: its classes.
        twins: id → the first of the images that are the same or nearly so.
        named: whether dataset.yaml names the classes.
    """
    shown = {name: entry for name, entry in entries.items() if any(entry.std)}  # the others are of one colour
    found = [*_same_masks(shown, twins), *_ranges(shown), *_lines(entries.values(), dataset)]
    masks = {name: entry.values for name, entry in entries.items()}
    return found + rescaled_mask_findings(masks, dataset.ignored_value, named)


def _same_masks(entries: Mapping[str, CheckedPair], twins: Mapping[str, str]) -> list[Finding]:
    """A warning if different images have the very same mask; one of a single value tells nothing."""
    groups: dict[object, list[str]] = {}
    for name, entry in entries.items():
        if len(entry.values.pixels) > 1:
            key = (entry.shape[:2], entry.checksums[1], tuple(sorted(entry.values.pixels.items())))
            groups.setdefault(key, []).append(name)
    shared = []
    for names in groups.values():
        if len({twins.get(name, name) for name in names}) > 1:
            shared.append(names)
    if not shared:
        return []
    largest: list[str] = max(shared, key=len)
    what = f"{sum(map(len, shared))} different images share their masks, as {some(largest)} have the same"
    setting = "look at them on the contact sheet; give each image its own mask, if that is not meant"
    return [Finding("masks", "warning", what, setting, True)]


def _ranges(entries: Mapping[str, CheckedPair]) -> list[Finding]:
    """A warning if the intensities of some images lie in a far smaller range than those of all others."""
    ordered = sorted((entry.highest, name) for name, entry in entries.items() if entry.highest > 0)
    ratios = [high / low for (low, _), (high, _) in pairwise(ordered)]
    if not ratios or max(ratios) < APART:
        return []
    cut = int(np.argmax(ratios)) + 1
    low, high = ([entries[name] for _, name in part] for part in (ordered[:cut], ordered[cut:]))
    power = 1 if low[0].dtype == "float32" else 2  # means of whole numbers are of square roots
    dark, bright = (float(np.median([max(entry.mean) ** power for entry in part])) for part in (low, high))
    if not 0 < BRIGHTER * dark <= bright:
        return []
    rare, others = (low, high) if len(low) <= len(high) else (high, low)
    span = [f"{min(e.highest for e in part):g} to {max(e.highest for e in part):g}" for part in (rare, others)]
    what = f"the highest number of {len(rare)} image(s) is {span[0]}, of the others {span[1]}, with none between: "
    what += f"they may be of another bit depth or scale: {some(entry.id for entry in rare)}"
    setting = "save all in one range; or, in params.yaml, data.normalise: image standardises each image by itself"
    return [Finding("images", "warning", what, setting, True)]


def _lines(entries: Iterable[CheckedPair], dataset: Dataset) -> list[Finding]:
    """A warning for values in thin lines between two others, as smooth resizing of class numbers leaves them."""
    lines = interpolated_values([entry.edges for entry in entries], dataset.ignored_value)
    if not lines:
        return []
    names = ", ".join(f"{value} ({lines[value]:,})" for value in sorted(lines))
    what = f"values lie in lines of 1 or 2 pixels where lower values meet higher ones (lines of pixels): {names}"
    setting = "resizing with interpolation leaves such lines: save the masks again, resized by nearest neighbour, "
    setting += "unless somebody drew the lines"
    return [Finding("masks", "warning", what, setting, True)]


def rescaled_mask_findings(masks: Mapping[str, StoredValues], ignored: int | None, named: bool) -> list[Finding]:
    """An error, or a warning if classes are named, if masks seem to be scaled or coloured by their own highest class.

    One value then means different classes in different masks, as 127 and 85 both stand for class 1, 255 for any.
    """
    holders: dict[frozenset[int], list[str]] = {}
    for name, values in masks.items():
        held = frozenset(values.pixels) - {ignored}
        if len(held) > 1:
            holders.setdefault(held, []).append(name)
    several = sorted((held for held in holders if len(held) > 2), key=len)
    if len(several) < 2 or len(set(map(len, several))) < len(several):
        return []
    coloured = any(values.kind == "colour" for values in masks.values())
    twice = all(len(holders[held]) > 1 for held in several)
    if not (twice and _only_ends_shared(holders) if coloured else _even(holders)):
        return []
    files = ", ".join(repr(holders[held][0]) for held in several)
    what = "each mask seems to be stretched to its own highest class, so that one value means different classes: "
    what += f"masks with different numbers of classes hold other values between the lowest and the highest, as {files}"
    setting = "save the class numbers themselves (0, 1, 2 …), not scaled or coloured for display"
    if named:
        return [Finding("masks", "warning", what, setting, True)]
    setting += f"; or, if no value has two meanings, name the classes in {NAME}"
    return [Finding("masks", "error", what, setting, True)]


def _even(sets: Collection[frozenset[int]]) -> bool:
    """Whether all sets of values are spread evenly from 0 to nearly the same highest value, far above their number."""
    top = max(map(max, sets))
    for held in sets:
        wanted = np.linspace(0, max(held), len(held))
        if max(held) < SAME_TOP * top or max(held) < SPREAD * len(held) or np.abs(wanted - sorted(held)).max() > 1:
            return False
    return True


def _only_ends_shared(sets: Collection[frozenset[int]]) -> bool:
    """Whether any two sets of colours share the same two, the ends of a scale."""
    ends = frozenset.intersection(*sets)
    return len(ends) == 2 and all(one & other == ends for one, other in combinations(sets, 2))


def swapped_mask_warnings(dataset: Dataset, pixels: Mapping[str, Sequence[int]]) -> list[Finding]:
    """A warning for the few masks of two classes whose foreground and background seem to be exchanged.

    Their foreground covers far more than that of all others, and about as much as the background of these.

    Args:
        dataset: the data set with its classes.
        pixels: id of an image → its pixels of each class.
    """
    index = dataset.background_index
    if len(dataset.names) != 2 or index is None:
        return []
    shares = {name: counts[1 - index] / sum(counts) for name, counts in pixels.items() if min(counts) > 0}
    ordered = sorted(shares.values())
    gaps = np.diff(ordered)
    if len(ordered) < 4 or gaps.max() < GAP:
        return []
    cut = int(gaps.argmax()) + 1
    low, high = ordered[:cut], ordered[cut:]
    rare, usual = (high, low) if len(high) <= len(low) else (low, high)
    if len(rare) > FEW * len(ordered) or low[-1] > 0.5 or high[0] < 0.5:
        return []
    slack = max(usual[-1] - usual[0], GAP / 2)
    if any(not usual[0] - slack <= 1 - share <= usual[-1] + slack for share in rare):
        return []
    few = set(rare)
    names = [name for name, share in shares.items() if share in few]
    what = f"foreground and background of {len(names)} mask(s) may be exchanged: {dataset.names[1 - index]!r} covers "
    spans = [f"{min(part):.0%} to {max(part):.0%}" for part in (rare, usual)]
    what += f"{spans[0]} of these, {spans[1]} of the others: {some(names)}"
    return [Finding("masks", "warning", what, "look at them on the contact sheet; exchange them if so", True)]
