"""Encoders from keras.applications, with this project's batch normalisation, which is faster in training."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import keras
from keras import layers

from src.model.network.batch_normalisation import FusedBatchNormalization
from src.model.network.depthwise import DepthwiseConvolution
from src.model.network.tensor import Tensor
from src.params import Encoder


@dataclass(frozen=True)
class Application:
    """How to cut the features out of a network of keras.applications.

    Attributes:
        build: makes the network.
        start: name of the first layer after the network's own scaling of the image; "" if it has none.
        features: names of the layers with the last features at the strides 2, 4, 8, 16 and 32, or 1 … 32 if there
            are six.
    """

    build: Callable[..., keras.Model]
    start: str
    features: tuple[str, ...]


APPLICATIONS: Mapping[Encoder, Application] = {
    "mobilenet_v2": Application(
        keras.applications.MobileNetV2,
        "",
        ("expanded_conv_project_BN", "block_2_add", "block_5_add", "block_12_add", "block_16_project_BN"),
    ),
    "efficientnet_b0": Application(
        keras.applications.EfficientNetB0,
        "stem_conv_pad",
        ("block1a_project_bn", "block2b_add", "block3b_add", "block5c_add", "block7a_project_bn"),
    ),
    "resnet50": Application(
        keras.applications.ResNet50,
        "",
        ("conv1_relu", "conv2_block3_out", "conv3_block4_out", "conv4_block6_out", "conv5_block3_out"),
    ),
    "vgg16": Application(
        keras.applications.VGG16,
        "",
        ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3", "block5_conv3", "block5_pool"),
    ),
}


def application_features(image: Tensor, encoder: Encoder, depth: int, *, normalised: bool) -> list[Tensor]:
    """Compute features at the strides 1, 2, … 2 ** depth.

    Args:
        image: [batch, height, width, channels].
        encoder: a key of `APPLICATIONS`.
        depth: how often the resolution is halved, 1 to 5.
        normalised: with batch normalisation; without it, the convolutions before it have a bias.
    """
    application = APPLICATIONS[encoder]
    stock = stock_network(encoder)
    names = application.features[: depth + (len(application.features) > 5)]
    start = stock.get_layer(application.start).input if application.start else stock.input
    part = keras.Model(start, [stock.get_layer(name).output for name in names])
    normalised_convolutions = {} if normalised else _convolutions_before_normalisation(part)

    def clone(layer: layers.Layer) -> layers.Layer:
        if isinstance(layer, layers.BatchNormalization):
            if normalised:
                return FusedBatchNormalization(name=layer.name, epsilon=layer.epsilon)
            return layers.Identity(name=layer.name)
        if isinstance(layer, layers.Dropout):  # of whole blocks; its random numbers would not survive a resumption
            return layers.Identity(name=layer.name)
        config = layer.get_config()
        if layer.name in normalised_convolutions:
            config["use_bias"] = True
        kind = DepthwiseConvolution if isinstance(layer, layers.DepthwiseConv2D) else type(layer)
        return kind(**config)

    def call(layer: layers.Layer, inputs: Tensor, **unused: object) -> Tensor:
        """Call a layer without the options that only Keras's batch normalisation takes."""
        return layer(inputs)

    outputs = keras.models.clone_model(part, image, clone, call).outputs
    return list(outputs) if len(application.features) > 5 else [image, *outputs]


def stock_network(encoder: Encoder) -> keras.Model:
    """Build the network as keras.applications does, with random weights and without its classifier.

    It takes images of three channels. For others Keras would warn; its layers can be built anew for any number.

    Args:
        encoder: a key of `APPLICATIONS`.
    """
    return APPLICATIONS[encoder].build(include_top=False, weights=None, input_shape=(None, None, 3))


def _convolutions_before_normalisation(model: keras.Model) -> set[str]:
    normalisations = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    return {layer.input._keras_history.operation.name for layer in normalisations}
