"""config.json of an archive: the few numbers from which this project builds its U-Net again.

Keras would build whatever a config names, with arrays of any size. So it is never asked to: src/model/network builds
the U-Net from these numbers and loads the weights into it. Nothing else in the config is used.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from src.archive import layer_names
from src.archive.project import MOST_CHANNELS, MOST_CLASSES
from src.archive.weights import Shape
from src.encoders import encoder_features
from src.params import Encoder, Precision

MOST_DEPTH, MOST_FILTERS = 7, 1024  # as in src/params.py
NORMALISATION = "FusedBatchNormalization"
OURS: dict[str, str | None] = {"Functional": "Functional", NORMALISATION: f"segmentation>{NORMALISATION}"}
OURS |= {"DepthwiseConvolution": "segmentation>DepthwiseConvolution"}
OURS |= dict.fromkeys(["InputLayer", "Conv2D", "Conv2DTranspose", "MaxPooling2D", "Concatenate", "ReLU", "Activation"])
OURS |= dict.fromkeys(["ZeroPadding2D", "Add", "Multiply", "Reshape", "Identity"])
OURS |= dict.fromkeys(["GlobalAveragePooling2D", "VarianceScaling"])
OURS |= dict.fromkeys(["DTypePolicy", "__keras_tensor__", "HeNormal", "GlorotUniform", "Zeros", "Ones"])
PRECISIONS: dict[object, Precision] = {
    "float32": "float32",
    "mixed_bfloat16": "bfloat16",
    "mixed_float16": "float16",
}
Json = Mapping[str, Any]  # Any: JSON of unknown content


@dataclass(frozen=True)
class Network:
    """A U-Net as config.json and project.json describe it.

    Attributes:
        encoder: model.encoder.
        channels: of the images.
        filters: of the decoder at full resolution.
        depth: how often the encoder halves the resolution.
        outputs: logits of each pixel.
        precision: in which the convolutions compute.
    """

    encoder: Encoder
    channels: int
    filters: int
    depth: int
    outputs: int
    precision: Precision

    @property
    def features(self) -> list[int]:
        """Channels of the encoder's features at the strides 1, 2, … 2 ** depth."""
        return encoder_features(self.encoder, self.filters, self.depth, self.channels)

    @property
    def decoder_shapes(self) -> list[Shape]:
        """The shapes of all weights of the decoder, in no particular order."""
        shapes: list[Shape] = [(1, 1, self.filters, self.outputs), (self.outputs,)]
        *skips, below = self.features
        for level in reversed(range(self.depth)):
            width = self.filters * 2**level
            shapes += [(2, 2, width, below), *_block_shapes(skips[level] + width, width)]
            below = width
        return shapes

    @property
    def weight_shapes(self) -> list[Shape]:
        """The shapes of all weights of a network with the plain encoder, in no particular order."""
        entering = [self.channels, *self.features[:-1]]  # channels into each block of the encoder
        blocks = zip(entering, self.features, strict=True)
        return self.decoder_shapes + [shape for inputs, width in blocks for shape in _block_shapes(inputs, width)]


def _block_shapes(inputs: int, width: int) -> list[Shape]:
    """Of a block: two convolutions, and two normalisations of four weights each."""
    return [(3, 3, inputs, width), (3, 3, width, width), *[(width,)] * 8]


def read_network(config: Json, encoder: Encoder) -> Network:
    """Read the numbers of a U-Net from Keras's config.

    Args:
        config: the content of config.json.
        encoder: model.encoder, as project.json states it.

    Raises:
        ValueError: the config names a class that no U-Net of this project has, or a number is out of range.
        LookupError, AttributeError, TypeError: it is not built like a config of Keras.
    """
    _refuse_foreign_classes(config)
    layers = {layer["name"]: layer["config"] for layer in config["config"]["layers"]}
    last = layers[layer_names.LAST_BLOCK]
    return Network(
        encoder=encoder,
        channels=_number("channels", layers[layer_names.IMAGE]["batch_shape"][3], MOST_CHANNELS),
        filters=_number("filters", last["filters"], MOST_FILTERS),
        depth=sum(layer_names.upsampling(level) in layers for level in range(MOST_DEPTH)),
        outputs=_number("outputs", layers[layer_names.LOGITS_CONVOLUTION]["filters"], MOST_CLASSES),
        precision=_precision(last["dtype"]),
    )


def _refuse_foreign_classes(config: Json) -> None:
    foreign = {
        f"{found.get('module')!r} {found.get('class_name')!r} {found.get('registered_name')!r}"
        for found in _objects(config)
        if found.get("class_name") not in OURS or found.get("registered_name") != OURS[found["class_name"]]
    }
    if foreign:
        raise ValueError(f"config.json: not a U-Net of this project: it has {', '.join(sorted(foreign)[:9])}")


def _objects(content: object) -> Iterator[Json]:
    """Every dictionary that Keras would make an object of."""
    if isinstance(content, dict):
        if "class_name" in content or "module" in content:
            yield content
        content = list(content.values())
    if isinstance(content, list):
        for part in content:
            yield from _objects(part)


def _number(name: str, value: object, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise ValueError(f"config.json: {value!r} {name}; it must be a whole number from 1 to {most}")
    return value


def _precision(dtype: Any) -> Precision:  # Any: JSON of unknown content
    policy = dtype["config"]["name"] if isinstance(dtype, dict) else dtype
    if policy not in PRECISIONS:
        raise ValueError(f"config.json: the network computes in {policy!r}")
    return PRECISIONS[policy]
