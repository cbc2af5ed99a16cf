"""Pretrained encoders below the project's decoder: sizes, folding, the model file, training and tiles."""

import json
import zipfile

import keras
import numpy as np
import pytest
from keras import layers

from src.archive.project import Project
from src.data.classes.label_format import LabelFormat
from src.data.crops.normalise import Normalisation
from src.encoders import ENCODERS, IMAGENET_MEAN, IMAGENET_STD, encoder_features
from src.errors import UserError
from src.model.inference.predictor import Predictor
from src.model.network.layer_folding import fold_normalisation
from src.model.network.model_file import read_model, write_model
from src.model.network.unet import build_unet, encode
from src.params import PlannedModel
from src.plan import memory
from tests.test_memory import DEFAULT
from tests.test_train import float32  # noqa: F401

NAMES = list(ENCODERS)
LARGE = ("resnet50", "vgg16")
SOME = [pytest.param(name, marks=pytest.mark.slow) if name in LARGE else name for name in NAMES]


def model_of(encoder, depth=5, channels=3, classes=3, filters=4) -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_unet(
        PlannedModel(encoder=encoder, filters=filters, depth=depth), channels, LabelFormat(classes).outputs
    )


def project_of(encoder, depth=5, channels=3, **changes) -> Project:
    settings = {"mean": [9.0] * channels, "std": [4.0] * channels, "normalise": "dataset", "dtype": "uint8"}
    settings |= {"shorter_side": 0}
    names = {"classes": ["a", "b", "c"], "background": 0, "colors": {}}
    return Project(**(names | settings | {"encoder": encoder, "depth": depth} | changes))


@pytest.mark.parametrize("encoder", NAMES)
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("depth", "channels"), [(5, 3), (2, 1), (3, 16)])
def test_features_have_the_stated_strides_and_channels(encoder, depth, channels):
    image = keras.Input((64, 96, channels))
    features = encode(image, PlannedModel(encoder=encoder, filters=4, depth=depth))
    assert [tuple(feature.shape[1:3]) for feature in features] == [(64 // 2**s, 96 // 2**s) for s in range(depth + 1)]
    assert [feature.shape[-1] for feature in features] == encoder_features(encoder, 4, depth, channels)


@pytest.mark.parametrize("encoder", NAMES)
def test_memory_estimates_count_the_weights_and_the_kept_values(encoder):
    model = model_of(encoder)
    size = memory.replace(DEFAULT, encoder=encoder, filters=4, depth=5, crop=64, batch=1)
    assert memory.parameters(size) == pytest.approx(model.count_params(), rel=0.02)
    image = keras.Input((256, 256, 3))
    network = keras.Model(image, encode(image, PlannedModel(encoder=encoder, filters=4, depth=5)))
    outputs = [np.prod(layer.output.shape[1:]) * times for layer in network.layers for times in [kept_times(layer)]]
    assert sum(outputs) / 256**2 == pytest.approx(ENCODERS[encoder].kept, rel=0.02)
    widest = max(np.prod(layer.output.shape[1:]) for layer in network.layers) / 256**2  # padding is counted here
    assert widest == pytest.approx(ENCODERS[encoder].widest, rel=0.05)


def kept_times(layer: layers.Layer) -> int:
    """Convolutions are kept with the activation that follows them."""
    if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D):
        return 2
    return int(isinstance(layer, layers.ZeroPadding2D | layers.MaxPooling2D | layers.Multiply | layers.Add))


@pytest.mark.parametrize("encoder", SOME)
def test_folding_normalisation_keeps_the_logits(encoder):
    network, rng = model_of(encoder), np.random.default_rng(0)
    network(rng.normal(size=(4, 32, 32, 3)), training=True)
    for layer in network.layers:
        if type(layer).__name__ == "FusedBatchNormalization":
            layer.set_weights([rng.uniform(0.8, 1.2, weight.shape) for weight in layer.get_weights()])
    folded = fold_normalisation(network, "float32", encoder)
    images = rng.normal(size=(2, 32, 64, 3)).astype(np.float32)
    expected = np.asarray(network(images))
    assert not any(type(layer).__name__ == "FusedBatchNormalization" for layer in folded.layers)
    assert np.ptp(expected) > 1e-3
    np.testing.assert_allclose(folded(images), expected, atol=2e-4 * np.abs(expected).max())


@pytest.mark.parametrize("encoder", SOME)
def test_a_model_file_returns_the_same_network(encoder, tmp_path):
    model, project = model_of(encoder), project_of(encoder)
    write_model(tmp_path / "unet.keras", model, project)
    again, read = read_model(tmp_path / "unet.keras")
    images = np.random.default_rng(0).normal(size=(1, 32, 32, 3)).astype(np.float32)
    np.testing.assert_array_equal(again(images), model(images))
    assert read == project


@pytest.mark.parametrize(("written", "stated"), [("efficientnet_lite0", "mobilenet_v2"), ("vgg16", "plain")])
def test_a_model_file_that_states_another_encoder_is_refused(written, stated, tmp_path):
    path = tmp_path / "unet.keras"
    write_model(path, model_of(written), project_of(written))
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["project.json"] = json.dumps(json.loads(members["project.json"]) | {"encoder": stated}).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(UserError, match=r"not a model of this project: .*arrays"):
        read_model(path)


def test_tiles_of_an_encoder_are_blended():
    """At the border of two tiles, logits change no more than elsewhere; they jump if tiles are put side by side."""
    model = model_of("efficientnet_lite0", depth=3, classes=2)
    image = np.random.default_rng(0).integers(0, 256, (48, 512, 3), dtype=np.uint8)
    project = project_of("efficientnet_lite0", depth=3, classes=["a", "b"])
    whole, tiled = (Predictor(model, project, tile=tile).logits(image)[..., 0] for tile in (1024, 128))
    assert np.abs(whole - tiled).max() < 0.02 * np.ptp(whole)


@pytest.mark.parametrize("encoder", ["efficientnet_lite0", "mobilenet_v2"])
def test_mirrored_predictions_of_an_encoder_are_the_mean_over_mirrored_images(encoder):
    """Held against the network itself, whose strides and padding are not the same from both sides."""
    model, rng = model_of(encoder, depth=2), np.random.default_rng(0)
    model(rng.normal(size=(4, 32, 32, 3)), training=True)
    image = rng.integers(0, 256, (38, 53, 3), dtype=np.uint8)
    padded = np.pad((image - np.float32(127.5)) / np.float32(127.5), [(0, 2), (0, 3), (0, 0)], "reflect")
    ways = {"none": [()], "horizontal": [(), (1,)], "vertical": [(), (0,)], "both": [(), (0,), (1,), (0, 1)]}
    predictor = Predictor(model, project_of(encoder, depth=2, normalise="encoder"))
    found = {mirror: predictor.with_decisions(mirror=mirror).logits(image) for mirror in ways}
    for mirror, axes in ways.items():
        mirrored = [np.flip(np.asarray(model(np.flip(padded, way)[None]))[0], way) for way in axes]
        np.testing.assert_allclose(found[mirror], np.mean(mirrored, axis=0)[:38, :53], atol=1e-5)
        assert mirror == "none" or np.abs(found[mirror] - found["none"]).max() > 1e-2


@pytest.mark.parametrize(("dtype", "factor"), [(np.uint8, 1), (np.uint16, 257)])
def test_the_encoder_scaling_is_that_of_its_weights(dtype, factor):
    image = (np.random.default_rng(0).integers(0, 256, (4, 5, 3)) * factor).astype(dtype)
    found = Normalisation.of_encoder("efficientnet_b0", dtype, 3)(image)
    expected = (image / factor - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.array_equal(Normalisation.of_encoder("efficientnet_b0", dtype, 3).undo(found, dtype), image)
    assert Normalisation.of_encoder("efficientnet_b0", dtype, 1).mean == [factor * np.mean(IMAGENET_MEAN)]


@pytest.mark.parametrize("encoder", NAMES)
def test_scaled_images_have_the_spread_that_augmentation_expects(encoder):
    """augment.brightness and noise count standard deviations, and other normalisations give a spread of 1."""
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    assert 0.5 < Normalisation.of_encoder(encoder, np.uint8, 3)(image).std() < 2
