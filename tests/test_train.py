"""The training loop: the schedule, what is kept, and how validation is measured."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

import src.model.infer as infer
import src.model.train as train
from src.errors import UserError
from src.evaluation.confusion import confusion, dice, headline
from src.model.archive import Project
from src.model.infer import Predictor, classes_of
from src.model.losses import loss_sums, total_loss
from src.model.unet import build_unet
from src.params import Model
from tests.test_losses import reference

SMALL = {"data.crop": 16, "train.crops": 8, "train.batch": 4, "train.lr": 0.01, "model.filters": 4, "model.depth": 1}


@pytest.fixture
def float32():
    """Exact arithmetic, whatever this machine would choose."""
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_global_policy("float32")
    yield
    keras.mixed_precision.set_global_policy(before)


def train_small(store, params, monkeypatch, **changes):
    monkeypatch.setattr(train, "prepare_device", lambda seed: keras.utils.set_random_seed(seed) or "float32")
    chosen = params(**(SMALL | changes))
    parts = {"data": chosen.data, "augment": chosen.augment, "unet": chosen.model, "params": chosen.train}
    return train.train_unet(store, range(8), range(8, 12), **parts, seed=chosen.seed), chosen


def test_keeps_the_weights_of_the_best_epoch(store, params, monkeypatch, float32):
    training, chosen = train_small(store, params, monkeypatch, **{"train.epochs": 5})
    assert [row["epoch"] for row in training.history] == [1, 2, 3, 4, 5]
    assert training.best["val_dice"] == max(row["val_dice"] for row in training.history)
    again = train.validate(Predictor(training.model, training.project), store, range(8, 12), chosen.train)
    for name, value in again.items():
        assert value == pytest.approx(training.best[f"val_{name}"], abs=1e-6)


def test_repeats_from_the_seed(store, params, monkeypatch, float32):
    runs = [train_small(store, params, monkeypatch, seed=seed, **{"train.epochs": 2})[0] for seed in (3, 3, 4)]
    assert runs[0].history == runs[1].history != runs[2].history


def test_the_rate_warms_up_and_falls_to_nothing(params, float32):
    chosen = params(**(SMALL | {"train.warmup": 0.1}))
    _, rate = train.training_step(build_unet(chosen.model, 3, 3), chosen.train, [0, 1, 2], 1000)
    rates = np.array([float(rate(step)) for step in range(1000)])
    assert rates.argmax() == 100 and rates.max() == pytest.approx(0.01)
    assert (np.diff(rates[:101]) > 0).all() and (np.diff(rates[100:]) <= 0).all()
    assert 0 < rates[0] < 0.001 and rates[-1] < 1e-6


def test_a_step_lowers_the_loss_and_reports_it(params, float32):
    keras.utils.set_random_seed(0)
    chosen = params(**(SMALL | {"train.warmup": 0}))
    model = build_unet(Model(filters=4, depth=1), 3, 3)
    step, _ = train.training_step(model, chosen.train, [0, 1, 2], 1000)
    rng = np.random.default_rng(0)
    masks = rng.integers(0, 3, (4, 16, 16), dtype=np.uint8)
    images = np.eye(3, dtype=np.float32)[masks]
    before = total_loss(loss_sums(model(images, training=True), masks), chosen.train.loss, [0, 1, 2])
    losses, counts = zip(*(step(tf.constant(images), tf.constant(masks)) for _ in range(60)), strict=True)
    assert float(losses[0]) == pytest.approx(float(before), rel=1e-4)
    assert float(losses[-1]) < 0.3 * float(losses[0])
    assert counts[-1].shape == (4, 3, 3) and int(tf.reduce_sum(counts[-1])) == masks.size


def test_validation_is_measured_over_whole_images(store, params, float32, monkeypatch):
    """Against the definitions, on images of mixed sizes, though it is summed over tiles."""
    monkeypatch.setattr(infer, "TILE", 32)
    keras.utils.set_random_seed(0)
    chosen = params(**SMALL)
    project = Project(
        classes=store.dataset.names,
        background=None,
        colors={},
        mean=[10.0] * 3,
        std=[3.0] * 3,
        normalise="dataset",
        dtype="uint8",
        resize=0,
        depth=1,
    )
    predictor = Predictor(build_unet(chosen.model, 3, 3), project)
    found = train.validate(predictor, store, range(5), chosen.train)
    logits = [predictor.logits(store.image(index)) for index in range(5)]
    flat_logits = np.concatenate([part.reshape(1, -1, 1, 3) for part in logits], axis=1)
    flat_truth = np.concatenate([np.array(store.mask(index)).reshape(1, -1, 1) for index in range(5)], axis=1)
    assert found["loss"] == pytest.approx(reference(flat_logits, flat_truth, chosen.train.loss, [0, 1, 2]), rel=1e-4)
    counts = np.stack([confusion(store.mask(i), classes_of(part), 3) for i, part in enumerate(logits)])
    assert found["dice"] == pytest.approx(headline(dice(counts), [0, 1, 2]))
    assert found["accuracy"] == pytest.approx(np.trace(counts.sum(axis=0)) / counts.sum())


def test_a_loss_that_is_not_finite_stops_in_words(store, params, monkeypatch, float32):
    def broken(self, epoch, crops, batch):
        yield np.full((4, 16, 16, 3), np.nan, np.float32), np.zeros((4, 16, 16), np.uint8)

    monkeypatch.setattr("src.data.crops.Crops.batches", broken)
    with pytest.raises(UserError, match=r"the loss became nan in epoch 1: lower train\.lr \(0\.01\)"):
        train_small(store, params, monkeypatch)


def test_of_equal_epochs_the_first_is_kept():
    model = SimpleNamespace(get_weights=lambda: [])
    training = train.Training(model, None)
    kept = [training.add({"epoch": epoch, "val_dice": value}) for epoch, value in enumerate([0.1, 0.3, 0.3, 0.2], 1)]
    assert kept == [True, True, False, False] and training.best["epoch"] == 2
