"""Estimate how much memory a training needs at its peak, and suggest what would fit if that is too much.

The estimate counts what the structure of the network demands and adds what the framework needs (BASE, WORKSPACE and the
other constants below). These constants were fitted on one processor to the peaks of short trainings. The estimates were
3 to 21 % above the measured peaks, before the copies in a checkpoint were counted; `python -m benchmarks.memory`
repeats the comparison. All of this is about CPUs. A
GPU's needs were not measured; there TensorFlow itself ends a training that does not fit.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from src.data.crops.sampling import AHEAD
from src.encoders import ENCODERS, encoder_features
from src.errors import UserError
from src.params import Encoder, PlannedModel, Precision
from src.plan.facts import Facts
from src.plan.tiles import TILE, tile_pixels

NORMALISATION = 8  # weights of the two normalisations of a block, for each filter
MIB, GIB = 2**20, 2**30
FLOAT = 4  # bytes of a float32
BASE = 880 * MIB  # a process with TensorFlow loaded and the graph built; half of it are pages of the libraries
# Weights, gradients, Adam's two moments, the best epoch's weights and a temporary copy; and as much as four of them, as
# measured with resnet50, while a checkpoint is saved:
WEIGHT_COPIES = 6 + 4
# Values per pixel and filter at full resolution:
WORKSPACE = 7  # gradients alive at the peak, as float32; with bfloat16 as many bytes were measured
FORWARD = 7  # in prediction: skip, upsampled features, both concatenated, and what the allocator cannot reuse
# Values per pixel and class, as float32:
LOSS = 6  # labels, probabilities, products, gradients and one-hot predictions that are alive together
# The smallest values that are suggested:
SMALLEST_CROP = 16  # as in params.py
SMALLEST_BATCH = 2  # batch normalisation over a single patch learns poorly


@dataclass(frozen=True)
class TrainingSize:
    """The numbers on which the memory of a training depends.

    Attributes:
        encoder: model.encoder.
        filters: model.filters.
        depth: model.depth.
        crop: Side of a patch in pixels.
        batch: Patches in a batch.
        channels: Channels of the images.
        classes: Number of classes.
        activation: Bytes of a value between two layers: 2 for bfloat16 and float16, 4 for float32.
        height: Height in pixels of the validation image that takes most memory, in the size that the network sees.
        width: Width of that image.
        scored: Most pixels, at an image's own resolution, that are scored together.
        scaled: Pixels of the largest scaled image, which lies in memory as a whole; 0 without data.resize.
    """

    encoder: Encoder
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
    scaled: int = 0

    @classmethod
    def of(cls, facts: Facts, model: PlannedModel, *, crop: int, batch: int, precision: Precision = "float32") -> Self:
        """Collect the numbers of a training.

        Args:
            facts: The facts of the training.
            model: The planned section `model`.
            crop: data.crop.
            batch: train.batch.
            precision: The arithmetic. The default takes most memory.
        """
        depth = model.depth
        height, width = max(
            map(facts.network_size, facts.validation_sizes), key=lambda size: tile_pixels(size[0], size[1], depth)
        )
        scored = min(max(height * width for height, width in facts.validation_sizes), TILE**2)
        activation = FLOAT if precision == "float32" else FLOAT // 2
        classes = len(facts.classes)
        scaled = facts.largest_scaled if facts.resize else 0
        network = (model.encoder, model.filters, depth)
        return cls(*network, crop, batch, facts.channels, classes, activation, height, width, scored, scaled)

    @property
    def features(self) -> list[int]:
        """Channels of the encoder's features at the strides 1, 2, … 2 ** depth."""
        return encoder_features(self.encoder, self.filters, self.depth, self.channels)

    @property
    def widest(self) -> int:
        """Most values of one layer for each pixel of a patch."""
        return self.filters if self.encoder == "plain" else max(self.filters, ENCODERS[self.encoder].widest)


def check_memory(size: TrainingSize, free: int | None, gib: float) -> str:
    """Refuse a training that does not fit into memory.

    Args:
        size: The numbers of the training.
        free: The available bytes of this machine; None if unknown.
        gib: train.memory_gib.

    Returns:
        The estimated peak, in words.

    Raises:
        UserError: The training needs more than is free or allowed. The message suggests a setting that would fit.
    """
    needed, allowed = peak_bytes(size), int(gib * GIB)
    for limit, words in ((allowed, f"train.memory_gib allows {gib:g} GiB"), (free, "{} are free")):
        if limit is not None and needed > limit:
            advice = suggest_setting(size, limit)
            less = "; so would auto settings with a lower train.memory_gib" if limit == free else ""
            raise UserError(
                f"training needs about {format_gib(needed)}, {words.format(format_gib(limit))}: {advice}{less}"
            )
    return f"about {format_gib(needed)} of memory at the peak"


def suggest_setting(size: TrainingSize, available: int) -> str:
    """Find one setting that makes a training fit: the largest train.batch, else data.crop, else model.filters.

    Args:
        size: The numbers of the training.
        available: The available bytes.

    Returns:
        The suggestion, in words.
    """
    step = 2**size.depth
    smallest_crop = max(SMALLEST_CROP, 2 * step)  # a single pixel at the bottom would normalise to 0
    choices = {
        "train.batch": range(size.batch - 1, SMALLEST_BATCH - 1, -1),
        "data.crop": range(size.crop - step, smallest_crop - 1, -step),
        "model.filters": range(size.filters - 1, 0, -1),
    }
    for setting, values in choices.items():
        name = setting.rpartition(".")[2]
        for value in values:
            changed: Mapping[str, Any] = {name: value}  # Any: the type checker sees no names
            if peak_bytes(replace(size, **changed)) <= available:
                return f"{setting}: {value} would fit (now {getattr(size, name)})"
    return "no smaller train.batch, data.crop or model.filters alone would fit: lower several of them, or model.depth"


def format_gib(size: int) -> str:
    """Return a number of bytes as text, such as 1.9 GiB."""
    return f"{size / GIB:.1f} GiB"


def peak_bytes(size: TrainingSize) -> int:
    """Estimate the peak of the process: in a training step, or in validation if that needs more."""
    copies = WEIGHT_COPIES * FLOAT * parameters(size)
    return BASE + copies + batches_bytes(size) + scaled_bytes(size) + max(step_bytes(size), validation_bytes(size))


def parameters(size: TrainingSize) -> int:
    """Count the weights of `build_unet` that belong to kernels and normalisations; the others are few."""
    below, *skips = reversed(size.features)
    widths = [size.filters * 2**level for level in reversed(range(size.depth))]
    # In each block of the decoder: a transposed convolution, then 3 × 3 twice.
    count = size.filters * (1 if size.classes == 2 else size.classes)
    for skip, width in zip(skips, widths, strict=True):
        count += 4 * below * width + 9 * (skip + width) * width + 9 * width**2 + NORMALISATION * width
        below = width
    if size.encoder != "plain":
        return count + round(1e6 * ENCODERS[size.encoder].parameters)
    inputs = [size.channels, *size.features[:-1]]
    pairs = zip(inputs, size.features, strict=True)
    return count + sum(9 * before * width + 9 * width**2 + NORMALISATION * width for before, width in pairs)


def batches_bytes(size: TrainingSize) -> int:
    """Bytes of batches of float32 images and uint8 masks: prepared, in the making (patches, stack) and in use (two)."""
    pixels = size.batch * size.crop**2
    return (AHEAD + 4) * pixels * (size.channels * FLOAT + 1)


def scaled_bytes(size: TrainingSize) -> int:
    """Bytes of a whole scaled image, and in validation of its float32 probabilities, which are resampled afterwards."""
    return size.scaled * FLOAT * (size.channels + size.classes)


def step_bytes(size: TrainingSize) -> int:
    """Bytes of a training step without the weights: what the backward pass needs of the forward pass, and its tensors.

    The peak is at the start of the backward pass, when nothing of the forward pass has been freed.
    """
    pixels = size.batch * size.crop**2
    workspace = WORKSPACE * FLOAT * size.widest * pixels
    supervised = loss_bytes(size, pixels) // 3  # at lower resolutions: 1/4 + 1/16 + … of the pixels, at most a third
    return kept_values(size) * size.activation + workspace + loss_bytes(size, pixels) + supervised


def kept_values(size: TrainingSize) -> int:
    """Count the values that the forward pass keeps for the backward pass.

    These are the output of each convolution, which the normalisation needs, and of each ReLU, which the next
    convolution needs; in the encoder also the pooled features, in the decoder the concatenated ones. The outputs of
    normalisations and of transposed convolutions are not needed. A pretrained encoder counts as in src/encoders.py.
    """
    pixels = size.batch * size.crop**2
    values = 0
    for level, skip in enumerate(size.features[:-1]):
        width = size.filters * 2**level
        values += (skip + width + 4 * width) * pixels // 4**level  # concatenated, then two convolutions
    if size.encoder != "plain":
        return values + ENCODERS[size.encoder].kept * pixels
    for level, width in enumerate(size.features):
        values += 4 * width * pixels // 4**level
        values += width * pixels // 4 ** (level + 1) if level < size.depth else 0  # pooled
    return values


def loss_bytes(size: TrainingSize, pixels: int) -> int:
    """Bytes of the loss and the pixel counts, which are computed in float32 at full resolution.

    Args:
        size: The numbers of the training. Two classes have two channels here.
        pixels: The pixels that are computed together.
    """
    return LOSS * FLOAT * size.classes * pixels


def validation_bytes(size: TrainingSize) -> int:
    """Bytes of validation: the largest tile of an image, or its loss, before which the tile is freed."""
    pixels = tile_pixels(size.height, size.width, size.depth)
    forward = (FORWARD * size.activation * size.widest + 3 * FLOAT * size.channels) * pixels
    return max(forward, loss_bytes(size, size.scored))
