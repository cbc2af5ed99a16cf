"""config.json of an archive: nothing but the layers of a U-Net of ours, and the weights that these have.

Keras builds whatever a config names, with arrays of any size, before it looks at the weights. So all that it would
build is gone through first: classes and the objects inside them by name, settings by value, sizes layer by layer.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from src.archive.project import MOST_CHANNELS
from src.archive.weights import Shape

MOST_FILTERS = 1024 * 2**7  # those of params.yaml, at the bottom of the deepest network
FUNCTIONAL = ("keras.src.models.functional", "Functional", "Functional")
NORMALISATION = "FusedBatchNormalization"
NO_LAYERS: set[tuple[Any, ...]] = {("keras", "DTypePolicy", None), (None, "__keras_tensor__", None)}
NO_LAYERS |= {("keras.initializers", name, None) for name in ("HeNormal", "GlorotUniform", "Zeros", "Ones")}
POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
LAST: dict[str, Sequence[Any]] = {"data_format": ["channels_last"]}
LINEAR = LAST | {"activation": ["linear"], "dilation_rate": [[1, 1]], "use_bias": [True, False]}
SETTINGS: dict[str, dict[str, Sequence[Any]]] = {  # class of a layer → setting → the values that it may have
    "InputLayer": {"sparse": [False], "ragged": [False]},
    "Conv2D": LINEAR
    | {"kernel_size": [[1, 1], [3, 3]], "strides": [[1, 1]], "padding": ["same", "valid"], "groups": [1]},
    "Conv2DTranspose": LINEAR | {"kernel_size": [[2, 2]], "strides": [[2, 2]], "padding": ["valid"]},
    "MaxPooling2D": LAST | {"pool_size": [[2, 2]], "strides": [[2, 2]], "padding": ["valid"]},
    "Concatenate": {"axis": [-1]},
    "ReLU": {"max_value": [None], "negative_slope": [0], "threshold": [0]},
    "Activation": {"activation": ["linear"]},
    NORMALISATION: {},
}
LAYERS: set[tuple[Any, ...]] = {("keras.layers", name, None) for name in SETTINGS if name != NORMALISATION}
LAYERS |= {("src.model.network.unet", NORMALISATION, f"segmentation>{NORMALISATION}")}


@dataclass
class Network:
    """What the layers come to.

    channels: name of a layer → channels of what it gives, in the order of the layers. shapes: of all weights. pools:
    how often images are halved. inputs: channels of the images. filters: of the first convolution.
    """

    channels: dict[str, int] = field(default_factory=dict)
    shapes: list[Shape] = field(default_factory=list)
    pools: int = 0
    inputs: int = 0
    filters: int = 0
    outputs: int = 0


def network_of(config: Any) -> Network:
    """The network that config.json describes; `ValueError` says what in it no U-Net of ours has."""
    if not isinstance(config, dict) or _kind(config) != FUNCTIONAL or config.get("compile_config"):
        raise ValueError("config.json: no network as Keras saves it")
    content = config["config"]
    _refuse_strangers(content)
    network = Network()
    for layer in content["layers"]:
        name = layer["name"]
        if not isinstance(name, str) or name in network.channels or layer["config"].get("name") != name:
            raise ValueError(f"config.json: the name {name!r} stands twice, or does not fit")
        _check_settings(layer)
        network.channels[name] = _add(network, layer, [network.channels[source] for source in _sources(layer)])
    if list(content["input_layers"][1:]) != [0, 0] or list(content["output_layers"][1:]) != [0, 0]:
        raise ValueError("config.json: not one image and one output")
    network.outputs = network.channels[content["output_layers"][0]]
    return network


def _kind(content: Mapping[str, Any]) -> tuple[Any, ...]:
    return content.get("module"), content.get("class_name"), content.get("registered_name")


def _refuse_strangers(content: Mapping[str, Any]) -> None:
    """`ValueError` lists every object that Keras would make and that is none of ours."""
    kinds = [_kind(layer) for layer in content["layers"] if _kind(layer) not in LAYERS]
    inside = _objects([list(layer.values()) for layer in content["layers"]])
    kinds += [_kind(found) for found in inside if _kind(found) not in NO_LAYERS]
    if kinds:
        names = sorted({f"{module!r} {name!r} {registered!r}" for module, name, registered in kinds})
        raise ValueError(f"config.json: not of a U-Net of ours: {', '.join(names[:9])}")


def _objects(content: Any) -> Iterator[Mapping[str, Any]]:
    """Every dictionary in it that Keras would make an object of."""
    if isinstance(content, dict):
        if "class_name" in content or "module" in content:
            yield content
        content = list(content.values())
    if isinstance(content, list):
        for part in content:
            yield from _objects(part)


def _check_settings(layer: Mapping[str, Any]) -> None:
    config = layer["config"]
    for key, allowed in SETTINGS[layer["class_name"]].items():
        if config.get(key) not in allowed:
            raise ValueError(f"config.json: {layer['name']!r}: {key} is {config.get(key)!r}")
    policy = config["dtype"]["config"]["name"] if isinstance(config.get("dtype"), dict) else config.get("dtype")
    if policy not in POLICIES:
        raise ValueError(f"config.json: {layer['name']!r}: computes in {policy!r}")
    others = [key for key, value in config.items() if key.endswith(("regularizer", "constraint")) and value]
    if others:
        raise ValueError(f"config.json: {layer['name']!r}: has a {others[0]}")


def _sources(layer: Mapping[str, Any]) -> list[str]:
    """The names of the layers that it takes its input from."""
    if layer["class_name"] == "InputLayer":
        return []
    node, *others = layer["inbound_nodes"]
    argument, *more = node["args"]
    if others or more or node["kwargs"] not in ({}, {"training": False}):
        raise ValueError(f"config.json: {layer['name']!r}: used more than once, or with further arguments")
    tensors = argument if isinstance(argument, list) else [argument]
    histories = [tensor["config"]["keras_history"] for tensor in tensors]
    if any(history[1:] != [0, 0] for history in histories):
        raise ValueError(f"config.json: {layer['name']!r}: takes more than the output of a layer")
    return [history[0] for history in histories]


def _add(network: Network, layer: Mapping[str, Any], sources: Sequence[int]) -> int:
    """Note the weights of a layer; the channels of what it gives. sources: the channels of what it takes."""
    kind, config = layer["class_name"], layer["config"]
    _refuse_other_shapes(layer, sources)
    if kind == "InputLayer":
        network.inputs = _number(config["batch_shape"][3], MOST_CHANNELS)
        if config["batch_shape"] != [None, None, None, network.inputs]:
            raise ValueError("config.json: images must be of any size")
        return network.inputs
    if kind == "Concatenate":
        return sum(sources)
    (taken,) = sources
    if kind in ("Conv2D", "Conv2DTranspose"):
        given = _number(config["filters"], MOST_FILTERS)
        network.filters = network.filters or given
        network.shapes.append((*config["kernel_size"], *((taken, given) if kind == "Conv2D" else (given, taken))))
        network.shapes += [(given,)] if config["use_bias"] else []
        return given
    network.pools += kind == "MaxPooling2D"
    network.shapes += [(taken,)] * 4 if kind == NORMALISATION else []
    return taken


def _refuse_other_shapes(layer: Mapping[str, Any], sources: Sequence[int]) -> None:
    """Keras makes the weights by this shape, whatever the layers before it give."""
    built = (layer.get("build_config") or {}).get("input_shape")
    shapes = [[None, None, None, channels] for channels in sources]
    if built is not None and built not in (shapes, shapes[0] if shapes else None):
        raise ValueError(f"config.json: {layer['name']!r}: built for {built!r}, its input is {shapes!r}")


def _number(value: Any, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise ValueError(f"config.json: {value!r} channels; from 1 to {most} are possible")
    return value
