"""Rules of the course of training: loss, steps, validations and learning rate."""

import math

from src.params import Model
from src.plan.facts import Facts
from src.plan.rules.recipe import RATE, OrAuto, recipe

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


def class_weights(facts: Facts) -> tuple[str, str]:
    """Choose train.loss.class_weights: by the root of the shares if there are two or more rare classes.

    A single one is in many of the patches already, by data.oversample_rare; with that, class weights changed the Dice
    of Blue Marble by less than the noise of seeds (benchmarks/recipe.md).

    Args:
        facts: The facts of the training.
    """
    if facts.overlap:
        return "none", "classes overlap: each has a yes or no of its own at every pixel"
    if not facts.rare:
        return "none", "no class is rare: all pixels count the same"
    if len(facts.rare) == 1:
        return "none", f"a single rare class, {facts.rare[0]}: data.oversample_rare is enough"
    return "root", f"rare: {', '.join(facts.rare)}; without weights they are learned late"


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


def lr(batch: int, model: Model, initial: bool, encoder_rate: float) -> tuple[float, str]:
    """Choose train.lr: that of the recipe, or a quarter of it for trained weights.

    It is scaled with the root of the batch (Malladi et al., https://arxiv.org/abs/2205.10287).

    Args:
        batch: train.batch.
        model: The section `model`.
        initial: Whether training starts from earlier weights.
        encoder_rate: train.encoder_rate.
    """
    slow_encoder = (initial or model.weights_file is not None) and encoder_rate < 1
    usual = recipe(model.encoder).rate if slow_encoder else RATE
    usual_batch = recipe(model.encoder).batch
    rate = usual * math.sqrt(batch / usual_batch) * (TUNING if initial else 1)
    why = f"{usual:g} for a batch of {usual_batch}, scaled with the root of the batch"
    why = f"{why}; a quarter of it for weights that are trained already" if initial else why
    return min(float(f"{rate:.2g}"), 1.0), why


def warmup(steps: int) -> tuple[float, str]:
    """Choose train.warmup: `WARMUP` of the steps, or `WARMUP_STEPS` if that is more, at most half of them."""
    share = min(max(WARMUP, WARMUP_STEPS / steps), 0.5)
    return float(f"{share:.2g}"), f"{share * steps:.0f} steps"
