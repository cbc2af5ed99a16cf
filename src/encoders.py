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
        kept: Values that a training step keeps for each pixel of a patch.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    features: tuple[int, int, int, int, int, int]
    parameters: float
    kept: int


ENCODERS: Mapping[Encoder, EncoderFacts] = {
    "efficientnet_lite0": EncoderFacts((127.5,) * 3, (127.5,) * 3, (0, 16, 24, 40, 112, 320), 3.4, 200),
    "mobilenet_v2": EncoderFacts((127.5,) * 3, (127.5,) * 3, (0, 16, 24, 32, 96, 320), 1.8, 200),
    "efficientnet_b0": EncoderFacts(IMAGENET_MEAN, IMAGENET_STD, (0, 16, 24, 40, 112, 320), 3.6, 300),
    "resnet50": EncoderFacts((123.68, 116.779, 103.939), (1.0,) * 3, (0, 64, 256, 512, 1024, 2048), 23.6, 400),
    "vgg16": EncoderFacts((123.68, 116.779, 103.939), (1.0,) * 3, (64, 128, 256, 512, 512, 512), 14.7, 600),
}
