"""The U-Net of Ronneberger, Fischer and Brox (https://arxiv.org/abs/1505.04597), padded, with batch normalisation.

Its encoder is the founding one or a pretrained network; the decoder is the same for all.
"""

import keras
from keras import layers

from src.archive import layer_names
from src.model.network.blocks import convolution_block
from src.model.network.encoders.applications import application_features
from src.model.network.encoders.efficientnet_lite0 import lite0_features
from src.model.network.encoders.plain import plain_features
from src.model.network.tensor import Tensor
from src.params import PlannedModel


def build_unet(params: PlannedModel, channels: int, outputs: int, *, normalised: bool = True) -> keras.Model:
    """Build a U-Net with random weights, in Keras's global precision.

    Every layer has a fixed name (src/archive/layer_names.py), so that a saved model does not depend on what else was
    built before it.

    Args:
        params: encoder, filters at full resolution, and depth.
        channels: of the images.
        outputs: logits of each pixel, see `LabelFormat`.
        normalised: with batch normalisation; without it, convolutions have a bias (see layer_folding.py).

    Returns:
        A model from images float32 [batch, height, width, channels] to logits float32 [batch, height, width, outputs].
        Height and width must be multiples of 2 ** depth.
    """
    image = keras.Input((None, None, channels), name=layer_names.IMAGE)
    *skips, x = encode(image, params, normalised=normalised)
    for level in reversed(range(params.depth)):
        filters = params.filters * 2**level
        x = layers.Conv2DTranspose(  # without a bias: the normalisation that follows would remove it
            filters,
            2,
            strides=2,
            use_bias=False,
            kernel_initializer="he_normal",
            name=layer_names.upsampling(level),
        )(x)
        x = layers.Concatenate(name=layer_names.skip(level))([skips[level], x])
        x = convolution_block(x, filters, layer_names.decoder(level), normalised=normalised)
    x = layers.Conv2D(outputs, 1, name=layer_names.LOGITS_CONVOLUTION)(x)
    logits = layers.Activation("linear", dtype="float32", name=layer_names.LOGITS)(x)
    return keras.Model(image, logits, name="unet")


def encode(image: Tensor, params: PlannedModel, *, normalised: bool = True) -> list[Tensor]:
    """Compute the features of the encoder that `params` names, at the strides 1, 2, … 2 ** depth.

    Args:
        image: [batch, height, width, channels].
        params: encoder, filters (of the plain encoder) and depth.
        normalised: see `build_unet`.
    """
    if params.encoder == "plain":
        return plain_features(image, params.filters, params.depth, normalised=normalised)
    if params.encoder == "efficientnet_lite0":
        return lite0_features(image, params.depth, normalised=normalised)
    return application_features(image, params.encoder, params.depth, normalised=normalised)
