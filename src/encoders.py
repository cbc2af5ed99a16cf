"""Facts on the encoders that model.encoder names: what their ImageNet weights expect, and sizes. No TensorFlow."""

from collections.abc import Mapping
from dataclasses import dataclass

from src.params import Encoder

DEEPEST = 5  # how often the pretrained encoders halve the resolution
IMAGENET_MEAN, IMAGENET_STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # of its pixels, 0 to 255, RGB


@dataclass(frozen=True)
class EncoderFacts:
    """Facts on a pretrained encoder.

    Attributes:
        mean: What is subtracted from the red, green and blue intensities, which lie between 0 and 255.
        std: What they are divided by afterwards.
        features: Channels of the features at the strides 1, 2, 4, 8, 16 and 32; 0: the image itself.
        parameters: Weights of the encoder for images of three channels, in millions.
        kept: Values that a training step keeps of the encoder for each pixel of a patch: the outputs of convolutions
            and of the activations after them, of sums, products, pooling and padding.
        widest: Most values of one layer for each pixel of a patch.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    features: tuple[int, int, int, int, int, int]
    parameters: float
    kept: int
    widest: int


ENCODERS: Mapping[Encoder, EncoderFacts] = {
    "efficientnet_lite0": EncoderFacts((127.5,) * 3, (127.5,) * 3, (0, 16, 24, 40, 112, 320), 3.0, 270, 24),
    "mobilenet_v2": EncoderFacts((127.5,) * 3, (127.5,) * 3, (0, 16, 24, 32, 96, 320), 1.84, 307, 24),
    "efficientnet_b0": EncoderFacts(IMAGENET_MEAN, IMAGENET_STD, (0, 16, 24, 40, 112, 320), 3.63, 361, 24),
    "resnet50": EncoderFacts((123.68, 116.779, 103.939), IMAGENET_STD, (0, 64, 256, 512, 1024, 2048), 23.59, 556, 16),
    "vgg16": EncoderFacts((123.68, 116.779, 103.939), IMAGENET_STD, (64, 128, 256, 512, 512, 512), 14.71, 570, 64),
}


def encoder_features(encoder: Encoder, filters: int, depth: int, channels: int) -> list[int]:
    """Return the channels of an encoder's features at the strides 1, 2, … 2 ** depth.

    Args:
        encoder: model.encoder.
        filters: model.filters, which the plain encoder depends on.
        depth: model.depth.
        channels: Channels of the images.
    """
    if encoder == "plain":
        return [filters * 2**level for level in range(depth + 1)]
    return [number or channels for number in ENCODERS[encoder].features[: depth + 1]]
