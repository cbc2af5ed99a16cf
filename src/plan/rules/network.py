"""Rules of the network and of what a step sees of the images: depth, filters, size of patches and batches."""

import math
from collections.abc import Callable

from src.params import Encoder, PlannedModel
from src.plan.facts import Facts
from src.plan.memory import GIB, SMALLEST_BATCH, SMALLEST_CROP, TrainingSize, peak_bytes
from src.plan.rules.recipe import CROP, OrAuto, recipe

BOTTOM = 6  # pixels of a patch's side that remain at the bottom of the network
WIDTH = 16  # filters: the width with which two cores learn most in minutes
LARGEST_BATCH = 64


def depth(facts: Facts, crop: OrAuto, encoder: Encoder) -> tuple[int, str]:
    """Choose model.depth: the deepest network that leaves `BOTTOM` pixels of a patch and can halve its side.

    Args:
        facts: The facts of the training.
        crop: data.crop.
        encoder: model.encoder.
    """
    deepest = recipe(encoder).deepest
    side = min(facts.side, recipe(encoder).crop) if crop == "auto" else crop
    levels = wanted = max(1, min(deepest, int(math.log2(max(side / BOTTOM, 1)))))
    while crop != "auto" and levels > 1 and crop % 2**levels:
        levels -= 1
    if levels < wanted:
        halved = f"data.crop ({crop}) can be halved only {levels} time{'' if levels == 1 else 's'}"
        return levels, f"{halved}; a multiple of {2**wanted} would allow {wanted} levels"
    return levels, f"a patch must leave about {BOTTOM} pixels at the bottom, with at most {deepest} levels"


def filters(facts: Facts, encoder: Encoder, depth: int, gib: float) -> tuple[int, str]:
    """Choose model.filters: `WIDTH`, or less if memory demands it.

    Args:
        facts: The facts of the training.
        encoder: model.encoder.
        depth: model.depth.
        gib: train.memory_gib.
    """
    side = _smallest_crop(depth)

    def fits(width: int) -> bool:
        return _fits(facts, PlannedModel(encoder=encoder, filters=width, depth=depth), side, SMALLEST_BATCH, gib)

    width = _halve_until(fits, WIDTH, 4)
    return width, _memory(gib) if width < WIDTH else "learns most in minutes; wider networks need longer training"


def crop(facts: Facts, model: PlannedModel, gib: float) -> tuple[int, str]:
    """Choose data.crop: as large as the images up to a limit, a multiple of 2 ** depth, less if memory demands it.

    Args:
        facts: The facts of the training.
        model: The planned section `model`.
        gib: train.memory_gib.
    """
    step, smallest, largest = 2**model.depth, _smallest_crop(model.depth), recipe(model.encoder).crop
    wanted = max(-(-min(facts.side, largest) // step) * step, smallest)
    side = _halve_until(lambda side: _fits(facts, model, side, SMALLEST_BATCH, gib), wanted, smallest, step)
    typical = f"the median image's shorter side is {facts.side}"
    if side < wanted:
        return side, _memory(gib)
    return side, typical if side >= facts.side else f"{typical}; many small patches teach more than few large ones"


def batch(facts: Facts, model: PlannedModel, crop: int, gib: float) -> tuple[int, str]:
    """Choose train.batch: the usual number, more of patches smaller than `CROP`, less if memory demands it.

    Args:
        facts: The facts of the training.
        model: The planned section `model`.
        crop: data.crop.
        gib: train.memory_gib.
    """
    usual = recipe(model.encoder).batch
    times = max(CROP**2 // crop**2, 1) if recipe(model.encoder).small_patches else 1
    wanted = min(times * usual, LARGEST_BATCH)  # plain: a multiple of 8, so 2, 4 and 8 devices can share it
    number = _halve_until(lambda number: _fits(facts, model, crop, number, gib), wanted, SMALLEST_BATCH)
    if number < wanted:
        return number, _memory(gib)
    return number, "small patches: more of them in a step" if number > usual else "more would mean fewer steps"


def _smallest_crop(depth: int) -> int:
    """At the bottom a patch needs more than one pixel, since a single one normalises to 0."""
    return max(2 * 2**depth, SMALLEST_CROP)


def _fits(facts: Facts, model: PlannedModel, crop: int, batch: int, gib: float) -> bool:
    return peak_bytes(TrainingSize.of(facts, model, crop=crop, batch=batch)) <= gib * GIB


def _halve_until(fits: Callable[[int], bool], wanted: int, smallest: int, step: int = 1) -> int:
    """The first of `wanted`, half of it and so on that fits, as a multiple of `step`; at least `smallest`."""
    while wanted > smallest and not fits(wanted):
        wanted = max(wanted // 2 // step * step, smallest)
    return wanted


def _memory(gib: float) -> str:
    return f"less than usual, to stay below train.memory_gib ({gib:g})"
