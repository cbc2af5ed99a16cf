"""Constants of the plan that depend on the encoder."""

from dataclasses import dataclass
from typing import Literal

from src import encoders
from src.params import Encoder

OrAuto = int | Literal["auto"]

CROP = 96  # pixels: in equal time, smaller patches allow more steps, and more of them are centred on a rare class
DEEPEST = 4  # the deepest network that was tried; also the limit for patches set by hand
BATCH = 8  # patches of side `CROP`; smaller patches come in batches of the same number of pixels
RATE = 2e-3  # for Adam with the batch of the recipe, if the whole network learns at this rate


@dataclass(frozen=True)
class Recipe:
    """Constants that depend on the encoder.

    Attributes:
        crop: Largest side of a patch in pixels.
        deepest: The deepest network.
        batch: Patches in a batch.
        rate: Learning rate of Adam for this batch, if an encoder that is trained already learns more slowly.
        small_patches: Whether batches of small patches hold more of them.
    """

    crop: int
    deepest: int
    batch: int
    rate: float
    small_patches: bool


PLAIN = Recipe(CROP, DEEPEST, BATCH, RATE, small_patches=True)
# On photographs of streets, many steps with 4 patches of 192 taught more than fewer larger ones (benchmarks/recipe.md).
PRETRAINED = Recipe(192, encoders.DEEPEST, 4, 5e-3, small_patches=False)


def recipe(encoder: Encoder) -> Recipe:
    """Return the constants for an encoder."""
    return PLAIN if encoder == "plain" else PRETRAINED
