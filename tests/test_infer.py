"""Whole images: any size, tiles without seams, the image's own resolution; and the saved model."""

import hashlib
import zipfile

import cv2
import keras
import numpy as np
import pytest

import src.model.infer as infer
from src.errors import UserError
from src.model.archive import MEMBER, Project, load, save
from src.model.infer import Predictor, load_predictor
from src.model.unet import build_unet
from src.params import Model


def project(**changes) -> Project:
    base = {
        "classes": ["background", "cell"],
        "background": 0,
        "colors": {},
        "mean": [10.0],
        "std": [4.0],
        "normalise": "dataset",
        "dtype": "uint8",
        "resize": 0,
        "depth": 2,
    }
    return Project(**(base | changes))


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """A small network whose statistics are not those of a fresh one."""
    keras.utils.set_random_seed(1)
    model = build_unet(Model(filters=4, depth=2), 1, 2)
    model(np.random.default_rng(0).normal(size=(4, 32, 32, 1)), training=True)
    return model


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (37, 23), (64, 64)])
@pytest.mark.parametrize("resize", [0, 32])
def test_predicts_at_the_images_own_size(model, size, resize):
    image = np.random.default_rng(0).integers(0, 256, (*size, 1), dtype=np.uint8)
    predictor = Predictor(model, project(resize=resize))
    assert predictor.logits(image).shape == (*size, 1)
    prediction = predictor(image)
    assert prediction.shape == size and prediction.dtype == np.uint8 and set(np.unique(prediction)) <= {0, 1}


def test_tiles_change_nothing(model, monkeypatch):
    image = np.random.default_rng(0).integers(0, 256, (150, 203, 1), dtype=np.uint8)
    whole = Predictor(model, project()).logits(image)
    monkeypatch.setattr(infer, "TILE", 64)
    np.testing.assert_allclose(Predictor(model, project()).logits(image), whole, atol=1e-4)
    monkeypatch.setattr(infer, "HALO", 0)
    assert np.abs(Predictor(model, project()).logits(image) - whole).max() > 1e-2  # the halo is what makes it so


def test_normalises_as_told(model):
    image = np.random.default_rng(0).integers(0, 64, (32, 32, 1), dtype=np.uint8)
    plain = Predictor(model, project(mean=[3.0], std=[2.0])).logits(image)
    brighter = Predictor(model, project(mean=[6.0], std=[4.0])).logits(4 * image)  # the root of 4 is 2
    np.testing.assert_allclose(plain, brighter, atol=1e-5)


def test_each_image_by_itself_if_so_told(model):
    image = np.random.default_rng(0).integers(0, 64, (32, 32, 1), dtype=np.uint8)
    roots = np.sqrt(image.astype(float))
    by_image = Predictor(model, project(normalise="image")).logits(image)
    by_hand = Predictor(model, project(mean=[roots.mean()], std=[roots.std()])).logits(image)
    np.testing.assert_allclose(by_image, by_hand, atol=1e-4)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (
            np.zeros((8, 8, 3), np.uint8),
            "3 channel.s. of type uint8, the model was trained on 1 channel.s. of type uint8",
        ),
        (np.zeros((8, 8, 1), np.uint16), "1 channel.s. of type uint16, the model was trained on 1"),
    ],
)
def test_an_image_of_another_kind_is_refused(model, image, words):
    with pytest.raises(UserError, match=words):
        Predictor(model, project())(image)


def test_logits_are_enlarged_as_opencv_does_it():
    logits = np.random.default_rng(0).normal(size=(16, 16, 3)).astype(np.float32)
    whole = cv2.resize(logits, (53, 41))
    parts = [infer.enlarged(logits, slice(top, min(top + 7, 41)), 41, 53) for top in range(0, 41, 7)]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)


def test_equal_models_are_equal_files_and_load_back(model, tmp_path):
    paths = [tmp_path / name for name in ("a.keras", "b.keras")]
    for path in paths:
        save(path, model, project())
    assert len({hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}) == 1
    loaded, told = load(paths[0])
    assert told == project()
    for before, after in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    image = np.random.default_rng(0).integers(0, 256, (20, 20, 1), dtype=np.uint8)
    expected = Predictor(model, project()).logits(image)
    np.testing.assert_allclose(load_predictor(paths[0]).logits(image), expected, atol=1e-5)


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_what_is_no_model_is_refused(tmp_path, content):
    path = tmp_path / "unet.keras"
    if content is None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(MEMBER, "{}")
    else:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"unet\.keras: not a model of this project"):
        load(path)
    with pytest.raises(UserError, match="not a model"):
        load(tmp_path / "missing.keras")
