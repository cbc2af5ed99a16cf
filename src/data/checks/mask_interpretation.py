"""Find all plausible interpretations of the values in masks when dataset.yaml does not name the classes.

The values are common values (see `Encoding`): whole numbers, or colours as 0xRRGGBB.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise

import numpy as np

from src.data.source.dataset import StoredValue, as_yaml

MOST_CLASSES = 32  # more distinct values are not taken for classes unless dataset.yaml names them
THRESHOLD = "in params.yaml: data.masks.threshold"
EDGES = 0.02  # share of pixels below which values between the lowest and the highest may be soft edges
ENDS = 0.9  # share of pixels near the lowest or highest of many values above which the others may be soft edges
GAPLESS = 0.8  # least share of masks that number objects without a gap; some objects may be cropped or covered
FEW_MASKS = 5  # below this number of masks, two different counts of values suggest numbered objects
ALONE = 0.8  # share of values that occur in a single mask from which on they seem to be object numbers
MANY = 6  # least number of objects in an image for tests of gaps and colours
DENSE = 0.6  # least share of the numbers up to the highest that a mask with gaps holds
FALLING = -0.75  # highest correlation of a number with its count of masks: higher numbers are in fewer masks
NEAR = 12  # of 255, in each channel: largest distance of a blend from the line between its two colours
HIGHEST = tuple(2**bits - 1 for bits in (8, 15, 16, 31, 32))  # highest integers; often mean "unlabelled"
MARKERS = (254, *HIGHEST)  # 254 is used if 255 has another special meaning
CLEAR = 32  # least distance of such a number from the next lower value; soft edges come closer
FAR = 99  # a value from here on may mean "unlabelled" if it is far from all others
LONE = 8  # how many times farther than the largest distance between the others
VOC_VOID = (0xE0E0C0, 0xC0E0E0)  # PASCAL VOC's colour of unlabelled pixels, as RGB and as BGR


@dataclass(frozen=True)
class Interpretation:
    """One interpretation of the values.

    Attributes:
        description: The interpretation in words.
        setting: The line of dataset.yaml or params.yaml that selects it, or else the remedy.
        classes: Stored value → name, if the values are classes.
    """

    description: str
    setting: str
    classes: dict[StoredValue, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Hints:
    """Facts about the mask files other than their values.

    Attributes:
        palette: Some values are palette indices.
        over_8_bits: Some files store whole numbers of more than 8 bits.
        nodata: The values of GDAL's no-data tags, without 0.
        all_classes: dataset.yaml says `ignore: none`.
        ignored: The value that dataset.yaml ignores, as written there. A second one is not possible.
    """

    palette: bool = False
    over_8_bits: bool = False
    nodata: frozenset[int] = frozenset()
    all_classes: bool = False
    ignored: StoredValue | None = None


def interpretations(
    pixels: Counter[int], values_of: Mapping[str, Collection[int]], coloured: bool, hints: Hints | None = None
) -> list[Interpretation]:
    """Find all plausible interpretations of the values. A single one with classes is certain.

    Args:
        pixels: Value → number of pixels in all masks, without the value to ignore.
        values_of: Id of a mask → its values.
        coloured: Whether values are colours 0xRRGGBB.
        hints: Other facts about the files.

    Returns:
        The interpretations, the most plausible first. Empty for fewer than two values, and if none is plausible.
    """
    values, hints = sorted(pixels), hints or Hints()
    if len(values) < 2:
        return []
    if len(values) == 2 and values[0] < 0 == values[1] and not coloured:
        return [_foreground_is(0, values[0]), _foreground_is(values[0], 0)]  # -1 may be 255 read as int8: an object
    unlabelled = _unlabelled(values, coloured, hints)
    ignoring = [_ignoring(value, values, coloured, hints) for value in unlabelled]
    objects = [{value for value in found if value > 0} - {*unlabelled} for found in values_of.values()]
    as_objects = objects_interpretation(unlabelled)
    if coloured:
        if len(values) > MOST_CLASSES:
            return []
        numbered = values[0] == 0 and _coloured_objects(objects)
        smooth = Interpretation("colours with soft edges", "save the masks again, resized by nearest neighbour")
        return [*ignoring, _classes(values, True), *[as_objects] * numbered, *[smooth] * _blended(pixels)]
    numbered = 0 in values and _numbered(objects, hints)
    possible_objects = [as_objects] if 0 in values and len(values) > 2 else []
    if len(values) > MOST_CLASSES:
        return _soft_edges_of_many(pixels, hints) + (possible_objects if numbered or values[-1] > 255 else [])
    if values[-1] > 255 or numbered:
        return [*ignoring, _classes(values, False), *possible_objects]
    if values == [0, 1, 255] and not hints.palette and not any({1, 255} <= set(found) for found in values_of.values()):
        mixed = Interpretation("foreground as 1 in some masks, as 255 in others", f"{THRESHOLD}: 1")
        return [mixed, _classes(values, False)]
    if len(values) == 2 or _consecutive(values) or (ignoring and _consecutive(values[:-1])):
        return [*ignoring, _classes(values, False)]
    return [*ignoring, _classes(values, False), *_soft_edges_of_few(pixels, hints)]


def _soft_edges(values: Collection[int], hints: Hints) -> list[Interpretation]:
    """The interpretation as a foreground with soft edges; none for palette indices, whose order has no meaning."""
    middle = (min(values) + max(values) + 1) // 2
    return [] if hints.palette else [Interpretation("foreground with soft edges", f"{THRESHOLD}: {middle}")]


def _soft_edges_of_many(pixels: Counter[int], hints: Hints) -> list[Interpretation]:
    """Soft edges, if most of many values are near the ends, or the ends are 0 and 255."""
    low, high = min(pixels), max(pixels)
    near = sum(count for value, count in pixels.items() if min(value - low, high - value) <= (high - low) / 16)
    return _soft_edges(pixels, hints) if near >= ENDS * pixels.total() or (low, high) == (0, 255) else []


def _soft_edges_of_few(pixels: Counter[int], hints: Hints) -> list[Interpretation]:
    """Soft edges, if the values between the ends are rare, or the ends are 0 and 255."""
    low, high = min(pixels), max(pixels)
    between = 1 - (pixels[low] + pixels[high]) / pixels.total()
    full_range = (low, high) == (0, 255) and not hints.all_classes
    return _soft_edges(pixels, hints) if full_range or (between < EDGES and low >= 0) else []


def _classes(values: Sequence[int], coloured: bool) -> Interpretation:
    classes = class_names(values, coloured)
    return Interpretation(f"{len(values)} classes", f"in dataset.yaml: {classes_line(classes)}", classes)


def _foreground_is(background: int, foreground: int) -> Interpretation:
    line = classes_line({background: "background", foreground: "foreground"})
    return Interpretation(f"{foreground} is the foreground", f"in dataset.yaml: {line}")


def objects_interpretation(unlabelled: Sequence[int] = ()) -> Interpretation:
    """The interpretation as numbered objects. `unlabelled`: values that may mean "unlabelled"."""
    line = "in params.yaml: data.masks.read: instances"
    if unlabelled:
        line += f", with in dataset.yaml: ignore: {unlabelled[0]} if these pixels are unlabelled"
    return Interpretation("numbered objects on background 0", line)


def _consecutive(values: Sequence[int]) -> bool:
    return list(values) == list(range(len(values)))


def _ignoring(value: int, values: Sequence[int], coloured: bool, hints: Hints) -> Interpretation:
    others = len(values) - 1
    words = f"{others} class{'es' if others != 1 else ''}, and unlabelled pixels"
    if hints.ignored is not None:
        only = f"dataset.yaml ignores {hints.ignored} and can ignore no second value"
        return Interpretation(words, f"save them with the value {hints.ignored} ({only})")
    return Interpretation(words, f"in dataset.yaml: ignore: {as_yaml(_value(value, coloured))}")


def _unlabelled(values: Sequence[int], coloured: bool, hints: Hints) -> list[int]:
    """The values that may mean "unlabelled", the most likely first.

    These are negative numbers; the values of GDAL's no-data tags; the highest number of an integer type above a gap,
    unless the values are evenly spaced grey levels; and a number far above all others, such as 99 or 254. Among
    colours, it is the void colour of PASCAL VOC.
    """
    if hints.all_classes or len(values) == 2:  # without one of two values a single class would remain
        return []
    if coloured:
        return [colour for colour in VOC_VOID if colour in values]
    found = [value for value in reversed(values) if value < 0] + [value for value in values if value in hints.nodata]
    below = [value for value in values if value not in MARKERS]
    markers = [value for value in reversed(values) if value in MARKERS]
    if len(below) < 2:
        below, markers = list(values[:-1]), [values[-1]]
    gaps = [after - before for before, after in pairwise([*below, markers[-1]])] if markers else []
    even = bool(gaps) and max(gaps) <= 1.1 * min(gaps) + 1
    if markers and markers[0] in HIGHEST and gaps[-1] >= CLEAR and not even:
        found += markers
    elif values[-1] >= FAR and values[-1] - values[-2] > LONE * max(b - a for a, b in pairwise(values[:-1])):
        found.append(values[-1])
    return list(dict.fromkeys(found))


def class_names(values: Sequence[int], coloured: bool) -> dict[StoredValue, str]:
    """Generate names for classes.

    Args:
        values: The values, in ascending order.
        coloured: Whether they are colours 0xRRGGBB.

    Returns:
        Stored value → name: background and foreground for two values, else names made from the values.
    """
    stored = [_value(value, coloured) for value in values]
    if len(values) == 2:
        return {stored[0]: "background", stored[1]: "foreground"}
    return {value: _name(value) for value in stored}


def _name(value: StoredValue) -> str:
    if isinstance(value, str):
        return f"colour_{value[1:]}"
    return f"class_{value}" if value >= 0 else f"class_minus_{-value}"


def classes_line(classes: Mapping[StoredValue, str]) -> str:
    """The line of dataset.yaml that names the classes. `classes`: stored value → name."""
    return f"classes: {{{', '.join(f'{as_yaml(value)}: {as_yaml(name)}' for value, name in classes.items())}}}"


def _value(value: int, coloured: bool) -> StoredValue:
    return f"#{value:06X}" if coloured else value


def _numbered(objects: Sequence[set[int]], hints: Hints) -> bool:
    """Return whether the values look like numbers of objects on background 0.

    They do in any of these cases: most masks number from 1 without a gap, up to different numbers; they number with
    gaps, and higher numbers are in fewer masks; nearly every value is in a single mask, because numbering continues
    from one image to the next. For files of more than 8 bits it is enough that masks hold different numbers of values,
    or that there are few masks.

    Args:
        objects: For each mask, the values above 0.
        hints: Other facts about the files.
    """
    masks, number = len(objects), len(set().union(*objects))
    if masks < 2 or number < 2:
        return False
    gapless = sum(max(values, default=0) == len(values) for values in objects) >= GAPLESS * masks
    counts = len({len(values) for values in objects})
    alone = _alone(objects) and not hints.palette
    if hints.over_8_bits and (alone or (number > 2 and (counts > 1 or masks < FEW_MASKS)) or (gapless and counts > 1)):
        return True
    if number < 3:
        return False
    return alone or (gapless and counts >= (2 if masks < FEW_MASKS else 3)) or _with_gaps(objects)


def _alone(objects: Sequence[set[int]]) -> bool:
    """Tell whether nearly every value is in a single mask, or, if there are very many values, in at most two masks."""
    times = Counter(value for values in objects for value in values)
    most = 2 if len(times) > 2 * len(objects) and len(objects) > 2 else 1
    return sum(count <= most for count in times.values()) >= ALONE * len(times)


def _with_gaps(objects: Sequence[set[int]]) -> bool:
    """Tell whether masks number objects from 1 with some numbers missing, for example of removed border objects.

    In such masks the highest numbers differ, and a higher number is in fewer masks.
    """
    masks = len(objects)
    times = Counter(value for values in objects for value in values)
    mask_counts = [times[value] for value in range(1, max(times) + 1)]
    dense = sum(len(values) >= DENSE * max(values, default=0) for values in objects) >= GAPLESS * masks
    if len(mask_counts) < MANY or not dense or len({len(values) for values in objects}) < min(3, masks):
        return False
    if masks < FEW_MASKS:
        return len(mask_counts) <= MOST_CLASSES
    return mask_counts[-1] <= masks / 2 and bool(np.corrcoef(range(len(mask_counts)), mask_counts)[0, 1] <= FALLING)


def _coloured_objects(objects: Sequence[set[int]]) -> bool:
    """Tell whether colours look like those of objects: each is in one mask, or all masks take them in one order."""
    times = Counter(colour for found in objects for colour in found)
    rank = {colour: place for place, (colour, _) in enumerate(times.most_common(), 1)}
    in_order = all(max(map(rank.__getitem__, found), default=0) == len(found) for found in objects)
    counts = len({len(found) for found in objects})
    return len(objects) > 1 and len(times) >= MANY and (_alone(objects) or (in_order and counts > 2))


def _blended(pixels: Counter[int]) -> bool:
    """Return whether a rare colour lies between two frequent ones, as at a soft edge."""
    for value, count in pixels.items():
        frequent = [other for other in pixels if pixels[other] > 10 * count]
        if count < EDGES * pixels.total() and blend(value, frequent):
            return True
    return False


def blend(colour: int, colours: Collection[int]) -> bool:
    """Return whether a colour lies between two others.

    Args:
        colour: The colour 0xRRGGBB.
        colours: The other colours.
    """
    parts = [np.array([value >> 16, value >> 8 & 255, value & 255], float) for value in (colour, *colours)]
    for one, other in combinations(parts[1:], 2):
        share = (parts[0] - one) @ (other - one) / max((other - one) @ (other - one), 1)
        if 0 < share < 1 and abs(one + share * (other - one) - parts[0]).max() <= NEAR:
            return True
    return False
