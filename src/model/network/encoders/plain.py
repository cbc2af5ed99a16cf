"""The encoder of the U-Net of Ronneberger, Fischer and Brox: blocks of convolutions with max-pooling between them."""

from keras import layers

from src.archive import layer_names
from src.model.network.blocks import convolution_block
from src.model.network.tensor import Tensor


def plain_features(image: Tensor, filters: int, depth: int, *, normalised: bool) -> list[Tensor]:
    """Compute features at the strides 1, 2, … 2 ** depth.

    Args:
        image: [batch, height, width, channels].
        filters: of the first block; every further one has twice as many.
        depth: how often the resolution is halved.
        normalised: see `convolution_block`.
    """
    features = []
    for level in range(depth):
        features.append(convolution_block(image, filters * 2**level, layer_names.encoder(level), normalised=normalised))
        image = layers.MaxPooling2D(2, name=layer_names.pool(level))(features[-1])
    return [*features, convolution_block(image, filters * 2**depth, layer_names.BOTTOM, normalised=normalised)]
