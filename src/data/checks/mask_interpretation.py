"""The readings that the values of masks allow, when nobody said what they mean."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise

import numpy as np

from src.data.source.dataset import StoredValue, as_yaml

MOST_CLASSES = 32  # more different values than that are not taken for classes unless they are named
THRESHOLD = "in params.yaml: data.masks.threshold"
EDGES = 0.02  # share of the pixels below which values between the lowest and the highest may be soft edges
ENDS = 0.9  # share of the pixels close to the lowest or the highest of many values that speaks for soft edges
GAPLESS = 0.8  # share of the masks that are numbered without a gap; objects may be cut away or covered
FEW_MASKS = 5  # below this number of masks two different counts of values are enough to ask about objects
ALONE = 0.8  # share of the values that are in a single mask each from which on they are thought to be numbers
MANY = 6  # least number of objects in an image for the finer signs
DENSE, FALLING = 0.6, -0.75  # of numbers with gaps: least share that is there; correlation of a number with its masks
NEAR = 12  # of 255 in each channel: how close to the line between two colours their blends lie
HIGHEST = tuple(2**bits - 1 for bits in (8, 15, 16, 31, 32))  # of whole numbers: often stored for "not annotated"
MARKERS = (254, *HIGHEST)  # the second of two such numbers
CLEAR = 32  # how far below it no other value is; soft edges come closer
FAR, LONE = 99, 8  # a higher number, this many times farther from all others than these lie apart, may be one as well
VOC_VOID = (0xE0E0C0, 0xC0E0E0)  # PASCAL VOC's colour of pixels that nobody labelled; the same as B G R


@dataclass(frozen=True)
class Interpretation:
    """One way to understand the values: in words, the line that picks it, and the classes if that is what they are."""

    words: str
    line: str
    classes: dict[StoredValue, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Hints:
    """What the mask files say beside their values.

    Attributes:
        palette: some values are palette indices.
        wide: some files store whole numbers of more than 8 bits.
        nodata: the values that GDAL's no-data tags name, without 0.
        all_classes: dataset.yaml says that no value is ignored.
        ignored: the value that dataset.yaml ignores, as it is written there; there can be no second one.
    """

    palette: bool = False
    wide: bool = False
    nodata: frozenset[int] = frozenset()
    all_classes: bool = False
    ignored: StoredValue | None = None


def interpretations(
    pixels: Counter[int], held: Mapping[str, Collection[int]], coloured: bool, hints: Hints | None = None
) -> list[Interpretation]:
    """Every reading of the values; a single one that has classes is certain.

    Args:
        pixels: value → its pixels in all masks.
        held: mask → its values.
        coloured: whether values are 0xRRGGBB.
        hints: what else the files say.
    """
    values, hints = sorted(pixels), hints or Hints()
    if len(values) < 2:
        return []
    as_classes = _classes(values, coloured)
    if len(values) == 2 and values[0] < 0 == values[1] and not coloured:
        return [_two(0, values[0]), _two(values[0], 0)]  # the object may be -1: what 255 is as int8
    unlabelled = _unlabelled(values, coloured, hints)
    ignoring = [_ignoring(value, values, coloured, hints) for value in unlabelled]
    objects = [{value for value in found if value > 0} - {*unlabelled} for found in held.values()]
    if coloured:
        if len(values) > MOST_CLASSES:
            return []
        smooth = Interpretation("colours with soft edges", "save the masks again, resized by nearest neighbour")
        numbered = values[0] == 0 and _coloured_objects(objects)
        return [*ignoring, as_classes, *[objects_interpretation(unlabelled)] * numbered, *[smooth] * _blended(pixels)]
    ends = (values[0], values[-1])
    soft = (
        [] if hints.palette else [Interpretation("foreground with soft edges", f"{THRESHOLD}: {(sum(ends) + 1) // 2}")]
    )
    numbered = 0 in values and _numbered(objects, hints)
    as_objects = [objects_interpretation(unlabelled)] if 0 in values and len(values) > 2 else []
    if len(values) > MOST_CLASSES:
        near = sum(n for v, n in pixels.items() if min(v - ends[0], ends[1] - v) <= (ends[1] - ends[0]) / 16)
        found = soft if near >= ENDS * pixels.total() or ends == (0, 255) else []
        return found + (as_objects if numbered or ends[1] > 255 else [])
    if ends[1] > 255 or numbered:
        return [*ignoring, as_classes, *as_objects]
    if values == [0, 1, 255] and not hints.palette and not any({1, 255} <= set(found) for found in held.values()):
        return [Interpretation("foreground as 1 in some masks, as 255 in others", f"{THRESHOLD}: 1"), as_classes]
    if len(values) == 2 or _consecutive(values) or (ignoring and _consecutive(values[:-1])):
        return [*ignoring, as_classes]
    between = 1 - (pixels[ends[0]] + pixels[ends[1]]) / pixels.total()
    may_be_soft = ends == (0, 255) and not hints.all_classes
    return [*ignoring, as_classes, *(soft if may_be_soft or (between < EDGES and ends[0] >= 0) else [])]


def _classes(values: Sequence[int], coloured: bool) -> Interpretation:
    classes = class_names(values, coloured)
    return Interpretation(f"{len(values)} classes", f"in dataset.yaml: {classes_line(classes)}", classes)


def _two(background: int, foreground: int) -> Interpretation:
    line = classes_line({background: "background", foreground: "foreground"})
    return Interpretation(f"{foreground} is the foreground", f"in dataset.yaml: {line}")


def objects_interpretation(unlabelled: Sequence[int] = ()) -> Interpretation:
    """Numbered objects, with a word on the values that may stand for what nobody labelled."""
    line = "in params.yaml: data.masks.read: instances"
    if unlabelled:
        line += f", with in dataset.yaml: ignore: {unlabelled[0]} if nobody labelled these pixels"
    return Interpretation("numbered objects on background 0", line)


def _consecutive(values: Sequence[int]) -> bool:
    return list(values) == list(range(len(values)))


def _ignoring(value: int, values: Sequence[int], coloured: bool, hints: Hints) -> Interpretation:
    others = len(values) - 1
    words = f"{others} class{'es' if others != 1 else ''}, and pixels that nobody labelled"
    if hints.ignored is not None:
        only = f"dataset.yaml ignores {hints.ignored} and can ignore no second value"
        return Interpretation(words, f"save them with the value {hints.ignored} ({only})")
    return Interpretation(words, f"in dataset.yaml: ignore: {as_yaml(_value(value, coloured))}")


def _unlabelled(values: Sequence[int], coloured: bool, hints: Hints) -> list[int]:
    """The values that may mean that nobody labelled the pixel, the likeliest first.

    Negative numbers, what GDAL's no-data tag names, and the highest number of its type above a gap, unless the values
    are grey levels that are spread evenly. Also a number far above all others, such as 99 or 254. Of colours VOC's.
    """
    if hints.all_classes or len(values) == 2:  # one of two left out would leave nothing to tell apart
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
    """Names for the values: background and foreground for two, else the value's own."""
    stored = [_value(value, coloured) for value in values]
    if len(values) == 2:
        return {stored[0]: "background", stored[1]: "foreground"}
    return {value: _name(value) for value in stored}


def _name(value: StoredValue) -> str:
    if isinstance(value, str):
        return f"colour_{value[1:]}"
    return f"class_{value}" if value >= 0 else f"class_minus_{-value}"


def classes_line(classes: Mapping[StoredValue, str]) -> str:
    """The line of dataset.yaml that names the classes."""
    return f"classes: {{{', '.join(f'{as_yaml(value)}: {as_yaml(name)}' for value, name in classes.items())}}}"


def _value(value: int, coloured: bool) -> StoredValue:
    return f"#{value:06X}" if coloured else value


def _numbered(objects: Sequence[set[int]], hints: Hints) -> bool:
    """Whether the values look like the numbers of objects on background 0.

    They do if most masks count from 1 without a gap and differ in how far, or with gaps if the higher numbers are in
    fewer masks, or if nearly every value is in a single mask, as numbers are that go on from one image to the next.
    Files of more than 8 bits need less: that masks hold different values, or that there are few masks.

    Args:
        objects: of each mask the values above 0.
        hints: what else the files say.
    """
    masks, number = len(objects), len(set().union(*objects))
    if masks < 2 or number < 2:
        return False
    gapless = sum(max(values, default=0) == len(values) for values in objects) >= GAPLESS * masks
    counts = len({len(values) for values in objects})
    alone = _alone(objects) and not hints.palette
    if hints.wide and (alone or (number > 2 and (counts > 1 or masks < FEW_MASKS)) or (gapless and counts > 1)):
        return True
    if number < 3:
        return False
    return alone or (gapless and counts >= (2 if masks < FEW_MASKS else 3)) or _with_gaps(objects)


def _alone(objects: Sequence[set[int]]) -> bool:
    """Whether nearly every value is in a single mask; of very many values, in one or two."""
    times = Counter(value for values in objects for value in values)
    most = 2 if len(times) > 2 * len(objects) and len(objects) > 2 else 1
    return sum(count <= most for count in times.values()) >= ALONE * len(times)


def _with_gaps(objects: Sequence[set[int]]) -> bool:
    """Whether masks count from 1 with some numbers left out, as objects at the border often are.

    Then masks differ in how far they count, and the higher a number, the fewer hold it.
    """
    masks = len(objects)
    times = Counter(value for values in objects for value in values)
    held = [times[value] for value in range(1, max(times) + 1)]
    dense = sum(len(values) >= DENSE * max(values, default=0) for values in objects) >= GAPLESS * masks
    if len(held) < MANY or not dense or len({len(values) for values in objects}) < min(3, masks):
        return False
    if masks < FEW_MASKS:
        return len(held) <= MOST_CLASSES
    return held[-1] <= masks / 2 and bool(np.corrcoef(range(len(held)), held)[0, 1] <= FALLING)


def _coloured_objects(objects: Sequence[set[int]]) -> bool:
    """Whether colours look like those of objects: each in a single mask, or taken in one order, the first for all."""
    times = Counter(colour for found in objects for colour in found)
    rank = {colour: place for place, (colour, _) in enumerate(times.most_common(), 1)}
    in_order = all(max(map(rank.__getitem__, found), default=0) == len(found) for found in objects)
    counts = len({len(found) for found in objects})
    return len(objects) > 1 and len(times) >= MANY and (_alone(objects) or (in_order and counts > 2))


def _blended(pixels: Counter[int]) -> bool:
    """Whether a rare colour lies between two frequent ones, as a soft edge would."""
    for value, count in pixels.items():
        frequent = [other for other in pixels if pixels[other] > 10 * count]
        if count < EDGES * pixels.total() and blend(value, frequent):
            return True
    return False


def blend(colour: int, colours: Collection[int]) -> bool:
    """Whether a colour 0xRRGGBB lies between two of the others."""
    parts = [np.array([value >> 16, value >> 8 & 255, value & 255], float) for value in (colour, *colours)]
    for one, other in combinations(parts[1:], 2):
        share = (parts[0] - one) @ (other - one) / max((other - one) @ (other - one), 1)
        if 0 < share < 1 and abs(one + share * (other - one) - parts[0]).max() <= NEAR:
            return True
    return False
