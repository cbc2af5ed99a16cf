"""Predictions of whole images: any size, tiles without seams, the image's own resolution; the model file."""

import copy
import hashlib
import zipfile

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, softmax

import src.model.inference.predictor as infer
from src.archive.members import PROJECT
from src.archive.project import Decisions, Project
from src.data.classes.label_format import LabelFormat
from src.data.crops.resample_rows import resample_rows
from src.data.crops.resize import scaled_size
from src.errors import UserError
from src.evaluation.metrics.outputs import Outputs
from src.model.inference.predictor import Predictor, load_predictor
from src.model.network.layer_folding import compute_precision, fold_normalisation
from src.model.network.model_file import read_model, write_model
from src.model.network.unet import build_unet
from src.params import PlannedModel
from src.plan.tiles import HALO

NAMES = ["background", "cell", "debris"]


def project(**changes) -> Project:
    base = {
        "classes": NAMES[:2],
        "background": 0,
        "colors": {},
        "mean": [10.0],
        "std": [4.0],
        "normalise": "dataset",
        "dtype": "uint8",
        "shorter_side": 0,
        "depth": 2,
    }
    return Project(**(base | changes))


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """A small network whose moving statistics differ from their initial values."""
    keras.utils.set_random_seed(1)
    model = build_unet(PlannedModel(filters=4, depth=2), 1, 1)
    model(np.random.default_rng(0).normal(size=(4, 32, 32, 1)), training=True)
    return model


@pytest.fixture(scope="module")
def predictors(model) -> dict[int, Predictor]:
    """Predictors of two and three classes."""
    keras.utils.set_random_seed(2)
    three = build_unet(PlannedModel(filters=4, depth=2), 1, 3)
    three(np.random.default_rng(0).normal(size=(4, 32, 32, 1)), training=True)
    return {2: Predictor(model, project()), 3: Predictor(three, project(classes=NAMES))}


def scaling(predictor, shorter_side, tile=infer.TILE) -> Predictor:
    """The same predictor with the same graph, whose images are scaled."""
    other = copy.copy(predictor)
    other.project, other.tile = predictor.project.model_copy(update={"shorter_side": shorter_side}), tile
    return other


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (37, 23), (64, 64)])
@pytest.mark.parametrize("shorter_side", [0, 2, 32])
def test_predictions_have_the_size_of_the_image(model, size, shorter_side):
    image = np.random.default_rng(0).integers(0, 256, (*size, 1), dtype=np.uint8)
    predictor = Predictor(model, project(shorter_side=shorter_side))
    assert predictor.logits(image).shape == (*size, 1)
    prediction = predictor(image)
    assert prediction.shape == size and prediction.dtype == np.uint8 and set(np.unique(prediction)) <= {0, 1}


def test_tiles_do_not_change_the_logits(model, monkeypatch):
    image = np.random.default_rng(0).integers(0, 256, (150, 203, 1), dtype=np.uint8)
    whole = Predictor(model, project()).logits(image)
    np.testing.assert_allclose(Predictor(model, project(), tile=64).logits(image), whole, atol=1e-4)
    monkeypatch.setattr("src.model.inference.member.HALO", 0)
    assert (
        np.abs(Predictor(model, project(), tile=64).logits(image) - whole).max() > 1e-2
    )  # so the halo is what does it


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
def test_the_halo_covers_the_receptive_field(depth):
    """The gradient of a tile's logits is 0 beyond the halo, and not 0 within nearly all of it."""
    keras.utils.set_random_seed(depth)
    network, step = build_unet(PlannedModel(filters=2, depth=depth), 1, 1), 2**depth
    for layer in network.layers:  # positive weights and no dead ReLU: nothing cancels
        layer.set_weights([abs(weight) + 0.01 for weight in layer.get_weights()])
    halo, tile = HALO * step, step
    side = 2 * (halo + 2 * step) + tile
    image = tf.Variable(np.ones((1, side, side, 1), np.float32))
    middle = slice(halo + 2 * step, halo + 2 * step + tile)
    with tf.GradientTape() as tape:
        seen = tf.reduce_sum(network(image)[:, middle, middle])
    rows = np.flatnonzero(np.abs(tape.gradient(seen, image).numpy()[0, ..., 0]).sum(axis=1))
    reach = max(middle.start - rows[0], rows[-1] + 1 - middle.stop)
    assert halo - 2 * step <= reach <= halo


def test_predictors_with_other_decisions_share_one_graph(model):
    image = np.random.default_rng(0).integers(0, 256, (20, 31, 1), dtype=np.uint8)
    first = Predictor(model, project())
    second = first.with_decisions(mirror="both", threshold=0.3)
    third = second.with_default_decisions()
    found = [predictor(image) for predictor in (first, second, third)]
    assert first.members[0].graph.experimental_get_tracing_count() == 1
    assert first.project.decisions == Decisions() != second.project.decisions
    fresh = [Predictor(model, predictor.project)(image) for predictor in (first, second, third)]
    np.testing.assert_array_equal(found, fresh)


@pytest.mark.parametrize("classes", [2, 3])
def test_folding_normalisation_keeps_the_logits(classes):
    keras.utils.set_random_seed(classes)
    network = build_unet(PlannedModel(filters=4, depth=2), 3, LabelFormat(classes).outputs)
    rng = np.random.default_rng(0)
    network(rng.normal(size=(4, 32, 32, 3)), training=True)
    for layer in network.layers:
        if "_norm_" in layer.name:
            layer.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    images = rng.normal(size=(2, 32, 48, 3)).astype(np.float32)
    less = fold_normalisation(network, "float32")
    np.testing.assert_allclose(less(images), network(images), atol=1e-4 * np.abs(network(images)).max())
    assert not any("_norm_" in layer.name for layer in less.layers)
    assert np.abs(network(images)).max() > 0.1


def test_folding_in_another_precision_leaves_the_global_precision_unchanged(model):
    before = keras.mixed_precision.global_policy().name
    less = fold_normalisation(model, "bfloat16")
    assert compute_precision(less) == "bfloat16" and keras.mixed_precision.global_policy().name == before
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 1), dtype=np.uint8)
    exact, rough = (Predictor(network, project()).logits(image) for network in (model, less))
    assert 0 < np.abs(rough - exact).max() < 0.05 * np.abs(exact).max()


@pytest.mark.parametrize("classes", [2, 3])
def test_probabilities_add_up_and_follow_the_temperature(classes):
    keras.utils.set_random_seed(0)
    network = build_unet(PlannedModel(filters=4, depth=2), 1, LabelFormat(classes).outputs)
    warm = project(classes=NAMES[:classes], decisions=Decisions(temperature=3.0))
    image = np.random.default_rng(0).integers(0, 256, (21, 34, 1), dtype=np.uint8)
    logits, found = Predictor(network, warm).logits(image), Predictor(network, warm).probabilities(image)
    assert found.shape == (21, 34, classes) and found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=2), 1, atol=1e-6)
    expected = expit(logits[..., 0] / 3) if classes == 2 else softmax(logits / 3, axis=2)[..., 1]
    np.testing.assert_allclose(found[..., 1], expected, atol=1e-6)


def test_normalise_dataset_uses_the_statistics_of_the_project(model):
    image = np.random.default_rng(0).integers(0, 64, (32, 32, 1), dtype=np.uint8)
    plain = Predictor(model, project(mean=[3.0], std=[2.0])).logits(image)
    brighter = Predictor(model, project(mean=[6.0], std=[4.0])).logits(4 * image)  # the root of 4 is 2
    np.testing.assert_allclose(plain, brighter, atol=1e-5)


def test_normalise_image_uses_the_statistics_of_each_image(model):
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


SCALED = [((100, 3000), 64), ((3, 500), 2), ((131, 97), 53), ((40, 61), 90), ((500, 7), 5), ((150, 203), 150)]


@pytest.mark.parametrize(("size", "shorter_side"), SCALED)
@pytest.mark.parametrize("classes", [2, 3])
def test_tiles_do_not_change_the_logits_of_scaled_images(predictors, size, shorter_side, classes):
    """Down, up and not at all, odd sizes, long images: 64 × 1920 pixels are two tiles even as they come."""
    image = np.random.default_rng(0).integers(0, 256, (*size, 1), dtype=np.uint8)
    whole = scaling(predictors[classes], shorter_side, tile=4096).logits(image)
    assert whole.shape == (*size, 1 if classes == 2 else 3)
    for tile in (64, infer.TILE):
        np.testing.assert_allclose(scaling(predictors[classes], shorter_side, tile).logits(image), whole, atol=1e-3)


@pytest.mark.parametrize(("size", "shorter_side"), SCALED)
@pytest.mark.parametrize("classes", [2, 3])
def test_probabilities_of_the_scaled_image_are_resampled(predictors, size, shorter_side, classes, monkeypatch):
    """Held against OpenCV on the whole image; strips of a few rows change nothing."""
    image = np.random.default_rng(0).integers(0, 256, (*size, 1), dtype=np.uint8)
    height, width = scaled_size(*size, shorter_side)
    method = (cv2.INTER_CUBIC, cv2.INTER_AREA) if height > size[0] else (cv2.INTER_AREA, cv2.INTER_LINEAR)
    small = cv2.resize(image, (width, height), interpolation=method[0])[..., None]
    resampled = cv2.resize(predictors[classes].probabilities(small), size[::-1], interpolation=method[1])
    monkeypatch.setattr(infer, "TILE", 60)
    predictor = scaling(predictors[classes], shorter_side)
    found = predictor.probabilities(image)
    np.testing.assert_allclose(found, resampled, atol=2e-5)
    assert np.ptp(found[..., 1]) > 0.05  # so it could fail
    np.testing.assert_allclose(found.sum(axis=2), 1, atol=1e-5)
    for temperature in (0.5, 3.0):  # calibration acts on what was resampled
        warm = predictor.with_decisions(temperature=temperature)
        expected = resampled ** (1 / temperature) / (resampled ** (1 / temperature)).sum(axis=2, keepdims=True)
        np.testing.assert_allclose(warm.probabilities(image), expected, atol=1e-4)
        np.testing.assert_array_equal(warm.logits(image), predictor.logits(image))


def test_confident_probabilities_become_finite_logits_and_back():
    logits = np.array([[[-200.0, 0.0, 200.0], [-30.0, -20.0, 25.0], [1.0, 2.0, 3.0]]], np.float32)
    for one in (logits, logits[..., :1], logits[..., 2:]):
        outputs = Outputs(LabelFormat(max(one.shape[-1], 2)))
        found = outputs.logits(outputs.probabilities(one))
        assert found.shape == one.shape and np.isfinite(found).all()
        np.testing.assert_allclose(outputs.probabilities(found), outputs.probabilities(one), atol=1e-6)
    two = np.array([[[-80.0], [-17.0], [0.0], [17.0], [80.0]]], np.float32)  # symmetric beyond the digits of 1 - p
    outputs = Outputs(LabelFormat(2))
    np.testing.assert_allclose(outputs.logits(outputs.probabilities(two)), two, rtol=1e-5)


def test_probabilities_of_255_classes_can_be_resampled():
    predicted = softmax(np.random.default_rng(0).normal(size=(16, 16, 255)).astype(np.float32), axis=2)
    found = resample_rows(predicted, slice(0, 41), 41, 53)
    assert found.shape == (41, 53, 255)
    np.testing.assert_allclose(found[..., 200], cv2.resize(predicted[..., 200], (53, 41)), atol=1e-6)


def test_an_image_too_long_to_be_scaled_is_refused(model):
    with pytest.raises(UserError, match="more than 268,435,456: cut the image"):
        Predictor(model, project(shorter_side=4096))(np.zeros((1, 100, 1), np.uint8))


def test_equal_models_are_equal_files_and_load_back(model, tmp_path):
    paths = [tmp_path / name for name in ("a.keras", "b.keras")]
    for path in paths:
        write_model(path, model, project())
    assert len({hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}) == 1
    loaded, told = read_model(paths[0])
    assert told == project()
    for before, after in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    image = np.random.default_rng(0).integers(0, 256, (20, 20, 1), dtype=np.uint8)
    expected = Predictor(model, project()).logits(image)
    np.testing.assert_allclose(load_predictor(paths[0]).logits(image), expected, atol=1e-5)


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "unet.keras"
    if content is None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(PROJECT, "{}")
    else:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"unet\.keras: not a model of this project"):
        read_model(path)
    with pytest.raises(UserError, match="not a model"):
        read_model(tmp_path / "missing.keras")
