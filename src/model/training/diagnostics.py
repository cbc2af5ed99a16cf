"""Recognise a training that goes wrong: the symptom, its likely cause, and the setting that helps."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from src.data.crops.sampling import EVEN_SHARE
from src.data.source.dataset import Dataset
from src.errors import listing
from src.params import PlannedTrain

FEWEST = 3  # epochs before anything is judged: the first ones go to warm-up and to learning how frequent classes are
SLIGHT = 0.2  # Cohen's kappa below which agreement is called slight (Landis and Koch 1977)
FALL = 0.05  # the loss must fall by this share to count as learning; random patches alone move it by 2 %
WORSE = 0.02  # validation Dice must fall by this to count as worse; on the bundled sample it varies by 0.01
EASY = 0.95  # if one class has this share of the pixels, predicting it everywhere is the obvious guess
USUAL_RATES = 1e-4, 1e-2  # learning rates with which Adam trains a network with batch normalisation

Row = Mapping[str, float]  # an epoch of plots/history.csv
Counts = NDArray[np.int64]  # a confusion matrix [classes, classes]: true class, predicted class
TOO_LARGE = "values of the images, or weights in train.loss, are too large"
MASKS = "do the masks belong to the images, and is each value what it should be (data/contact-sheet.png)?"


def training_warnings(
    rows: Sequence[Row], patches: Counts, images: Counts, dataset: Dataset, params: PlannedTrain
) -> dict[str, str]:
    """Find what is wrong after an epoch.

    Args:
        rows: history of all epochs so far.
        patches: confusion matrix of all patches of the last epoch.
        images: confusion matrix of all validation images after it.
        dataset: names the classes.
        params: settings of the training.

    Returns:
        Name of the problem → the warning to show. While a problem lasts, its name stays and its numbers change.
    """
    found = {
        "constant": _constant(rows, patches, images, dataset.names, params),
        "never predicted": _never_predicted(rows, patches, images, dataset.names, params),
        "no learning": _no_learning(rows, patches, images, params),
        "overfitting": _overfitting(rows, params),
    }
    return {name: text for name, text in found.items() if text}


def not_finite_message(loss: float, epoch: int, step: int, params: PlannedTrain, name: str = "loss") -> str:
    """Explain why training stops at a loss of NaN or infinity.

    Args:
        loss: NaN or infinity.
        epoch: from 1.
        step: within the epoch, from 1.
        params: settings of the training.
        name: of the loss.
    """
    what = f"the {name} became {loss} in epoch {epoch}, step {step}"
    half = "; or set train.precision: float32, since float16 ends at 65504" if params.precision == "float16" else ""
    if (epoch, step) == (1, 1):  # no weight has changed yet, so the learning rate is not the cause
        return f"{what}, in the first step: {TOO_LARGE}{half}"
    return f"{what}: lower train.lr ({params.lr:g}), or let it rise more slowly: train.warmup ({params.warmup:g}){half}"


def grace(params: PlannedTrain) -> int:
    """Epochs after which a problem is no longer normal for an early epoch: a third of all, but at least `FEWEST`.

    Rare classes are learned late. The other two thirds are enough to see that a warning was wrong.
    """
    return max(FEWEST, math.ceil(params.epochs / 3))


def cohen_kappa(counts: Counts) -> float:
    """Cohen's kappa of a confusion matrix: agreement beyond chance.

    It is 1 if every pixel is right, and 0 if the prediction is independent of the truth. Unlike accuracy and Dice, this
    does not depend on the shares of the classes. It is NaN if the truth holds fewer than two classes.
    """
    truth, predicted = _shares(counts), _shares(counts.T)
    if np.count_nonzero(truth) < 2:
        return math.nan
    observed, chance = float(np.trace(counts) / counts.sum()), float(truth @ predicted)
    return (observed - chance) / (1 - chance)


def _constant(rows: Sequence[Row], patches: Counts, images: Counts, names: Sequence[str], params: PlannedTrain) -> str:
    """All validation pixels are predicted as one class, although their masks hold others."""
    predicted, shares = np.flatnonzero(images.sum(axis=0)), _shares(images)
    if _early(rows, params) or len(predicted) != 1 or shares[predicted[0]] == 1:
        return ""
    label = int(predicted[0])
    what = f"every validation pixel is predicted as {names[label]}, which {_percent(shares[label])} of them are"
    if cohen_kappa(patches) >= SLIGHT:
        hint = (
            "predictions agree with the masks of the training patches, but not with those of the validation images: "
            f"data.normalise: image, or a lower train.lr ({params.lr:g})"
        )
    elif shares[label] >= EASY:
        hint = f"the obvious guess where the others are so rare: raise data.oversample_rare or train.steps ({params.steps})"  # noqa: E501
    else:
        hint = f"{_rate(params)}; {MASKS}"
    return f"{what}: {hint}"


def _never_predicted(
    rows: Sequence[Row], patches: Counts, images: Counts, names: Sequence[str], params: PlannedTrain
) -> str:
    """No pixel is predicted as a class that the validation masks hold; `_constant` reports a constant prediction."""
    predicted, shares, seen = images.sum(axis=0), _shares(images), _shares(patches)
    missed = np.flatnonzero((shares > 0) & (predicted == 0)).tolist()
    if _early(rows, params) or not missed or np.count_nonzero(predicted) == 1:
        return ""
    lines = [
        f"{names[label]}: {_percent(shares[label])} of their pixels, {_percent(seen[label])} of this epoch's patches"
        for label in missed
    ]
    rare = shares[missed].max() < EVEN_SHARE / len(names)  # the classes that data.oversample_rare draws more often
    remedy = f"{_heavier(params)}raise data.oversample_rare or train.steps ({params.steps})" if rare else _rate(params)
    hint = f"{remedy}; {MASKS}"
    if (seen[missed] == 0).any():
        hint += " A class in no patch cannot be learned: do the training images hold it (plots/splits.csv)?"
    return f"classes that the validation images hold are never predicted: {hint}\n{listing(lines)}"


def _heavier(params: PlannedTrain) -> str:
    """How to give rare classes more weight in the loss; empty if they have all that a rule can give them."""
    weights = params.loss.class_weights
    if isinstance(weights, str):
        return "" if weights == "balanced" else "set train.loss.class_weights: balanced, or "
    return "raise their weights in train.loss.class_weights, or "


def _no_learning(rows: Sequence[Row], patches: Counts, images: Counts, params: PlannedTrain) -> str:
    """The training loss no longer falls, while predictions hardly agree with the masks.

    Every loss stops falling in the end. Without the second condition, every good training would be reported.
    """
    epochs = grace(params)
    agreement = [value for value in (cohen_kappa(patches), cohen_kappa(images)) if not math.isnan(value)]
    if len(rows) <= epochs or not agreement or max(agreement) >= SLIGHT:
        return ""
    before, last = (min(row["loss"] for row in part) for part in (rows[:-epochs], rows[-epochs:]))
    if last < (1 - FALL) * before:
        return ""
    return (
        f"nothing was learned in the last {epochs} epochs: the lowest training loss was {before:.4g} before and "
        f"{last:.4g} since, and predictions agree with the masks hardly better than chance: {_rate(params)}; {MASKS}"
    )


def _overfitting(rows: Sequence[Row], params: PlannedTrain) -> str:
    """After the last epoch: validation was best in the first third of the epochs and clearly worse in the last."""
    third = len(rows) // 3
    if len(rows) < params.epochs or third < FEWEST:
        return ""
    best = max(rows, key=lambda row: row["val_dice"])
    late = max(row["val_dice"] for row in rows[-third:])
    better = rows[-1]["loss"] < (1 - FALL) * best["loss"]
    if best["epoch"] > third or late > best["val_dice"] - WORSE or not better:
        return ""
    return (
        f"validation was best in epoch {best['epoch']:.0f} of {len(rows)} (Dice {best['val_dice']:.3f}, later "
        f"{late:.3f}) while the training loss kept falling: lower train.steps, or increase augmentation (augment)"
    )


def _early(rows: Sequence[Row], params: PlannedTrain) -> bool:
    """Whether it is too early to judge the predictions; after the last epoch it never is."""
    return len(rows) < min(grace(params), params.epochs)


def _rate(params: PlannedTrain) -> str:
    """Advice on the learning rate."""
    low, high = USUAL_RATES
    if low <= params.lr <= high:
        return f"try a tenth and ten times of train.lr ({params.lr:g})"
    return f"train.lr ({params.lr:g}) is {'low' if params.lr < low else 'high'}: {low:g} to {high:g} are usual"


def _shares(counts: Counts) -> NDArray[np.float64]:
    """Share of each true class in the counted pixels, float64 [classes]; 0 if no pixel counts."""
    return counts.sum(axis=1) / max(counts.sum(), 1)


def _percent(share: float) -> str:
    return f"{share:.2%}" if share == 0 or share >= 1e-4 else "less than 0.01%"
