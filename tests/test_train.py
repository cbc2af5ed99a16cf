"""The training loop: the weights it keeps, its messages, and how validation is measured."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

import src.model.training.loop as train
from src.archive.project import Project
from src.data.classes.label_format import LabelFormat
from src.errors import UserError
from src.evaluation.metrics.confusion import confusion_matrix, dice, mean_over_classes, pixel_counts
from src.model.inference.predictor import Predictor
from src.model.network.unet import build_unet
from src.model.training.state import Training
from src.model.training.validation import epoch_measures, measure_images
from src.plan.class_weights import LossWeights
from tests.small_training import SMALL, small_params, train_on
from tests.test_loss_terms import terms_reference
from tests.test_losses import reference


@pytest.fixture(autouse=True)
def float32():
    """Use float32 in each test, whatever this machine would choose, and restore the policy afterwards."""
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_global_policy("float32")
    yield
    keras.mixed_precision.set_global_policy(before)


def train_small(store, **changes):
    """Run a small training, with checkpoints next to the store; `changes`: to params.yaml."""
    return train_on(store, store.folder.parent / "checkpoints", small_params(**changes))


def test_training_keeps_the_weights_of_the_best_epoch(store):
    training = train_small(store, **{"train.epochs": 5})
    assert [row["epoch"] for row in training.history] == [1, 2, 3, 4, 5]
    assert training.best["val_dice"] == max(row["val_dice"] for row in training.history)
    predictor = Predictor(training.model, training.project)
    loss, tally = measure_images(predictor, store, range(8, 12), LossWeights())
    for name, value in epoch_measures(loss, tally, store.dataset).items():
        assert value == pytest.approx(training.best[f"val_{name}"], abs=1e-6)


def test_equal_seeds_give_equal_trainings(store):
    runs = []
    for seed in (3, 3, 4):
        training = train_small(store, seed=seed, **{"train.epochs": 2})
        training.checkpoint.discard()
        runs.append(training.history)
    assert runs[0] == runs[1] != runs[2]


def test_class_weights_change_what_is_learned(store):
    first = [train_small(store, **{"train.epochs": 1, "train.loss.class_weights": kind}) for kind in ("none", "root")]
    losses = [training.history[0]["loss"] for training in first]
    assert losses[0] != pytest.approx(losses[1], rel=1e-3)
    assert [bool(training.loss.classes) for training in first] == [False, True]


def test_validation_is_measured_over_whole_images(store, params):
    """Sums over tiles equal the definitions on whole images of mixed sizes."""
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
        shorter_side=0,
        depth=2,
    )
    predictor = Predictor(build_unet(chosen.model, 3, 3), project, tile=32)
    loss, tally = measure_images(predictor, store, range(5), LossWeights())
    found = epoch_measures(loss, tally, store.dataset)
    logits = [predictor.logits(store.image(index)) for index in range(5)]
    flat_logits = np.concatenate([part.reshape(1, -1, 1, 3) for part in logits], axis=1)
    flat_truth = np.concatenate([np.array(store.mask(index)).reshape(1, -1, 1) for index in range(5)], axis=1)
    assert found["loss"] == pytest.approx(reference(flat_logits, flat_truth, LossWeights(), [0, 1, 2]), rel=1e-4)
    decide = predictor.outputs.decide
    counts = np.stack([confusion_matrix(store.mask(i), decide(part), 3) for i, part in enumerate(logits)])
    assert found["dice"] == pytest.approx(mean_over_classes(dice(pixel_counts(counts, LabelFormat(3))), [0, 1, 2]))
    terms = LossWeights(dice=0.0, focal=1.0)
    further, _ = measure_images(predictor, store, range(5), terms)
    assert further == pytest.approx(terms_reference(flat_logits, flat_truth, terms, [0, 1, 2]), rel=1e-4)
    weights = LossWeights(classes=(0.5, 2.0, 1.5))
    weighted, _ = measure_images(predictor, store, range(5), weights)
    assert weighted == pytest.approx(reference(flat_logits, flat_truth, weights, [0, 1, 2]), rel=1e-4) != found["loss"]
    assert found["accuracy"] == pytest.approx(np.trace(counts.sum(axis=0)) / counts.sum())


@pytest.mark.parametrize(
    ("good", "words"), [(0, "step 1, in the first step"), (5, r"2, step 2: lower train\.lr \(0\.01\)")]
)
def test_a_training_loss_that_is_not_finite_stops_training_with_a_message(store, monkeypatch, good, words):
    def broken(self, steps, batch, part):
        for step, _ in enumerate(steps):
            yield np.full((4, 16, 16, 3), step if step < good else np.nan, np.float32), np.zeros((4, 16, 16), np.uint8)

    monkeypatch.setattr("src.data.crops.sampling.Patches.batches", broken)
    with pytest.raises(UserError, match=rf"the loss became nan in epoch .*{words}"):
        train_small(store)


def test_a_validation_loss_that_is_not_finite_stops_training_with_a_message(store, monkeypatch):
    monkeypatch.setattr(train, "measure_images", lambda *_: (np.nan, np.ones((4, 3, 3), np.int64)))
    with pytest.raises(
        UserError, match=r"the validation loss became nan in epoch 1, step \d+: lower train\.lr .* float16"
    ):
        train_small(store, **{"train.precision": "float16"})


def test_the_first_of_equally_good_epochs_is_kept():
    model, project = SimpleNamespace(get_weights=lambda: []), SimpleNamespace(classes=["a", "b"])
    training = Training(model, None, project, *[None] * 5)
    kept = [
        training.finish_epoch({"epoch": epoch, "val_dice": value})
        for epoch, value in enumerate([0.1, 0.3, 0.3, 0.2], 1)
    ]
    assert kept == [True, True, False, False] and training.best["epoch"] == 2


def test_a_lasting_warning_is_printed_when_it_begins_and_at_the_end(store, monkeypatch, capsys):
    found = iter([{}, {"constant": "all grey"}, {"constant": "all grey"}, {"constant": "all grey"}])
    monkeypatch.setattr(train, "training_warnings", lambda *_: next(found))
    train_small(store, **{"train.epochs": 4})
    assert [line for line in capsys.readouterr().out.splitlines() if "warning" in line] == ["warning: all grey"] * 2
