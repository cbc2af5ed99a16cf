"""EfficientNet-Lite0: EfficientNet-B0 without squeeze-and-excitation, with ReLU6 instead of swish.

Tan and Le, EfficientNet (https://arxiv.org/abs/1905.11946); the Lite variants are those of
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite.
"""

from typing import NamedTuple

from keras import layers

from src.model.network.batch_normalisation import FusedBatchNormalization
from src.model.network.depthwise import DepthwiseConvolution
from src.model.network.tensor import Tensor

STEM = 32  # filters


class Stage(NamedTuple):
    """Some blocks of one width.

    Attributes:
        kernel: side of the depthwise convolutions in pixels.
        stride: of the first block.
        expansion: factor by which a block widens its input before the depthwise convolution.
        filters: of the output.
        blocks: how many.
    """

    kernel: int
    stride: int
    expansion: int
    filters: int
    blocks: int


STAGES = (
    Stage(3, 1, 1, 16, 1),
    Stage(3, 2, 6, 24, 2),
    Stage(5, 2, 6, 40, 2),
    Stage(3, 2, 6, 80, 3),
    Stage(5, 1, 6, 112, 3),
    Stage(5, 2, 6, 192, 4),
    Stage(3, 1, 6, 320, 1),
)


def lite0_features(image: Tensor, depth: int, *, normalised: bool) -> list[Tensor]:
    """Compute features at the strides 1 (the image itself), 2, … 2 ** depth.

    Args:
        image: [batch, height, width, channels].
        depth: how often the resolution is halved, 1 to 5.
        normalised: with batch normalisation; without it, convolutions have a bias.
    """
    builder = _Builder(normalised)
    features = [image]
    x = builder.convolution(image, "stem", STEM, kernel=3, stride=2)
    for number, stage in enumerate(STAGES, start=1):
        if stage.stride == 2:
            features.append(x)  # the last features at this stride
            if len(features) > depth:
                return features
        for block in range(stage.blocks):
            x = builder.inverted_residual(x, f"block{number}{'abcd'[block]}", stage, stage.stride if block == 0 else 1)
    return [*features, x]


class _Builder:
    """Makes the layers; their names start with the name of the block."""

    def __init__(self, normalised: bool) -> None:
        self.normalised = normalised

    def inverted_residual(self, x: Tensor, name: str, stage: Stage, stride: int) -> Tensor:
        """Expand, filter each channel by itself, project; add the input where the shapes agree."""
        inputs, filters = x, x.shape[-1]
        if stage.expansion > 1:
            x = self.convolution(x, f"{name}_expand", filters * stage.expansion)
        x = self.convolution(x, f"{name}_depthwise", None, kernel=stage.kernel, stride=stride)
        x = self.convolution(x, f"{name}_project", stage.filters, activated=False)
        return layers.Add(name=f"{name}_add")([inputs, x]) if stride == 1 and filters == stage.filters else x

    def convolution(
        self, x: Tensor, name: str, filters: int | None, *, kernel: int = 1, stride: int = 1, activated: bool = True
    ) -> Tensor:
        """Apply a convolution (depthwise if `filters` is None), batch normalisation, and ReLU6 if `activated`."""
        options = {"strides": stride, "padding": "same", "use_bias": not self.normalised, "name": f"{name}_conv"}
        if filters is None:
            x = DepthwiseConvolution(kernel, depthwise_initializer="he_normal", **options)(x)
        else:
            x = layers.Conv2D(filters, kernel, kernel_initializer="he_normal", **options)(x)
        if self.normalised:
            x = FusedBatchNormalization(name=f"{name}_norm")(x)
        return layers.ReLU(6.0, name=f"{name}_relu")(x) if activated else x
