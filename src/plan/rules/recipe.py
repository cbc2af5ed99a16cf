"""Constants of the plan that depend on the encoder."""

from dataclasses import dataclass

from src import encoders
from src.params import Encoder

CROP = 96  # pixels: in equal time, smaller patches allow more steps, and more of them are centred on a rare class
DEEPEST = 4  # the deepest network that was tried; also the limit for patches set by hand
BATCH = 8  # patches of side `CROP`; smaller patches come in batches of the same number of pixels, up to LARGEST_BATCH


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
