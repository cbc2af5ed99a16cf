"""How much memory a training needs at its peak, how much there is, and what would fit if it is too little.

The estimate counts what the network's structure demands, and adds what the framework needs beside it (BASE, WORKSPACE
and the other constants below), fitted on one processor to the peaks of short trainings: `python -m benchmarks.memory`
sets it beside them. There it lay 3 to 21 % above them, rather too high than too low. It is about processors: a GPU's
needs were not measured, and there TensorFlow itself ends a training that does not fit.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

from src.data.crops.sampling import AHEAD
from src.errors import UserError
from src.params import Precision
from src.plan.facts import Facts
from src.plan.tiles import TILE, tile_pixels

MIB, GIB = 2**20, 2**30
FLOAT = 4  # bytes of a float32
BASE = 880 * MIB  # the process with TensorFlow loaded and the graph built; half of it are pages of the libraries
WEIGHT_COPIES = 6  # weights, gradients, Adam's two moments, the best epoch's weights, and one in passing
# Values a pixel and filter at full resolution:
WORKSPACE = 7  # of the gradients alive at the peak, as float32: measured to be as many bytes where they are bfloat16
FORWARD = 7  # that prediction holds: the skip, what has grown, the two joined, and what the allocator cannot use again
# Values a pixel and class, as float32:
LOSS = 6  # labels, probabilities, their products, gradients, one-hot predictions; those alive together
# What is suggested at the least:
SMALLEST_CROP = 16  # as in params.py
SMALLEST_BATCH = 2  # batch normalisation over a single crop learns poorly


@dataclass(frozen=True)
class Settings:
    """What the memory of a training depends on.

    crop, height, width: in pixels, the latter of the image that takes most memory in validation, as the network is
    shown it; scored: pixels of an image's own resolution that are scored together at most; activation: bytes of a value
    between two layers, 2 for bfloat16 and 4 for float32.
    """

    filters: int
    depth: int
    crop: int
    batch: int
    channels: int
    classes: int
    activation: int
    height: int
    width: int
    scored: int

    @classmethod
    def of(
        cls, facts: Facts, *, filters: int, depth: int, crop: int, batch: int, precision: Precision = "float32"
    ) -> Self:
        """Of a training; unless the arithmetic is known, of the one that takes most."""
        height, width = max(map(facts.shown, facts.validated), key=lambda size: tile_pixels(size[0], size[1], depth))
        scored = min(max(height * width for height, width in facts.validated), TILE**2)
        activation = FLOAT if precision == "float32" else FLOAT // 2
        classes = len(facts.classes)
        return cls(filters, depth, crop, batch, facts.channels, classes, activation, height, width, scored)


def refuse_what_cannot_fit(settings: Settings, free: int | None, gib: float) -> str:
    """The peak in words; `UserError` if more is needed than the `free` bytes (None: not known) or train.memory_gib."""
    needed, allowed = peak_bytes(settings), int(gib * GIB)
    for limit, words in ((allowed, f"train.memory_gib allows {gib:g} GiB"), (free, "{} are free")):
        if limit is not None and needed > limit:
            advice = what_would_fit(settings, limit)
            less = "; so would auto settings with a lower train.memory_gib" if limit == free else ""
            raise UserError(f"training needs about {in_gib(needed)}, {words.format(in_gib(limit))}: {advice}{less}")
    return f"about {in_gib(needed)} of memory at the peak"


def what_would_fit(settings: Settings, available: int) -> str:
    """The one setting that would do, at its largest: a smaller train.batch, else data.crop, else model.filters."""
    step = 2**settings.depth
    smallest_crop = max(SMALLEST_CROP, 2 * step)  # at the bottom more than a pixel, or it normalises to 0
    choices = {
        "train.batch": range(settings.batch - 1, SMALLEST_BATCH - 1, -1),
        "data.crop": range(settings.crop - step, smallest_crop - 1, -step),
        "model.filters": range(settings.filters - 1, 0, -1),
    }
    for setting, values in choices.items():
        name = setting.rpartition(".")[2]
        for value in values:
            if peak_bytes(replace(settings, **{name: value})) <= available:
                return f"{setting}: {value} would fit (now {getattr(settings, name)})"
    return "no smaller train.batch, data.crop or model.filters alone would fit: lower several of them, or model.depth"


def in_gib(size: int) -> str:
    """Bytes in words: "1.9 GiB"."""
    return f"{size / GIB:.1f} GiB"


def peak_bytes(settings: Settings) -> int:
    """The most that the process needs: in a training step, or where it validates if that is more."""
    copies = WEIGHT_COPIES * FLOAT * parameters(settings)
    return BASE + copies + batches_bytes(settings) + max(step_bytes(settings), validation_bytes(settings))


def parameters(settings: Settings) -> int:
    """Weights of `build_unet`, but for the few that are no kernels or norms."""
    widths = [settings.filters * 2**level for level in range(settings.depth + 1)]  # the last: of the bottom
    outputs = 1 if settings.classes == 2 else settings.classes
    down = sum(9 * before * width + 9 * width**2 for before, width in pairwise([settings.channels, *widths]))
    up = sum(4 * 2 * width**2 + 9 * 2 * width**2 + 9 * width**2 for width in widths[:-1])  # grow, 3 × 3 twice
    norms = 8 * (sum(widths) + sum(widths[:-1]))  # two a block, of four values a channel
    return down + up + norms + outputs * settings.filters


def batches_bytes(settings: Settings) -> int:
    """Batches of float32 images and uint8 masks: made ahead, being made (crops and their stack), and in use (twice)."""
    pixels = settings.batch * settings.crop**2
    return (AHEAD + 4) * pixels * (settings.channels * FLOAT + 1)


def step_bytes(settings: Settings) -> int:
    """A training step, beside the weights: what the backward pass needs of the forward one, and its own tensors.

    The peak is where the backward pass begins: nothing of the forward pass is given back yet.
    """
    pixels = settings.batch * settings.crop**2
    workspace = WORKSPACE * FLOAT * settings.filters * pixels
    supervised = loss_bytes(settings, pixels) // 3  # at lower resolutions, ¼ + 1/16 … of the pixels: at most
    return kept_values(settings) * settings.activation + workspace + loss_bytes(settings, pixels) + supervised


def kept_values(settings: Settings) -> int:
    """Values that the forward pass keeps for the backward one.

    Of each convolution its output, which the normalisation needs, and that of the ReLU, which the next convolution
    needs; on the way down what was pooled, on the way up the skip joined to what has grown. The outputs of the
    normalisations and of the transposed convolutions are not needed.
    """
    values = 0
    for level in range(settings.depth + 1):
        pixels = settings.batch * (settings.crop // 2**level) ** 2
        width = settings.filters * 2**level
        block = 2 * 2 * width * pixels
        values += block if level == settings.depth else 2 * block + width * pixels // 4 + 2 * width * pixels
    return values


def loss_bytes(settings: Settings, pixels: int) -> int:
    """The loss and the confusion are computed in float32 at full resolution, for two classes as for two channels."""
    return LOSS * FLOAT * settings.classes * pixels


def validation_bytes(settings: Settings) -> int:
    """The largest tile of an image, then its loss: the network's tensors are given back before."""
    pixels = tile_pixels(settings.height, settings.width, settings.depth)
    forward = (FORWARD * settings.activation * settings.filters + 3 * FLOAT * settings.channels) * pixels
    return max(forward, loss_bytes(settings, settings.scored))
