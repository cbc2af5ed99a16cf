"""The rules of the plan: each setting that is `auto` in params.yaml, as a value and the reason for it.

Size of crops and batches, width, depth and rate were tried on three data sets, the size of parts on a made one:
benchmarks/recipe.md. The other numbers are judgement, said beside each. No rule looks at the machine, so that a plan is
the same everywhere; memory is a parameter, `train.memory_gib`.
"""

import math
from collections.abc import Callable

import numpy as np

from src.plan.facts import Facts
from src.plan.memory import GIB, SMALLEST_BATCH, SMALLEST_CROP, Settings, peak_bytes

CROP = 96  # pixels: in equal time smaller crops are more steps, and more of them begin on a rare class
BOTTOM = 6  # pixels that are left of a crop's side at the bottom of the network
DEEPEST = 4  # the deepest that was tried, and for crops set by hand the limit, too
PART = 0.5  # of a crop's side: parts of that size it shows whole, with what is around them
KEPT = 4  # pixels that the smallest parts need to be seen: of a strip, twice its width
WORTH = 0.75  # of the resolution: what would leave more of it is not worth losing detail
LONGEST = 2.0  # times as long as wide: such images are not squeezed into squares
RESIZED = 2048  # pixels: side up to which that is done, since all of a resized image lies in memory
WIDTH = 16  # filters: the width at which two cores learn most in minutes
EXPOSURE = 10.0  # see `Facts.exposure`; far more than sets of one kind of microscope, camera or satellite have
RARE = 0.5  # share of crops that are centred on a rare class
BATCH = 8  # crops of `CROP`; of smaller ones as many more as fill the same pixels, so that the processor has work
LARGEST_BATCH = 64
PASSES = 30  # how often training looks at each pixel
FEWEST_STEPS, MOST_STEPS = 1_000, 20_000  # tiny sets need that many to learn anything; more is worth deciding on
MOST_EPOCHS = 20  # validations: enough to draw a curve
FEWEST_VALIDATED = 16  # images: fewer tell too little of the others
VALIDATION = 0.15  # share of the work of training that validation may cost
ROUNDING = 1e-6
PREDICTING = 1 / 3  # the work of predicting and scoring a pixel, in that of training on it
SCORING = 0.04  # that of resizing and scoring one of an image that the network is shown smaller
RATE = 2e-3  # of Adam at `BATCH`; goes with the root of the batch (Malladi et al., https://arxiv.org/abs/2205.10287)
TUNING = 0.25  # share of it where training begins from earlier weights
WARMUP, WARMUP_STEPS = 0.05, 50  # the larger of both


def normalise(facts: Facts) -> tuple[str, str]:
    between = f"mean intensities differ between images by {facts.exposure:.1f} times what they do within one"
    return ("image", f"{between}: exposures cannot be compared") if facts.exposure > EXPOSURE else ("dataset", between)


def resize(facts: Facts, crop: int | str) -> tuple[int, str]:
    """So small that a crop shows typical parts whole; 0 where it nearly does.

    Typical are those of the class in the middle; where that would leave others fewer than `KEPT` pixels, the smallest.
    """
    sizes = sorted((size, name) for name, size in facts.parts.items() if math.isfinite(size))
    if not sizes:
        return 0, "no class has a border in the masks"
    shown = CROP if isinstance(crop, str) else crop

    def whole(size: float) -> int:
        return max(round(shown * PART / size / 2**DEEPEST) * 2**DEEPEST, shown)

    (smallest, _), typical = sizes[0], sizes[len(sizes) // 2]
    size, name = typical if smallest * whole(typical[0]) >= KEPT else sizes[0]
    parts, wanted = f"parts of {name} are about {size * facts.side:.0f} pixel(s) wide", whole(size)
    if wanted > facts.side * WORTH:
        return 0, parts
    if wanted > RESIZED:
        return 0, f"{parts}; set it by hand if images of {wanted} pixels may lie in memory whole"
    if np.median([max(sides) / min(sides) for sides in facts.trained]) > LONGEST:
        return 0, f"{parts}, but the images too long for squares"
    return wanted, f"{parts}: so small, a crop shows them whole, and what is around them"


def rare(facts: Facts) -> tuple[float, str]:
    names = ", ".join(facts.rare)
    return (RARE, f"rare: {names}") if facts.rare else (0.0, "no class is rare: crops lie anywhere")


def depth(facts: Facts, crop: int | str) -> tuple[int, str]:
    """The deepest that leaves `BOTTOM` pixels of a crop, and that its side can be halved to."""
    side = min(facts.side, CROP) if isinstance(crop, str) else crop
    halved = max(1, min(DEEPEST, int(math.log2(max(side / BOTTOM, 1)))))
    while isinstance(crop, int) and halved > 1 and crop % 2**halved:
        halved -= 1
    return halved, f"a crop must leave about {BOTTOM} pixels at the bottom, at most {DEEPEST} levels down"


def filters(facts: Facts, depth: int, gib: float) -> tuple[int, str]:
    width = _halved(WIDTH, 4, lambda width: _fits(facts, gib, width, depth, _least(depth), SMALLEST_BATCH))
    return width, _memory(gib) if width < WIDTH else "learns most in minutes; wider networks need longer trainings"


def crop(facts: Facts, filters: int, depth: int, gib: float) -> tuple[int, str]:
    """As large as the images, but at most `CROP`; whatever is set is a multiple of 2 ** depth."""
    step = 2**depth
    wanted = max(-(-min(facts.side, CROP) // step) * step, _least(depth))
    side = _halved(wanted, _least(depth), lambda side: _fits(facts, gib, filters, depth, side, SMALLEST_BATCH), step)
    typical = f"the median image's shorter side is {facts.side}"
    if side < wanted:
        return side, _memory(gib)
    return side, typical if side >= facts.side else f"{typical}; many small crops teach more than few large ones"


def batch(facts: Facts, filters: int, depth: int, crop: int, gib: float) -> tuple[int, str]:
    wanted = min(max(CROP**2 // crop**2, 1) * BATCH, LARGEST_BATCH)  # so that 2, 4 and 8 devices can share it
    number = _halved(wanted, SMALLEST_BATCH, lambda number: _fits(facts, gib, filters, depth, crop, number))
    if number < wanted:
        return number, _memory(gib)
    return number, "small crops: more of them a step" if number > BATCH else "more would mean fewer steps"


def steps(facts: Facts, crop: int, batch: int, epochs: int | str) -> tuple[int, str]:
    whole = MOST_EPOCHS if isinstance(epochs, str) else epochs
    wanted = PASSES * facts.pixels / (batch * crop**2)
    number = max(int(min(max(wanted, FEWEST_STEPS), MOST_STEPS)) // whole, 1) * whole
    passes = number * batch * crop**2 / facts.pixels
    return number, f"each of {facts.pixels / 1e6:,.1f} million pixels is seen about {passes:,.1f} times"


def validated(facts: Facts, pixels: int, epochs: int | str) -> tuple[int, str]:
    """All images, or as many as `VALIDATION` allows. pixels: that are trained on, in all steps together."""
    there, times = len(facts.validated), MOST_EPOCHS if isinstance(epochs, str) else epochs
    number = min(max(int(VALIDATION * pixels / times / _validation(facts, 1)), FEWEST_VALIDATED), there)
    return number, "all there are" if number == there else f"of {there:,}: enough to choose by, and soon looked at"


def epochs(facts: Facts, pixels: int, steps: int, validated: int) -> tuple[int, str]:
    """As many as `VALIDATION` allows. pixels: as in `validated`."""
    number = most_epochs(facts, pixels, steps, validated)
    share = number * _validation(facts, validated) / pixels
    return number, f"validation takes about {share:.0%} of the work of training"


def most_epochs(facts: Facts, pixels: int, steps: int, validated: int) -> int:
    """How often so many steps may be interrupted to validate so many images; more steps never less often."""
    allowed = VALIDATION * pixels / _validation(facts, validated)
    return max(int(min(allowed + ROUNDING, MOST_EPOCHS, steps)), 1)


def _validation(facts: Facts, images: int) -> float:
    """The work of validating so many images once, in pixels that are trained on."""
    shown = sum(height * width for height, width in map(facts.shown, facts.validated))
    own = sum(height * width for height, width in facts.validated) if facts.resize else 0
    return (PREDICTING * shown + SCORING * own) * min(images, len(facts.validated)) / len(facts.validated)


def lr(batch: int, initial: bool) -> tuple[float, str]:
    rate = RATE * math.sqrt(batch / BATCH) * (TUNING if initial else 1)
    why = f"{RATE:g} for a batch of {BATCH}, with the root of the batch"
    return min(
        float(f"{rate:.2g}"), 1.0
    ), f"{why}; a quarter of it for weights that are trained already" if initial else why


def warmup(steps: int) -> tuple[float, str]:
    share = min(max(WARMUP, WARMUP_STEPS / steps), 0.5)
    return float(f"{share:.2g}"), f"{share * steps:.0f} steps"


def _least(depth: int) -> int:
    """The smallest crop: of a single pixel at the bottom, nothing would be left when it is normalised."""
    return max(2 * 2**depth, SMALLEST_CROP)


def _fits(facts: Facts, gib: float, filters: int, depth: int, crop: int, batch: int) -> bool:
    return peak_bytes(Settings.of(facts, filters=filters, depth=depth, crop=crop, batch=batch)) <= gib * GIB


def _halved(wanted: int, least: int, fits: Callable[[int], bool], step: int = 1) -> int:
    """`wanted`, or half of it, and so on, the first that fits, else `least`; multiples of `step`."""
    while wanted > least and not fits(wanted):
        wanted = max(wanted // 2 // step * step, least)
    return wanted


def _memory(gib: float) -> str:
    return f"less than usual, to stay below train.memory_gib ({gib:g})"
