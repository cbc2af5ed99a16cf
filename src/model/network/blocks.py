"""The block of convolutions that the plain encoder and every decoder are made of."""

from keras import layers

from src.archive import layer_names
from src.model.network.batch_normalisation import FusedBatchNormalization
from src.model.network.tensor import Tensor


def convolution_block(x: Tensor, filters: int, name: str, *, normalised: bool) -> Tensor:
    """Apply twice: 3 × 3 convolution, batch normalisation, ReLU.

    Args:
        x: [batch, height, width, channels].
        filters: of both convolutions.
        name: of the block, see src/archive/layer_names.py.
        normalised: with batch normalisation; without it, convolutions have a bias.

    Returns:
        [batch, height, width, filters].
    """
    options = {"padding": "same", "use_bias": not normalised, "kernel_initializer": "he_normal"}
    for part in layer_names.PARTS:
        x = layers.Conv2D(filters, 3, **options, name=layer_names.convolution(name, part))(x)
        if normalised:
            x = FusedBatchNormalization(name=layer_names.normalisation(name, part))(x)
        x = layers.ReLU(name=layer_names.activation(name, part))(x)
    return x
