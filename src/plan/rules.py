"""The rules of the plan: the value of each setting that is `auto` in params.yaml, and the reason for it.

Size of patches and batches, width, depth and learning rate were tried on three data sets, the size of parts on a
synthetic one, see benchmarks/recipe.md. The other constants are judgement, with a reason beside each. No rule looks at
the machine, so a plan is the same everywhere; memory is a setting, `train.memory_gib`.

Every rule returns the value and the reason.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from src import encoders
from src.data.crops.normalise import UNLIKE
from src.params import Encoder, Model, PlannedModel
from src.plan.facts import Facts
from src.plan.memory import GIB, SMALLEST_BATCH, SMALLEST_CROP, TrainingSize, peak_bytes

CROP = 96  # pixels: in equal time, smaller patches allow more steps, and more of them are centred on a rare class
BOTTOM = 6  # pixels of a patch's side that remain at the bottom of the network
DEEPEST = 4  # the deepest network that was tried; also the limit for patches set by hand
PART = 0.5  # of a patch's side: the patch shows parts of this size whole, with their surroundings
VISIBLE = 4  # pixels that the smallest parts must keep to be seen; for a strip, twice its width
WORTH = 0.75  # of the resolution: a smaller reduction is not worth the loss of detail
RESIZED = 2048  # pixels: largest shorter side that is chosen, since a scaled image lies in memory as a whole
WIDTH = 16  # filters: the width with which two cores learn most in minutes
EXPOSURE = 10.0  # see `exposure`; far more than in images of one kind of microscope, camera or satellite
RARE = 0.5  # share of patches that are centred on a rare class
BATCH = 8  # patches of side `CROP`; smaller patches come in batches of the same number of pixels, up to LARGEST_BATCH
LARGEST_BATCH = 64
PASSES = 30  # how often training sees each pixel
FEWEST_STEPS, MOST_STEPS = 1_000, 20_000  # small sets need that many to learn; more should be a decision of the user
MOST_EPOCHS = 20  # validations: enough for a curve
FEWEST_VALIDATED = 16  # images: fewer say too little about the others
VALIDATION = 0.15  # largest cost of validation, as a share of the work of training
ROUNDING = 1e-6
PREDICTING = 1 / 3  # work of predicting and scoring a pixel, relative to training on it
SCORING = 0.04  # work of resampling and scoring a pixel of an image that the network sees scaled, relative to training
TUNING = 0.25  # factor of the learning rate where training starts from earlier weights
WARMUP, WARMUP_STEPS = 0.05, 50  # share of the steps, and steps; the larger one counts

OrAuto = int | Literal["auto"]


@dataclass(frozen=True)
class Recipe:
    """Constants that depend on the encoder.

    Attributes:
        crop: Largest side of a patch in pixels.
        deepest: The deepest network.
        batch: Patches in a batch.
        rate: Learning rate of Adam for this batch. It is scaled with the root of the batch (Malladi et al.,
            https://arxiv.org/abs/2205.10287).
        small_patches: Whether batches of small patches hold more of them.
    """

    crop: int
    deepest: int
    batch: int
    rate: float
    small_patches: bool


PLAIN = Recipe(CROP, DEEPEST, BATCH, 2e-3, small_patches=True)
# On photographs of streets, 1,040 steps with 4 patches taught more than 520 with 8 (benchmarks/recipe.md).
PRETRAINED = Recipe(256, encoders.DEEPEST, 4, 5e-3, small_patches=False)


def recipe(encoder: Encoder) -> Recipe:
    """Return the constants for an encoder."""
    return PLAIN if encoder == "plain" else PRETRAINED


def no_encoder_scaling(facts: Facts, model: Model) -> str:
    """Return why images cannot be scaled as the weights of an encoder expect; "" if they can.

    Args:
        facts: The facts of the training.
        model: The section `model`.
    """
    if model.encoder == "plain":
        return "the plain encoder has no such weights"
    return "images of float numbers have no fixed range" if facts.dtype == "float32" else ""


def normalise(facts: Facts, model: Model) -> tuple[str, str]:
    """Choose data.normalise: as the encoder's weights expect; else by image if exposures differ too much.

    The weights are those of the initial network if there is one. Those of model.weights are not used then. Weights of
    model.weights have seen photographs, so images that would be nearly black to them are standardised.

    Args:
        facts: The facts of the training.
        model: The section `model`.
    """
    pretrained = facts.initial.encoder_scaling if facts.initial else model.weights_file is not None
    dark = facts.initial is None and facts.used_range < 1 / UNLIKE
    if pretrained and not dark and not no_encoder_scaling(facts, model):
        return "encoder", f"as the weights of {model.encoder} expect"
    between = f"mean intensities differ between images by {facts.exposure:.1f} times what they differ within one"
    if facts.exposure > EXPOSURE:
        return "image", f"{between}: exposures cannot be compared"
    if pretrained and dark:
        used = f"images use about {100 * facts.used_range:.2g} % of the range of {facts.dtype}"
        return "dataset", f"{used}: scaled as the weights of {model.encoder} expect, they would be nearly black"
    return "dataset", between


def resize(facts: Facts, crop: OrAuto, encoder: Encoder) -> tuple[int, str]:
    """Choose data.resize: a shorter side at which a patch shows typical parts whole; 0 where it nearly does already.

    Typical are the parts of the class with the median size. If they would leave other parts fewer than `VISIBLE`
    pixels, the smallest parts decide.

    Args:
        facts: The facts of the training.
        crop: data.crop.
        encoder: model.encoder.
    """
    sizes = sorted((size, name) for name, size in facts.parts.items() if math.isfinite(size))
    if not sizes:
        return 0, "no class has a border in the masks"
    patch, multiple = recipe(encoder).crop if crop == "auto" else crop, 2 ** recipe(encoder).deepest

    def fitting_side(size: float) -> int:
        return max(round(patch * PART / size / multiple) * multiple, patch)

    (smallest, _), typical = sizes[0], sizes[len(sizes) // 2]
    size, name = typical if smallest * fitting_side(typical[0]) >= VISIBLE else sizes[0]
    pixels, wanted = round(size * facts.side), fitting_side(size)
    parts = f"parts of {name} are about {pixels} pixel{'' if pixels == 1 else 's'} wide"
    if wanted > facts.side * WORTH:
        return 0, parts
    if wanted > RESIZED:
        return 0, f"{parts}; set it by hand if images with a shorter side of {wanted} pixels fit into memory"
    return wanted, f"{parts}: at this size a patch shows them whole, with their surroundings"


def rare(facts: Facts) -> tuple[float, str]:
    """Choose data.oversample_rare: `RARE` if there is a rare class."""
    names = ", ".join(facts.rare)
    return (RARE, f"rare: {names}") if facts.rare else (0.0, "no class is rare: patches lie anywhere")


def class_weights(facts: Facts) -> tuple[str, str]:
    """Choose train.loss.class_weights: by the root of the shares if there is a rare class among more than two.

    Of two classes, a threshold that is fitted in the end decides how often the rare one is predicted.

    Args:
        facts: The facts of the training.
    """
    if not facts.rare:
        return "none", "no class is rare: all pixels count the same"
    if len(facts.classes) == 2:
        return "none", "of two classes; train.decisions.threshold decides how often the rare one is predicted"
    return "root", f"rare: {', '.join(facts.rare)}; without weights they are learned late"


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


def steps(facts: Facts, crop: int, batch: int, epochs: OrAuto) -> tuple[int, str]:
    """Choose train.steps: `PASSES` over all pixels, within limits, as a multiple of the epochs.

    Args:
        facts: The facts of the training.
        crop: data.crop.
        batch: train.batch.
        epochs: train.epochs.
    """
    parts = MOST_EPOCHS if epochs == "auto" else epochs
    wanted = PASSES * facts.pixels / (batch * crop**2)
    number = max(int(min(max(wanted, FEWEST_STEPS), MOST_STEPS)) // parts, 1) * parts
    passes = number * batch * crop**2 / facts.pixels
    times = f"{passes:,.0f}" if passes >= 10 else f"{passes:.1f}"
    return number, f"each of {facts.pixels / 1e6:,.1f} million pixels is seen about {times} times"


def validation_images(facts: Facts, pixels: int, epochs: OrAuto) -> tuple[int, str]:
    """Choose train.validation_images: all, or as many as `VALIDATION` allows.

    Args:
        facts: The facts of the training.
        pixels: The number of pixels in all patches of the training.
        epochs: train.epochs.
    """
    available, times = len(facts.validation_sizes), MOST_EPOCHS if epochs == "auto" else epochs
    number = min(max(int(VALIDATION * pixels / times / _validation_work(facts, 1)), FEWEST_VALIDATED), available)
    if number == available:
        return number, "all there are"
    return number, f"of {available:,}: enough to choose an epoch by, and quickly predicted"


def epochs(facts: Facts, pixels: int, steps: int, images: int) -> tuple[int, str]:
    """Choose train.epochs: as many as `VALIDATION` allows.

    Args:
        facts: The facts of the training.
        pixels: The number of pixels in all patches of the training.
        steps: train.steps.
        images: train.validation_images.
    """
    number = most_epochs(facts, pixels, steps, images)
    share = number * _validation_work(facts, images) / pixels
    return number, f"validation takes about {100 * share:.0f} % of the work of training"


def most_epochs(facts: Facts, pixels: int, steps: int, images: int) -> int:
    """Return how many validations `VALIDATION` allows, from 1 to `MOST_EPOCHS`. More steps never allow fewer.

    Args:
        facts: The facts of the training.
        pixels: The number of pixels in all patches of the training.
        steps: train.steps.
        images: train.validation_images.
    """
    allowed = VALIDATION * pixels / _validation_work(facts, images)
    return max(int(min(allowed + ROUNDING, MOST_EPOCHS, steps)), 1)


def _validation_work(facts: Facts, images: int) -> float:
    """The work of validating so many images once, in pixels that could be trained on with the same work."""
    seen = sum(height * width for height, width in map(facts.network_size, facts.validation_sizes))
    own = sum(height * width for height, width in facts.validation_sizes) if facts.resize else 0
    available = len(facts.validation_sizes)
    return (PREDICTING * seen + SCORING * own) * min(images, available) / available


def lr(batch: int, encoder: Encoder, initial: bool) -> tuple[float, str]:
    """Choose train.lr: that of the recipe, scaled with the root of the batch; a quarter of it for trained weights.

    Args:
        batch: train.batch.
        encoder: model.encoder.
        initial: Whether training starts from earlier weights.
    """
    usual, usual_batch = recipe(encoder).rate, recipe(encoder).batch
    rate = usual * math.sqrt(batch / usual_batch) * (TUNING if initial else 1)
    why = f"{usual:g} for a batch of {usual_batch}, scaled with the root of the batch"
    why = f"{why}; a quarter of it for weights that are trained already" if initial else why
    return min(float(f"{rate:.2g}"), 1.0), why


def warmup(steps: int) -> tuple[float, str]:
    """Choose train.warmup: `WARMUP` of the steps, or `WARMUP_STEPS` if that is more, at most half of them."""
    share = min(max(WARMUP, WARMUP_STEPS / steps), 0.5)
    return float(f"{share:.2g}"), f"{share * steps:.0f} steps"


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
