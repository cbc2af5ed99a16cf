"""The readings that the values of masks allow, when nobody said what they mean."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from src.data.dataset import Value

MOST_CLASSES = 32  # more different values than that are not taken for classes unless they are named
THRESHOLD = "in params.yaml: data.masks.threshold"
EDGES = 0.02  # share of the pixels below which values between the lowest and the highest may be soft edges
ENDS = 0.9  # share of the pixels close to the lowest or the highest of many values that speaks for soft edges
FEWEST_OBJECTS, FEWEST_MASKS = 3, 5  # from which on numbered objects are thought of
GAPLESS = 0.8  # share of the masks that are numbered without a gap; objects may be cut away or covered
NEAR = 12  # of 255 in each channel: how close to the line between two colours their blends lie


@dataclass(frozen=True)
class Reading:
    """One way to understand the values: in words, the line that picks it, and the classes if that is what they are."""

    words: str
    line: str
    classes: dict[Value, str] = field(default_factory=dict)


OBJECTS = Reading("numbered objects on background 0", "in params.yaml: data.masks.read: instances")


def readings(pixels: Counter[int], held: Mapping[str, Collection[int]], coloured: bool) -> list[Reading]:
    """Every reading of the values; a single one that has classes is certain.

    pixels: value → its pixels in all masks; held: mask → its values; coloured: values are 0xRRGGBB.
    """
    values = sorted(pixels)
    if len(values) < 2:
        return []
    classes = _classes(values, coloured)
    as_classes = Reading(f"{len(values)} classes", f"in dataset.yaml: {_line(classes)}", classes)
    if coloured:
        smooth = Reading("colours with soft edges", "save the masks again, without smoothing")
        return [as_classes, smooth][: 1 + _blended(pixels)] if len(values) <= MOST_CLASSES else []
    middle = (values[0] + values[-1] + 1) // 2
    soft = Reading("foreground with soft edges", f"{THRESHOLD}: {middle}")
    consecutive = values == list(range(len(values)))
    if len(values) > MOST_CLASSES:
        ends = sum(n for v, n in pixels.items() if min(v - values[0], values[-1] - v) <= (values[-1] - values[0]) / 16)
        found = [soft] if ends >= ENDS * pixels.total() or (values[0], values[-1]) == (0, 255) else []
        return found + ([OBJECTS] if _numbered(held) or values[-1] > 255 else [])
    if len(values) == 2:
        return [as_classes]
    if values[-1] > 255 or (len(values) > FEWEST_OBJECTS and _numbered(held)):
        return [as_classes, OBJECTS]
    if values == [0, 1, 255] and not any({1, 255} <= set(found) for found in held.values()):
        return [Reading("foreground as 1 in some masks, as 255 in others", f"{THRESHOLD}: 1"), as_classes]
    if consecutive:
        return [as_classes]
    if values[:-1] == list(range(len(values) - 1)) and values[-1] == 255:
        return [Reading(f"{len(values) - 1} classes, and pixels to ignore", "in dataset.yaml: ignore: 255"), as_classes]
    between = 1 - (pixels[values[0]] + pixels[values[-1]]) / pixels.total()
    return [as_classes, soft] if (values[0], values[-1]) == (0, 255) or between < EDGES else [as_classes]


def _classes(values: list[int], coloured: bool) -> dict[Value, str]:
    """Names for the values: background and foreground for two, else the value's own."""
    stored: list[Value] = [f"#{value:06X}" for value in values] if coloured else list(values)
    if len(values) == 2:
        return {stored[0]: "background", stored[1]: "foreground"}
    return {value: f"colour_{value[1:]}" if isinstance(value, str) else f"class_{value}" for value in stored}


def _line(classes: Mapping[Value, str]) -> str:
    items = [f"{value!r}: {name}".replace("'", '"') for value, name in classes.items()]
    return f"classes: {{{', '.join(items)}}}"


def _numbered(held: Mapping[str, Collection[int]]) -> bool:
    """Whether most masks count their values from 1 without a gap, and they differ in how far, as objects do."""
    counts = [len(set(values) - {0}) for values in held.values()]
    gapless = [max(values, default=0) == count for values, count in zip(held.values(), counts, strict=True)]
    return sum(gapless) >= GAPLESS * len(held) and len(held) >= FEWEST_MASKS and len(set(counts)) >= 3


def _blended(pixels: Counter[int]) -> bool:
    """Whether a rare colour lies between two frequent ones, as a soft edge would."""
    colours = {value: np.array([value >> 16, value >> 8 & 255, value & 255], float) for value in pixels}
    for value, count in pixels.items():
        frequent = [colours[other] for other in pixels if pixels[other] > 10 * count]
        if count >= EDGES * pixels.total():
            continue
        for one, other in combinations(frequent, 2):
            share = (colours[value] - one) @ (other - one) / max((other - one) @ (other - one), 1)
            if 0 < share < 1 and abs(one + share * (other - one) - colours[value]).max() <= NEAR:
                return True
    return False
