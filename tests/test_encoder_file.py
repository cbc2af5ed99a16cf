"""models/initial/NAME.weights.h5: what is written, what is refused, and how the weights get into a network."""

import io
import time

import h5py
import numpy as np
import pytest

from src.archive.encoder_file import encoder_file, read_encoder_file
from src.archive.weights import stored_shapes
from src.errors import UserError
from src.model.network.encoders.pretrained import adapt_first_convolution, encoder_layers, load_encoder_weights
from src.model.network.unet import build_unet
from src.model.pretrained.encoder_weights import encoder_network
from src.params import PlannedModel

LITE0 = "efficientnet_lite0"
LAYERS = {"conv": [np.float32([[1, 2]])], "norm": [np.float32([index]) for index in range(12)]}


def saved(path, content):
    path.write_bytes(content)
    return path


def drawn(seed=0):
    """The layers of EfficientNet-Lite0 with random weights."""
    rng = np.random.default_rng(seed)
    layers = encoder_layers(encoder_network(LITE0))
    return {layer.name: [rng.normal(size=weight.shape).astype("f4") for weight in layer.weights] for layer in layers}


@pytest.fixture(scope="module")
def lite0(tmp_path_factory):
    """Random weights, and their file."""
    layers = drawn()
    return layers, saved(tmp_path_factory.mktemp("initial") / "lite0.weights.h5", encoder_file(layers))


def unet(channels=3, depth=5, **changes):
    return build_unet(PlannedModel(**{"encoder": LITE0, "filters": 2, "depth": depth} | changes), channels, 1)


def test_a_file_holds_the_weights_of_each_layer(tmp_path):
    path = saved(tmp_path / "x.weights.h5", encoder_file(LAYERS))
    found = read_encoder_file(path)
    assert found.keys() == LAYERS.keys()
    for name, arrays in LAYERS.items():  # twelve arrays: their order is that of numbers, not of texts
        np.testing.assert_array_equal(found[name], arrays)
    assert len(stored_shapes(path.read_bytes())) == 13


def test_equal_weights_give_equal_bytes_at_any_time_and_in_any_order():
    first = encoder_file(LAYERS)
    time.sleep(1.1)  # HDF5 can store times in seconds
    assert encoder_file(dict(reversed(LAYERS.items()))) == first
    assert encoder_file(LAYERS | {"conv": [np.float32([[1, 3]])]}) != first


def changed(change):
    buffer = io.BytesIO(encoder_file(LAYERS))
    with h5py.File(buffer, "r+") as file:
        change(file)
    return buffer.getvalue()


SPOILT = {
    "no HDF5": (b"no HDF5", "its content"),
    "another format": (changed(lambda file: file.move("layers", "weights")), "no layers"),
    "a second group": (changed(lambda file: file.create_group("more")), "no layers"),
    "an array in place of layers": (
        changed(lambda file: (file.pop("layers"), file.create_dataset("layers", data=np.float32([1])))),
        "no layers",
    ),
    "a link": (changed(lambda file: file.__setitem__("layers/x", h5py.SoftLink("/layers/conv"))), "link to elsewhere"),
    "a layer without list": (changed(lambda file: file["layers"].create_group("x")), "no list of arrays"),
    "a missing number": (changed(lambda file: file["layers/norm/vars"].pop("3")), "not numbered"),
    "no number": (
        encoder_file(LAYERS | {"x": [np.float32([1]), np.float32([1, np.nan])]}),
        "'x' has values that are NaN",
    ),
    "no finite number": (
        encoder_file(LAYERS | {"x": [np.float32([np.inf])]}),
        "'x' has values that are NaN or infinite",
    ),
    "doubles": (changed(lambda file: file["layers/conv/vars"].create_dataset("1", data=[1.0])), "no array of float32"),
}


@pytest.mark.parametrize(("content", "words"), SPOILT.values(), ids=SPOILT)
def test_other_files_are_refused(tmp_path, content, words):
    path = saved(tmp_path / "x.weights.h5", content)
    with pytest.raises(ValueError, match=words):
        read_encoder_file(path)
    with pytest.raises(UserError, match="not the weights of this encoder") as error:
        load_encoder_weights(encoder_network(LITE0), path)
    assert str(path) in str(error.value) and "python -m tools.encoder" in str(error.value)


@pytest.mark.parametrize("depth", [2, 5])
def test_the_encoder_gets_the_weights_and_the_decoder_keeps_its_own(lite0, depth):
    layers, path = lite0
    model = unet(depth=depth)
    before = {weight.path: weight.numpy() for weight in model.weights}
    line = load_encoder_weights(model, path)
    encoder = encoder_layers(model)
    assert line == f"{sum(len(layer.weights) for layer in encoder)} weights of the encoder from {path}"
    for layer in model.layers:
        for index, weight in enumerate(layer.weights):
            expected = layers[layer.name][index] if layer in encoder else before[weight.path]
            np.testing.assert_array_equal(weight.numpy(), expected)
    kept = [layer.name for layer in model.layers if layer.weights and layer not in encoder]
    assert kept and all(name.startswith(("up", "logits")) for name in kept)
    assert (len(encoder) == len(layers)) == (depth == 5)


@pytest.mark.parametrize(("channels", "how"), [(1, "added up"), (2, "repeated and scaled"), (5, "repeated and scaled")])
def test_the_first_convolution_is_adapted_to_other_channels_and_it_is_said(lite0, channels, how):
    layers, path = lite0
    model = unet(channels)
    line = load_encoder_weights(model, path)
    assert f"of the first convolution {how} for images of {channels} channel(s)" in line
    first = encoder_layers(model)[0]
    expected = adapt_first_convolution(layers[first.name][0], channels)
    np.testing.assert_array_equal(first.kernel.numpy(), expected)


@pytest.mark.parametrize("first", ["a layer without arrays", "an empty kernel"])
def test_a_spoilt_first_convolution_is_refused(tmp_path, first):
    layers = drawn()
    name = encoder_layers(unet())[0].name
    layers[name] = [np.empty((3, 3, 0, 32), np.float32)] if first == "an empty kernel" else []
    content = io.BytesIO(encoder_file(layers))
    with h5py.File(content, "r+") as file:
        file.require_group(f"layers/{name}/vars")
    with pytest.raises(UserError, match="not the weights of this encoder"):
        load_encoder_weights(unet(), saved(tmp_path / "x.weights.h5", content.getvalue()))


@pytest.mark.parametrize("change", ["missing", "shape", "count"])
def test_the_weights_of_another_network_are_refused_and_change_nothing(tmp_path, change):
    layers = drawn()
    if change == "missing":
        del layers["block3a_expand_conv"]
    elif change == "shape":
        layers["block3a_expand_conv"][0] = layers["block3a_expand_conv"][0][..., 1:]
    else:
        layers["block3a_expand_conv"].append(np.float32([0]))
    model = unet()
    before = [weight.numpy() for weight in model.weights]
    with pytest.raises(UserError, match="missing or of another size: 'block3a_expand_conv'"):
        load_encoder_weights(model, saved(tmp_path / "x.weights.h5", encoder_file(layers)))
    for weight, expected in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), expected)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        load_encoder_weights(unet(), tmp_path / "none.weights.h5")


KERNEL = np.random.default_rng(0).normal(size=(3, 3, 3, 4)).astype(np.float32)


def response(kernel, pixels):
    """Sum of products at one place, for each filter."""
    return np.einsum("hwcf,hwc->f", kernel, pixels)


def test_grey_images_get_the_response_of_equal_channels():
    grey = np.random.default_rng(1).normal(size=(3, 3, 1)).astype(np.float32)
    found = response(adapt_first_convolution(KERNEL, 1), grey)
    np.testing.assert_allclose(found, response(KERNEL, np.repeat(grey, 3, axis=2)), rtol=1e-5)


@pytest.mark.parametrize("channels", range(2, 9))
def test_more_channels_take_the_weights_in_turn_and_keep_the_size_of_the_response(channels):
    """The rule of segmentation_models.pytorch, encoders/_utils.py (patch_first_conv), written as its loop."""
    expected = np.stack([KERNEL[:, :, index % 3] for index in range(channels)], 2) * (3 / channels)
    np.testing.assert_allclose(adapt_first_convolution(KERNEL, channels), expected, rtol=1e-6)


def test_three_channels_keep_their_weights():
    assert adapt_first_convolution(KERNEL, 3) is KERNEL
