"""The readings that the values of masks allow, when nobody said what they mean."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise

import numpy as np

from src.data.dataset import Value

MOST_CLASSES = 32  # more different values than that are not taken for classes unless they are named
THRESHOLD = "in params.yaml: data.masks.threshold"
EDGES = 0.02  # share of the pixels below which values between the lowest and the highest may be soft edges
ENDS = 0.9  # share of the pixels close to the lowest or the highest of many values that speaks for soft edges
GAPLESS = 0.8  # share of the masks that are numbered without a gap; objects may be cut away or covered
FEW_MASKS = 5  # below this number of masks two different counts of values are enough to ask about objects
ALONE = 0.8  # share of the values that are in a single mask each from which on they are thought to be numbers
NEAR = 12  # of 255 in each channel: how close to the line between two colours their blends lie
HIGHEST = (2**8 - 1, 2**16 - 1, 2**32 - 1)  # of whole numbers without sign: what "not annotated" is often stored as
VOC_VOID = 0xE0E0C0  # the colour of PASCAL VOC's pixels that nobody labelled


@dataclass(frozen=True)
class Reading:
    """One way to understand the values: in words, the line that picks it, and the classes if that is what they are."""

    words: str
    line: str
    classes: dict[Value, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Hints:
    """What the mask files say beside their values.

    Attributes:
        palette: some values are palette indices.
        wide: some files store whole numbers of more than 8 bits.
        nodata: the values that GDAL's no-data tags name, without 0.
        all_classes: dataset.yaml says that no value is ignored.
    """

    palette: bool = False
    wide: bool = False
    nodata: frozenset[int] = frozenset()
    all_classes: bool = False


OBJECTS = Reading("numbered objects on background 0", "in params.yaml: data.masks.read: instances")


def readings(
    pixels: Counter[int], held: Mapping[str, Collection[int]], coloured: bool, hints: Hints | None = None
) -> list[Reading]:
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
    classes = class_names(values, coloured)
    as_classes = Reading(f"{len(values)} classes", f"in dataset.yaml: {classes_line(classes)}", classes)
    unlabelled = _unlabelled(values, coloured, hints)
    ignoring = [_ignoring(value, values, coloured) for value in unlabelled]
    if coloured:
        smooth = Reading("colours with soft edges", "save the masks again, resized by nearest neighbour")
        return [*ignoring, as_classes, *[smooth] * _blended(pixels)] if len(values) <= MOST_CLASSES else []
    ends = (values[0], values[-1])
    soft = [] if hints.palette else [Reading("foreground with soft edges", f"{THRESHOLD}: {(sum(ends) + 1) // 2}")]
    numbered = _numbered([{value for value in found if value > 0} - {*unlabelled} for found in held.values()], hints)
    if len(values) > MOST_CLASSES:
        near = sum(n for v, n in pixels.items() if min(v - ends[0], ends[1] - v) <= (ends[1] - ends[0]) / 16)
        found = soft if near >= ENDS * pixels.total() or ends == (0, 255) else []
        return found + ([OBJECTS] if numbered or ends[1] > 255 else [])
    if ends[1] > 255 or numbered:
        return [*ignoring, as_classes, *[OBJECTS] * (len(values) > 2)]
    if values == [0, 1, 255] and not hints.palette and not any({1, 255} <= set(found) for found in held.values()):
        return [Reading("foreground as 1 in some masks, as 255 in others", f"{THRESHOLD}: 1"), as_classes]
    if len(values) == 2 or _consecutive(values) or (ignoring and _consecutive(values[:-1])):
        return [*ignoring, as_classes]
    between = 1 - (pixels[ends[0]] + pixels[ends[1]]) / pixels.total()
    return [*ignoring, as_classes, *(soft if ends == (0, 255) or (between < EDGES and ends[0] >= 0) else [])]


def _consecutive(values: Sequence[int]) -> bool:
    return list(values) == list(range(len(values)))


def _ignoring(value: int, values: Sequence[int], coloured: bool) -> Reading:
    others = len(values) - 1
    words = f"{others} class{'es' if others != 1 else ''}, and pixels that nobody labelled"
    return Reading(words, f"in dataset.yaml: ignore: {_stored(value, coloured)}")


def _unlabelled(values: Sequence[int], coloured: bool, hints: Hints) -> list[int]:
    """The values that may mean that nobody labelled the pixel, the likeliest first.

    Negative numbers, what GDAL's no-data tag names, and the highest number of 8, 16 or 32 bits above a gap, unless the
    values are grey levels that are spread evenly. Of colours the one that VOC uses.
    """
    if hints.all_classes or len(values) == 2:  # one of two left out would leave nothing to tell apart
        return []
    if coloured:
        return [VOC_VOID] if VOC_VOID in values else []
    found = [value for value in reversed(values) if value < 0] + [value for value in values if value in hints.nodata]
    gaps = [after - before for before, after in pairwise(values)]
    even = max(gaps) <= 1.1 * min(gaps) + 1
    if values[-1] in HIGHEST and gaps[-1] > 1 and not even:
        found.append(values[-1])
    return list(dict.fromkeys(found))


def class_names(values: Sequence[int], coloured: bool) -> dict[Value, str]:
    """Names for the values: background and foreground for two, else the value's own."""
    stored = [_value(value, coloured) for value in values]
    if len(values) == 2:
        return {stored[0]: "background", stored[1]: "foreground"}
    return {value: f"colour_{value[1:]}" if isinstance(value, str) else f"class_{value}" for value in stored}


def classes_line(classes: Mapping[Value, str]) -> str:
    """The line of dataset.yaml that names the classes."""
    items = [f'"{value}": {name}' if isinstance(value, str) else f"{value}: {name}" for value, name in classes.items()]
    return f"classes: {{{', '.join(items)}}}"


def _value(value: int, coloured: bool) -> Value:
    return f"#{value:06X}" if coloured else value


def _stored(value: int, coloured: bool) -> str:
    return f'"{_value(value, True)}"' if coloured else str(value)


def _numbered(objects: Sequence[set[int]], hints: Hints) -> bool:
    """Whether the values look like the numbers of objects on background 0.

    They do if most masks count from 1 without a gap and differ in how far, or if nearly every value is in a single
    mask, as numbers are that go on from one image to the next. Files of more than 8 bits need less: that the masks
    hold different values, or that there are few masks.

    Args:
        objects: of each mask the values above 0.
        hints: what else the files say.
    """
    masks, number = len(objects), len(set().union(*objects))
    if masks < 2 or number < 2:
        return False
    gapless = sum(max(values, default=0) == len(values) for values in objects) >= GAPLESS * masks
    counts = len({len(values) for values in objects})
    if hints.wide and ((number > 2 and (counts > 1 or masks < FEW_MASKS)) or (gapless and counts > 1)):
        return True
    if number < 3:
        return False
    times = Counter(value for values in objects for value in values)
    alone = sum(count == 1 for count in times.values()) >= ALONE * number and not hints.palette
    return alone or (gapless and counts >= (2 if masks < FEW_MASKS else 3))


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
