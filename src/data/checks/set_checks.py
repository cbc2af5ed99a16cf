"""Find files that were damaged, swapped or saved in different ways, by comparing all pairs of a data set."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations, pairwise

import numpy as np

from src.data.checks.edges import interpolated_values
from src.data.checks.pair_check import CheckedPair
from src.data.reading.stored_values import StoredValues
from src.data.reading.unreadable import Finding
from src.data.source.dataset import NAME, Dataset
from src.errors import some

RANGE_RATIO = 4.0  # ratio of the highest numbers of two ranges that suggests different ranges, such as 12 and 16 bits
MEDIAN_RATIO = 2.5  # ratio that the median intensities must have as well: one hot pixel does not change the range
GAP = 0.2  # difference in foreground share between swapped masks and the others, with no mask in between
SAME_TOP = 0.95  # share of the highest value that counts as the same highest value: 255 // 4 * 4 is 252
STRETCHED = 4  # highest value / number of values from which values look stretched; plain class numbers are below
MOST_SWAPPED = 1 / 3  # share of masks that may be swapped; of more, it is unclear which ones are wrong


def set_findings(
    pairs: Mapping[str, CheckedPair], dataset: Dataset, twins: Mapping[str, str], named: bool
) -> list[Finding]:
    """Compare all pairs of a data set.

    Args:
        pairs: Id → pair, of all pairs that can be read.
        dataset: The data set with its classes.
        twins: Id of an image that is nearly the same as an earlier one → id of the earlier one.
        named: Whether dataset.yaml names the classes.

    Returns:
        Findings about masks that several images share, intensity ranges, resized masks and rescaled masks.
    """
    varied = {name: pair for name, pair in pairs.items() if any(pair.std)}  # without images of a single colour
    found = [*_shared_masks(varied, twins), *_intensity_ranges(varied), *_interpolated_masks(pairs.values(), dataset)]
    if dataset.overlap:  # the stored values of several masks were checked one by one
        return found
    masks = {name: pair.values for name, pair in pairs.items()}
    return found + rescaled_mask_findings(masks, dataset.ignored_value, named)


def _shared_masks(pairs: Mapping[str, CheckedPair], twins: Mapping[str, str]) -> list[Finding]:
    """A warning if different images have exactly the same mask. Masks of a single value are not compared."""
    groups: dict[object, list[str]] = {}
    for name, pair in pairs.items():
        if len(pair.values.pixels) > 1:
            key = (pair.shape[:2], pair.checksums[1], tuple(sorted(pair.values.pixels.items())))
            groups.setdefault(key, []).append(name)
    shared = []
    for names in groups.values():
        if len({twins.get(name, name) for name in names}) > 1:
            shared.append(names)
    if not shared:
        return []
    largest: list[str] = max(shared, key=len)
    what = f"{sum(map(len, shared))} different images share their masks: the masks of {some(largest)} are the same"
    setting = "look at them on the contact sheet; give each image its own mask, if that is not meant"
    return [Finding("masks", "warning", what, setting, True)]


def _intensity_ranges(pairs: Mapping[str, CheckedPair]) -> list[Finding]:
    """A warning if the intensities of some images lie in a much smaller range than those of all others."""
    ordered = sorted((pair.highest, name) for name, pair in pairs.items() if pair.highest > 0)
    ratios = [high / low for (low, _), (high, _) in pairwise(ordered)]
    if not ratios or max(ratios) < RANGE_RATIO:
        return []
    cut = int(np.argmax(ratios)) + 1
    low, high = ([pairs[name] for _, name in part] for part in (ordered[:cut], ordered[cut:]))
    power = 1 if low[0].dtype == "float32" else 2  # means of whole numbers are means of square roots, see `moments`
    dark, bright = (float(np.median([max(pair.mean) ** power for pair in part])) for part in (low, high))
    if not 0 < MEDIAN_RATIO * dark <= bright:
        return []
    rare, others = (low, high) if len(low) <= len(high) else (high, low)
    span = [f"{min(e.highest for e in part):g} to {max(e.highest for e in part):g}" for part in (rare, others)]
    what = f"the highest number of {len(rare)} image(s) is {span[0]}, of the others {span[1]}, with none between: "
    what += f"they may be of another bit depth or scale: {some(pair.id for pair in rare)}"
    setting = "save all in one range; or, in params.yaml, data.normalise: image standardises each image by itself"
    return [Finding("images", "warning", what, setting, True)]


def _interpolated_masks(pairs: Iterable[CheckedPair], dataset: Dataset) -> list[Finding]:
    """A warning for values in thin lines between two other values, which interpolation of class numbers leaves."""
    lines = interpolated_values([pair.edges for pair in pairs], dataset.ignored_value)
    if not lines:
        return []
    names = ", ".join(f"{value} ({lines[value]:,})" for value in sorted(lines))
    what = f"values lie in lines of 1 or 2 pixels where lower values meet higher ones (lines of pixels): {names}"
    setting = "resizing with interpolation leaves such lines: save the masks again, resized by nearest neighbour, "
    setting += "unless somebody drew the lines"
    return [Finding("masks", "warning", what, setting, True)]


def rescaled_mask_findings(masks: Mapping[str, StoredValues], ignored: int | None, named: bool) -> list[Finding]:
    """Find masks whose values seem to be stretched to 255, or coloured, by the highest class of each mask.

    One stored value then means different classes in different masks: with classes 0 to 2 class 1 becomes 127, with
    classes 0 to 3 it becomes 85, and 255 can be any class.

    Args:
        masks: Id → stored values.
        ignored: The stored value to ignore, if there is one.
        named: Whether dataset.yaml names the classes.

    Returns:
        An error, or a warning if the classes are named; empty if the masks look usual.
    """
    holders: dict[frozenset[int], list[str]] = {}  # set of values → masks that hold exactly these
    for name, stored in masks.items():
        values = frozenset(stored.pixels) - {ignored}
        if len(values) > 1:
            holders.setdefault(values, []).append(name)
    several = sorted((values for values in holders if len(values) > 2), key=len)
    if len(several) < 2 or len(set(map(len, several))) < len(several):
        return []
    coloured = any(stored.kind == "colour" for stored in masks.values())
    twice = all(len(holders[values]) > 1 for values in several)
    if not (twice and _share_two_colours(holders) if coloured else _evenly_stretched(holders)):
        return []
    files = ", ".join(repr(holders[values][0]) for values in several)
    what = "each mask seems to be stretched to its own highest class, so that one value means different classes: "
    what += f"masks with different numbers of classes hold other values between the lowest and the highest, as {files}"
    setting = "save the class numbers themselves (0, 1, 2 …), not scaled or coloured for display"
    if named:
        return [Finding("masks", "warning", what, setting, True)]
    setting += f"; or, if no value has two meanings, name the classes in {NAME}"
    return [Finding("masks", "error", what, setting, True)]


def _evenly_stretched(sets: Collection[frozenset[int]]) -> bool:
    """Return whether all sets of values are spaced evenly from 0 to nearly the same, high value."""
    top = max(map(max, sets))
    for values in sets:
        even = np.linspace(0, max(values), len(values))
        if max(values) < SAME_TOP * top or max(values) < STRETCHED * len(values):
            return False
        if np.abs(even - sorted(values)).max() > 1:
            return False
    return True


def _share_two_colours(sets: Collection[frozenset[int]]) -> bool:
    """Return whether any two sets of colours share the same two colours, which are the ends of a colour scale."""
    ends = frozenset.intersection(*sets)
    return len(ends) == 2 and all(one & other == ends for one, other in combinations(sets, 2))


def swapped_mask_warnings(dataset: Dataset, pixels: Mapping[str, Sequence[int]]) -> list[Finding]:
    """Find a few masks of two classes in which foreground and background seem to be swapped.

    Their foreground covers much more than the foreground of all others, and about as much as their background.

    Args:
        dataset: The data set with its classes.
        pixels: Id of an image → number of pixels of each class.

    Returns:
        One warning that lists the masks; empty if there are none, or if the data set does not have two classes.
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
    if len(rare) > MOST_SWAPPED * len(ordered) or low[-1] > 0.5 or high[0] < 0.5:
        return []
    slack = max(usual[-1] - usual[0], GAP / 2)
    if any(not usual[0] - slack <= 1 - share <= usual[-1] + slack for share in rare):
        return []
    swapped = set(rare)
    names = [name for name, share in shares.items() if share in swapped]
    spans = [f"{min(part):.0%} to {max(part):.0%}" for part in (rare, usual)]
    what = f"foreground and background of {len(names)} mask(s) may be exchanged: {dataset.names[1 - index]!r} covers "
    what += f"{spans[0]} of these, {spans[1]} of the others: {some(names)}"
    return [Finding("masks", "warning", what, "look at them on the contact sheet; exchange them if so", True)]
