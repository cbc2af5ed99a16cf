"""Encoders from keras.applications: their converted weights compute what the stock network computes."""

import importlib

import keras
import numpy as np
import pytest

from src.archive.encoder_file import encoder_file
from src.encoders import ENCODERS, IMAGENET_MEAN, IMAGENET_STD
from src.model.network.encoders.applications import APPLICATIONS, stock_network
from src.model.network.encoders.pretrained import load_encoder_weights
from src.model.pretrained.encoder_weights import encoder_arrays, encoder_network
from tests.keras_files import as_from_the_server, legacy_file, randomise

MODULES = {"mobilenet_v2": "mobilenet_v2", "efficientnet_b0": "efficientnet", "resnet50": "resnet", "vgg16": "vgg16"}


def features_of_stock(encoder, path, pixels, monkeypatch):
    """Features at all strides: the stock network after its own preprocessing, with the weights of the file."""
    application = APPLICATIONS[encoder]
    stock = as_from_the_server(application.build, path, monkeypatch)
    preprocess = importlib.import_module(f"keras.applications.{MODULES[encoder]}").preprocess_input
    cut = keras.Model(stock.input, [stock.get_layer(name).output for name in application.features])
    return cut(preprocess(pixels.astype(np.float32)[None]))


def converted(encoder, path):
    """The project's encoder with the weights of a downloaded file, by way of the file in models/initial."""
    written = path.with_name("converted.weights.h5")
    written.write_bytes(encoder_file(encoder_arrays(encoder, path.read_bytes())))
    network = encoder_network(encoder)
    load_encoder_weights(network, written)
    return network


@pytest.mark.parametrize("encoder", APPLICATIONS)
def test_features_are_those_of_the_stock_network(encoder, tmp_path, monkeypatch):
    network = stock_network(encoder)
    randomise(network)
    path = legacy_file(tmp_path / "stock.h5", network)
    pixels = np.random.default_rng(1).integers(0, 256, (96, 64, 3))
    expected = features_of_stock(encoder, path, pixels, monkeypatch)
    facts = ENCODERS[encoder]
    scaled = (pixels - np.float32(facts.mean)) / np.float32(facts.std)
    found = converted(encoder, path)(scaled[None].astype(np.float32))
    assert len(found) == len(expected) >= 5
    for ours, theirs in zip(map(np.asarray, found), map(np.asarray, expected), strict=True):
        assert theirs.std() > 1e-3  # the features say something
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * np.abs(theirs).max())


@pytest.fixture(scope="module")
def mobilenet(tmp_path_factory):
    """MobileNetV2 with its classifier, and its file."""
    network = keras.applications.MobileNetV2(weights=None, input_shape=(224, 224, 3))
    randomise(network)
    return network, legacy_file(tmp_path_factory.mktemp("mobilenet") / "top.h5", network).read_bytes()


def test_a_file_with_the_classifier_gives_the_same_weights(mobilenet):
    network, content = mobilenet
    arrays = encoder_arrays("mobilenet_v2", content)
    assert len(arrays) == 102  # without the layers after the last features
    for name, found in arrays.items():
        for array, expected in zip(found, network.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize(
    ("encoder", "words"),
    [("efficientnet_b0", "layers with weights; the network has"), ("vgg16", "layers that the network does not have")],
)
def test_the_file_of_another_network_is_refused(mobilenet, encoder, words):
    with pytest.raises(ValueError, match=words):
        encoder_arrays(encoder, mobilenet[1])


def test_layers_of_other_sizes_are_refused(tmp_path):
    network = keras.applications.MobileNetV2(weights=None, input_shape=(None, None, 3), include_top=False, alpha=0.5)
    content = legacy_file(tmp_path / "narrow.h5", network).read_bytes()
    with pytest.raises(ValueError, match=r"weights of another network: 'Conv1' has .*, Conv1 ") as error:
        encoder_arrays("mobilenet_v2", content)
    assert "and 10" in str(error.value)


def test_the_scaling_inside_of_efficientnet_is_taken_over(tmp_path, monkeypatch):
    """The file on Keras's server has the deviation in place of the variance; here it has the variance."""
    network = stock_network("efficientnet_b0")
    randomise(network)
    scaling = next(layer for layer in network.layers if isinstance(layer, keras.layers.Normalization))
    mean, deviation = np.divide(IMAGENET_MEAN, 255), np.divide(IMAGENET_STD, 255)
    scaling.set_weights([mean, deviation**2, np.array(0)])
    path = legacy_file(tmp_path / "stock.h5", network)
    pixels = np.random.default_rng(1).integers(0, 256, (32, 32, 3)).astype(np.float32)
    expected = np.asarray(features_of_stock("efficientnet_b0", path, pixels, monkeypatch)[0])
    scaled = (pixels - np.float32(IMAGENET_MEAN)) / np.float32(IMAGENET_STD)
    found = np.asarray(converted("efficientnet_b0", path)(scaled[None])[0])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    scaling.set_weights([mean + 0.1, deviation, np.array(0)])
    with pytest.raises(ValueError, match="scaled in another way"):
        encoder_arrays("efficientnet_b0", legacy_file(tmp_path / "other.h5", network).read_bytes())
