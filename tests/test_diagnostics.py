"""Warnings name what goes wrong in a training and its likely cause; a healthy training gives none."""

import numpy as np
import pytest

from src.data.source.dataset import Dataset
from src.files import read_csv
from src.model.training import diagnostics
from tests.conftest import ROOT

BINARY = Dataset(classes={0: "background", 1: "cell"})
THREE = Dataset(classes={0: "ocean", 1: "land", 2: "lake"})
HEALTHY = [[900, 20, 5], [30, 400, 5], [2, 3, 20]]  # pixels of the row's class predicted as the column's
BLIND = [[600, 300, 25], [290, 130, 15], [16, 8, 1]]  # the prediction tells nothing of the truth
COMMITTED = [{name: float(value) for name, value in row.items()} for row in read_csv(ROOT / "plots/history.csv")]


def rows_of(losses, val_dice=None):
    """A history with these training losses; validation Dice rises if it is not given."""
    val_dice = np.linspace(0.1, 0.8, len(losses)) if val_dice is None else val_dice
    return [
        {"epoch": epoch, "loss": loss, "val_dice": dice}
        for epoch, (loss, dice) in enumerate(zip(losses, val_dice, strict=True), 1)
    ]


def falling(epochs):
    return rows_of(np.geomspace(1.5, 0.3, epochs))


def said(rows, images, params, dataset=THREE, crops=HEALTHY, **changes):
    """The warnings of a training of 12 epochs; crops and images: confusion matrices of one patch and one image."""
    chosen = params(
        **({"train.epochs": 12, "train.steps": 1200} | {f"train.{name}": value for name, value in changes.items()})
    ).train
    counted = (np.array(counts, np.int64) for counts in (crops, images))
    return diagnostics.training_warnings(rows, *counted, dataset, chosen)


def test_a_healthy_training_gives_no_warning(params):
    for history in (COMMITTED, falling(20)):
        for epoch in range(1, len(history) + 1):
            assert said(history[:epoch], HEALTHY, params, epochs=len(history)) == {}


@pytest.mark.parametrize(
    "images",
    [
        [[0, 0, 0], [0, 0, 0], [0, 0, 0]],  # all ignored
        [[1000, 0, 0], [0, 0, 0], [0, 0, 0]],  # one class alone, and that was found
        [[900, 10, 0], [20, 400, 0], [0, 0, 0]],  # a class that no image holds
        [[900, 10, 0], [20, 400, 0], [5, 5, 1]],  # a class that is hardly found, but found
    ],
)
def test_classes_that_are_absent_from_validation_give_no_warning(params, images):
    assert said(rows_of([0.3] * 12), images, params, crops=images) == {}


def test_a_constant_prediction_is_named_with_its_likely_cause(params):
    images = [[0, 925, 0], [0, 435, 0], [0, 25, 0]]
    assert said(falling(3), images, params) == {}
    seeing, blind = (said(falling(4), images, params, crops=crops)["constant"] for crops in (HEALTHY, BLIND))
    for text in (seeing, blind):
        assert text.startswith("every validation pixel is predicted as land, which 31.41% of them are: ")
    assert "data.normalise: image" in seeing and "contact-sheet" not in seeing
    assert "train.lr (0.002)" in blind and "data/contact-sheet.png" in blind
    high = said(falling(4), images, params, crops=BLIND, lr=1.0)["constant"]
    assert "train.lr (1) is high: 0.0001 to 0.01 are usual" in high


def test_a_constant_background_suggests_oversampling_if_the_foreground_is_rare(params):
    images = [[99_900, 0], [100, 0]]
    found = said(falling(4), images, params, dataset=BINARY, crops=[[9_000, 0], [1_000, 0]])
    assert list(found) == ["constant"]  # and not that cell is never predicted, which is the same
    assert (
        "as background, which 99.90% of them are" in found["constant"]
        and "raise data.oversample_rare" in found["constant"]
    )


def test_a_constant_prediction_of_the_wrong_class_warns_even_if_the_masks_hold_one_class(params):
    assert "predicted as cell, which 0.00% of" in said(falling(4), [[0, 9], [0, 0]], params, dataset=BINARY)["constant"]


def test_classes_never_predicted_are_listed_with_their_shares(params):
    images = [[900, 20, 0], [30, 400, 0], [2, 3, 0]]
    assert said(falling(3), images, params) == {}
    found = said(falling(4), images, params)
    assert list(found) == ["never predicted"]
    assert "\n  lake: 0.37% of their pixels, 1.81% of this epoch's patches" in found["never predicted"]
    remedy = "set train.loss.class_weights: balanced, or raise data.oversample_rare or train.steps (1200)"
    assert remedy in found["never predicted"]
    assert "splits.csv" not in found["never predicted"]
    by_name = {"loss.class_weights": {"ocean": 1.0, "land": 1.0, "lake": 2.0}}
    raised = said(falling(4), images, params, **by_name)["never predicted"]
    assert "raise their weights in train.loss.class_weights, or raise data.oversample_rare" in raised
    unseen = said(falling(4), images, params, crops=[[900, 20, 0], [30, 400, 0], [0, 0, 0]])["never predicted"]
    assert "0.00% of this epoch's patches" in unseen and "plots/splits.csv" in unseen


def test_oversampling_is_not_suggested_for_a_frequent_class(params):
    text = said(falling(4), [[900, 0, 20], [30, 0, 400], [2, 0, 30]], params, lr=1.0)["never predicted"]
    assert "\n  land: 31.11% of" in text and "train.lr (1) is high" in text and "data.oversample_rare" not in text


def test_predictions_are_judged_after_a_third_of_the_epochs_or_at_the_end(params):
    images = [[0, 925, 0], [0, 435, 0], [0, 25, 0]]
    for epochs, first in ((1, 1), (2, 2), (6, 3), (12, 4), (100, 34)):
        judged = [epoch for epoch in range(1, epochs + 1) if said(falling(epoch), images, params, epochs=epochs)]
        assert judged[0] == first


@pytest.mark.parametrize(("lr", "hint"), [(1e-6, "is low"), (1.0, "is high"), (2e-3, "a tenth and ten times")])
def test_a_constant_loss_warns_if_nothing_was_learned(params, lr, hint):
    losses = [2.1, 2.09, 2.11, 2.1, 2.09, 2.08]
    assert said(rows_of(losses[:4]), BLIND, params, crops=BLIND, lr=lr) == {}
    text = said(rows_of(losses), BLIND, params, crops=BLIND, lr=lr)["no learning"]
    assert "in the last 4 epochs: the lowest training loss was 2.09 before and 2.08 since" in text
    assert hint in text and "data/contact-sheet.png" in text


def test_a_constant_loss_gives_no_warning_once_predictions_agree_with_the_masks(params):
    """This also holds if the patches of an epoch happen to hold one class, or ignored pixels only."""
    still = rows_of([1.5, 0.5] + [0.3] * 10)
    for crops in (HEALTHY, BLIND, [[1000, 0, 0], [0, 0, 0], [0, 0, 0]]):
        assert said(still, HEALTHY, params, crops=crops) == {}


def test_a_falling_loss_gives_no_warning(params):
    assert said(rows_of([2.1, 2.0, 1.9, 1.8, 1.7, 1.6]), BLIND, params, crops=BLIND) == {}


def test_overfitting_warns_only_at_the_end(params):
    val_dice = [0.4, 0.6, 0.7, 0.69, 0.66, 0.66, 0.65, 0.6, 0.62, 0.6, 0.61, 0.6]
    rows = rows_of(np.geomspace(1.5, 0.2, 12), val_dice)
    assert said(rows[:11], HEALTHY, params) == {}
    text = said(rows, HEALTHY, params)["overfitting"]
    assert text.startswith("validation was best in epoch 3 of 12 (Dice 0.700, later 0.620)")
    assert said(rows_of([row["loss"] for row in rows], [*val_dice[:11], 0.69]), HEALTHY, params) == {}  # no worse
    assert said(rows_of(np.linspace(2.1, 2.05, 12), val_dice), HEALTHY, params) == {}  # training did not get better
    assert said(rows_of([1.5, 0.9, 0.8], [0.7, 0.6, 0.5]), HEALTHY, params, epochs=3) == {}  # too few to tell


def test_cohen_kappa_equals_hand_calculations():
    assert diagnostics.cohen_kappa(np.array([[20, 5], [10, 15]])) == pytest.approx(0.4)
    assert diagnostics.cohen_kappa(np.array([[50, 0], [50, 0]])) == 0
    assert diagnostics.cohen_kappa(np.diag([5, 6, 7])) == pytest.approx(1)
    assert np.isnan(diagnostics.cohen_kappa(np.array([[20, 5], [0, 0]]))) and np.isnan(
        diagnostics.cohen_kappa(np.zeros((2, 2), int))
    )


def test_a_loss_that_is_not_finite_is_blamed_on_the_learning_rate_only_after_a_step(params):
    chosen = params().train
    later = diagnostics.not_finite_message(float("nan"), 2, 1, chosen)
    assert later.startswith("the loss became nan in epoch 2, step 1: lower train.lr (0.002)")
    first = diagnostics.not_finite_message(float("inf"), 1, 1, chosen)
    assert first.startswith("the loss became inf in epoch 1, step 1, in the first step") and "train.lr" not in first
