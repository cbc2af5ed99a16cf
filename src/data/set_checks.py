"""What only all pairs together tell of files that were damaged, exchanged or saved in several ways."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from src.data.dataset import Dataset
from src.data.edges import invented
from src.data.encoding_checks import some
from src.data.entry import Entry
from src.data.masks import Values
from src.data.unreadable import Finding

APART = 4.0  # times as high: intensities of files that were saved in different ranges, such as 12 and 16 bits
BRIGHTER = 2.5  # times as bright are then the images in the middle of both groups: one hot pixel is no range
GAP = 0.2  # share of the pixels that no mask has as foreground, between those that may be exchanged and the others
FEW = 1 / 3  # share of the masks that may be exchanged: of more nobody can say which ones are


def set_warnings(entries: Mapping[str, Entry], dataset: Dataset, twins: Mapping[str, str]) -> list[Finding]:
    """Warnings about a set whose pairs can all be read.

    Args:
        entries: id → pair.
        dataset: its classes.
        twins: id → the first of the images that are the same or nearly so.
    """
    found = [*_same_masks(entries, twins), *_ranges(entries), *_lines(entries.values(), dataset)]
    return found + stretched({name: entry.values for name, entry in entries.items()}, dataset)


def _same_masks(entries: Mapping[str, Entry], twins: Mapping[str, str]) -> list[Finding]:
    """A warning for every mask that is the very mask of another, different image; of one value alone it tells nothing."""
    groups: dict[object, list[str]] = {}
    for name, entry in entries.items():
        if len(entry.values.pixels) > 1:
            key = (entry.shape[:2], entry.checksums[1], tuple(sorted(entry.values.pixels.items())))
            groups.setdefault(key, []).append(name)
    findings = []
    for names in groups.values():
        if len({twins.get(name, name) for name in names}) > 1:
            what = f"{len(names)} different images have the very same mask: {some(names)}"
            setting = "look at them on the contact sheet; give each image its own mask, if that is not meant"
            findings.append(Finding("masks", "warning", what, setting, True))
    return findings


def _ranges(entries: Mapping[str, Entry]) -> list[Finding]:
    """A warning if the intensities of some images lie in a far smaller range than those of all others."""
    ordered = sorted((entry.highest, name) for name, entry in entries.items() if entry.highest > 0)
    ratios = [high / low for (low, _), (high, _) in zip(ordered, ordered[1:], strict=False)]
    if not ratios or max(ratios) < APART:
        return []
    cut = int(np.argmax(ratios)) + 1
    low, high = ([entries[name] for _, name in part] for part in (ordered[:cut], ordered[cut:]))
    power = 1 if low[0].dtype == "float32" else 2  # means of whole numbers are of square roots
    dark, bright = (float(np.median([max(entry.mean) ** power for entry in part])) for part in (low, high))
    if bright < BRIGHTER * dark:
        return []
    rare, others = (low, high) if len(low) <= len(high) else (high, low)
    span = [f"{min(e.highest for e in part):g} to {max(e.highest for e in part):g}" for part in (rare, others)]
    what = f"the highest number of {len(rare)} image(s) is {span[0]}, of the others {span[1]}, with none between: "
    what += f"they may be of another bit depth or scale: {some(entry.id for entry in rare)}"
    setting = "save all in one range; or, in params.yaml, data.normalise: image standardises each image by itself"
    return [Finding("images", "warning", what, setting, True)]


def _lines(entries: Iterable[Entry], dataset: Dataset) -> list[Finding]:
    """A warning for classes that lie in thin lines between two others, as smooth resizing of class numbers leaves them."""
    lines = invented([entry.edges for entry in entries], dataset.ignored)
    if not lines:
        return []
    names = ", ".join(f"{value} ({lines[value]:,})" for value in sorted(lines))
    what = f"values lie in lines of 1 or 2 pixels where lower values meet higher ones (lines of pixels): {names}"
    setting = "as from resizing with interpolation: save the masks again by nearest neighbour, unless they are drawn so"
    return [Finding("masks", "warning", what, setting, True)]


def stretched(masks: Mapping[str, Values], dataset: Dataset) -> list[Finding]:
    """A warning if each mask seems to be scaled to its own highest class, so that a value is another class in another mask.

    Masks with as many classes then hold the same values, those with fewer or more only the lowest and highest of them.
    """
    kinds: dict[int, set[frozenset[int]]] = {}
    example: dict[int, str] = {}
    for name, values in masks.items():
        held = frozenset(values.pixels) - {dataset.ignored}
        if len(held) > 1:
            kinds.setdefault(len(held), set()).add(held)
            example.setdefault(len(held), name)
    whole = [next(iter(held)) for held in kinds.values() if len(held) == 1]
    if len(whole) < len(kinds) or sum(len(held) > 2 for held in whole) < 2:
        return []
    ends = {(min(held), max(held)) for held in whole}
    shared = [one & other for one in whole for other in whole if one is not other]
    if len(ends) > 1 or any(len(both) != 2 for both in shared):
        return []
    files = ", ".join(repr(example[number]) for number in sorted(example))
    what = "each mask seems to be stretched to its own highest class, so that one value means different classes: masks "
    what += f"of 3 and more values share the lowest and the highest alone, as {files}"
    setting = "save the class numbers themselves (0, 1, 2 …), not scaled or coloured for display"
    return [Finding("masks", "warning", what, setting, True)]


def exchanged(dataset: Dataset, pixels: Mapping[str, Sequence[int]]) -> list[Finding]:
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
    span = usual[-1] - usual[0]
    if any(not usual[0] - span <= 1 - share <= usual[-1] + span for share in rare):
        return []
    names = [name for name, share in shares.items() if share in rare]
    what = f"foreground and background of {len(names)} mask(s) may be exchanged: {dataset.names[1 - index]!r} covers "
    what += f"{min(rare):.0%} to {max(rare):.0%}, in all others {usual[0]:.0%} to {usual[-1]:.0%}: {some(names)}"
    return [Finding("masks", "warning", what, "look at them on the contact sheet; exchange them if so", True)]
