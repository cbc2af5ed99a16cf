"""Encoders from keras.applications: their converted weights compute what the stock network computes."""

import importlib

import keras
import numpy as np
import pytest

from src.archive.encoder_file import encoder_file
from src.encoders import ENCODERS
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
    return cut(preprocess(pixels.astype(np.float32)[None])), stock


def converted(encoder, path):
    """The project's encoder with the weights of a downloaded file, by way of the file in models/initial."""
    written = path.with_name("converted.weights.h5")
    written.write_bytes(encoder_file(encoder_arrays(encoder, path.read_bytes())))
    network = encoder_network(encoder)
    load_encoder_weights(network, written)
    return network


@pytest.mark.parametrize("encoder", APPLICATIONS)
def test_features_are_those_of_the_stock_network(encoder, tmp_path, monkeypatch):
    network = stock_network(encoder, 3)
    randomise(network)
    path = legacy_file(tmp_path / "stock.h5", network)
    pixels = np.random.default_rng(1).integers(0, 256, (96, 64, 3))
    expected, _ = features_of_stock(encoder, path, pixels, monkeypatch)
    facts = ENCODERS[encoder]
    scaled = (pixels - np.float32(facts.mean)) / np.float32(facts.std)
    found = converted(encoder, path)(scaled[None].astype(np.float32))
    assert len(found) == len(expected) >= 5
    for ours, theirs in zip(map(np.asarray, found), map(np.asarray, expected), strict=True):
        assert theirs.std() > 1e-3  # the features say something
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * np.abs(theirs).max())
