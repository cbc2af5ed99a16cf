"""The names of the U-Net's layers. Saved models hold them, so they must stay as they are."""

IMAGE = "image"  # the input
BOTTOM = "bottom"  # the block at the lowest resolution
LOGITS_CONVOLUTION = "logits_conv"  # the 1 × 1 convolution with one filter for each output
LOGITS = "logits"  # the output, float32
PARTS = "ab"  # the two convolutions of a block


def encoder(level: int) -> str:
    """The encoder's block at a level; level 0 has the images' own resolution."""
    return f"down{level}"


def decoder(level: int) -> str:
    """The decoder's block at a level."""
    return f"up{level}"


def convolution(block: str, part: str) -> str:
    """A 3 × 3 convolution.

    Args:
        block: name of an encoder or decoder block, or `BOTTOM`.
        part: one of `PARTS`.
    """
    return f"{block}_conv_{part}"


def normalisation(block: str, part: str) -> str:
    """The batch normalisation after a convolution.

    Args:
        block: as in `convolution`.
        part: as in `convolution`.
    """
    return f"{block}_norm_{part}"


def activation(block: str, part: str) -> str:
    """The ReLU after a convolution.

    Args:
        block: as in `convolution`.
        part: as in `convolution`.
    """
    return f"{block}_relu_{part}"


def pool(level: int) -> str:
    """The max-pooling from a level to the next lower one."""
    return f"{encoder(level)}_pool"


def upsampling(level: int) -> str:
    """The transposed convolution that leads up to a level."""
    return f"{decoder(level)}_grow"


def skip(level: int) -> str:
    """The concatenation of a level's encoder output with the upsampled features."""
    return f"{decoder(level)}_skip"


LAST_BLOCK = convolution(decoder(0), PARTS[0])  # a convolution with model.filters filters
