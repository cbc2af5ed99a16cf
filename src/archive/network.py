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
from src.params import Precision

MOST_DEPTH, MOST_FILTERS = 7, 1024  # as in src/params.py
NORMALISATION = "FusedBatchNormalization"
OURS: dict[str, str | None] = {"Functional": "Functional", NORMALISATION: f"segmentation>{NORMALISATION}"}
OURS |= dict.fromkeys(["InputLayer", "Conv2D", "Conv2DTranspose", "MaxPooling2D", "Concatenate", "ReLU", "Activation"])
OURS |= dict.fromkeys(["DTypePolicy", "__keras_tensor__", "HeNormal", "GlorotUniform", "Zeros", "Ones"])
PRECISIONS: dict[object, Precision] = {
    "float32": "float32",
    "mixed_bfloat16": "bfloat16",
    "mixed_float16": "float16",
}
Json = Mapping[str, Any]  # Any: JSON of unknown content


@dataclass(frozen=True)
class Network:
    """A U-Net as config.json describes it.

    Attributes:
        channels: of the images.
        filters: of the first convolution.
        depth: how often max-pooling halves the resolution.
        outputs: logits of each pixel.
        precision: in which the convolutions compute.
    """

    channels: int
    filters: int
    depth: int
    outputs: int
    precision: Precision

    @property
    def weight_shapes(self) -> list[Shape]:
        """The shapes of all its weights, in no particular order."""
        widths = [self.filters * 2**level for level in range(self.depth + 1)]
        shapes: list[Shape] = [(1, 1, self.filters, self.outputs), (self.outputs,)]
        entering = [self.channels, *widths[:-1], *(2 * width for width in widths[:-1])]  # channels into each block
        for inputs, width in zip(entering, [*widths, *widths[:-1]], strict=True):
            shapes += [(3, 3, inputs, width), (3, 3, width, width), *[(width,)] * 8]  # 8: two normalisations of 4
        return shapes + [(2, 2, width, 2 * width) for width in widths[:-1]]


def read_network(config: Json) -> Network:
    """Read the numbers of a U-Net from Keras's config.

    Raises:
        ValueError: the config names a class that no U-Net of this project has, or a number is out of range.
        LookupError, AttributeError, TypeError: it is not built like a config of Keras.
    """
    _refuse_foreign_classes(config)
    layers = {layer["name"]: layer["config"] for layer in config["config"]["layers"]}
    first = layers[layer_names.FIRST_CONVOLUTION]
    return Network(
        channels=_number("channels", layers[layer_names.IMAGE]["batch_shape"][3], MOST_CHANNELS),
        filters=_number("filters", first["filters"], MOST_FILTERS),
        depth=sum(layer_names.pool(level) in layers for level in range(MOST_DEPTH)),
        outputs=_number("outputs", layers[layer_names.LOGITS_CONVOLUTION]["filters"], MOST_CLASSES),
        precision=_precision(first["dtype"]),
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
        raise ValueError(f"config.json: {layer_names.FIRST_CONVOLUTION!r}: computes in {policy!r}")
    return PRECISIONS[policy]
