"""What goes wrong in training, in words: the symptom, its likely cause, and the setting that helps."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from src.data.source.dataset import Dataset
from src.errors import listing
from src.params import PlannedTrain

FEWEST = 3  # epochs that anything is judged by: the first is spent on warm-up and the classes' shares
SLIGHT = 0.2  # Cohen's kappa below which agreement is called slight (Landis and Koch 1977)
FALL = 0.05  # share by which the loss must fall to count as learning; the draw of the crops alone moves it by 2 %
WORSE = 0.02  # Dice by which validation must fall to count as worse; that of the bundled sample wavers by 0.01
EASY = 0.95  # share of the pixels from which always naming one class is the obvious guess
USUAL_RATES = 1e-4, 1e-2  # in which Adam trains a network with batch normalisation

Row = Mapping[str, float]  # an epoch of plots/history.csv
Counts = NDArray[np.int64]
MASKS = "do the masks belong to the images, and is each value what it should be (data/contact-sheet.png)?"


def complaints(
    rows: Sequence[Row], crops: Counts, images: Counts, dataset: Dataset, params: PlannedTrain
) -> dict[str, str]:
    """What is wrong after the epoch of the last of `rows`: a name for each kind of trouble → the sentences to show.

    crops, images: confusions of all of that epoch's crops and of all validation images [classes, classes], see
    src/evaluation/metrics/confusion.py. The name of a trouble stays while its numbers change, so whoever calls
    this after every epoch can show each trouble once, when it begins, and those of the last epoch again at the end.
    """
    found = {
        "constant": _constant(rows, crops, images, dataset.names, params),
        "never predicted": _never_predicted(rows, crops, images, dataset.names, params),
        "no learning": _no_learning(rows, crops, images, params),
        "overfitting": _overfitting(rows, params),
    }
    return {name: text for name, text in found.items() if text}


def not_finite(loss: float, epoch: int, step: int, params: PlannedTrain, name: str = "loss") -> str:
    """Why training stops at a loss of nan or inf in a step of an epoch, both counted from 1."""
    what = f"the {name} became {loss} in epoch {epoch}, step {step}"
    half = "; or set train.precision: float32, since float16 ends at 65504" if params.precision == "float16" else ""
    if (epoch, step) == (1, 1):  # no weight was changed yet: the learning rate had no part in it
        return f"{what}, before anything was learned: the images' values, or weights in train.loss, are too large{half}"
    return f"{what}: lower train.lr ({params.lr:g}), or let it rise more slowly: train.warmup ({params.warmup:g}){half}"


def patience(params: PlannedTrain) -> int:
    """Epochs after which a trouble is no teething trouble any more.

    A third of them, since rare classes come late, and the rest is enough to see that a warning was wrong; but at least
    `FEWEST`.
    """
    return max(FEWEST, math.ceil(params.epochs / 3))


def kappa(counts: Counts) -> float:
    """Cohen's kappa of a confusion [classes, classes]; NaN unless the truth holds two classes.

    1 if every pixel is right, 0 if the prediction tells nothing of the truth: unlike accuracy and Dice, whatever the
    shares of the classes.
    """
    truth, predicted = _shares(counts), _shares(counts.T)
    if np.count_nonzero(truth) < 2:
        return math.nan
    right, chance = float(np.trace(counts) / counts.sum()), float(truth @ predicted)
    return (right - chance) / (1 - chance)


def _constant(rows: Sequence[Row], crops: Counts, images: Counts, names: Sequence[str], params: PlannedTrain) -> str:
    """All validation pixels are predicted as one class, though they hold others."""
    predicted, shares = np.flatnonzero(images.sum(axis=0)), _shares(images)
    if _early(rows, params) or len(predicted) != 1 or shares[predicted[0]] == 1:
        return ""
    label = int(predicted[0])
    what = f"every validation pixel is predicted as {names[label]}, which {_percent(shares[label])} of them are"
    if kappa(crops) >= SLIGHT:
        hint = (
            "the training crops are told apart, so the validation images look different to the network: "
            f"data.normalise: image, or a lower train.lr ({params.lr:g})"
        )
    elif shares[label] >= EASY:
        hint = f"the obvious guess where the others are so rare: raise data.oversample_rare or train.steps ({params.steps})"  # noqa: E501
    else:
        hint = f"{_rate(params)}; {MASKS}"
    return f"{what}: {hint}"


def _never_predicted(
    rows: Sequence[Row], crops: Counts, images: Counts, names: Sequence[str], params: PlannedTrain
) -> str:
    """Classes that the validation images hold and no pixel is predicted as; a constant prediction is told as such."""
    predicted, shares, seen = images.sum(axis=0), _shares(images), _shares(crops)
    missed = np.flatnonzero((shares > 0) & (predicted == 0)).tolist()
    if _early(rows, params) or not missed or np.count_nonzero(predicted) == 1:
        return ""
    lines = [
        f"{names[label]}: {_percent(shares[label])} of their pixels, {_percent(seen[label])} of this epoch's crops"
        for label in missed
    ]
    rare = shares[missed].max() < 0.5 / len(
        names
    )  # what data.oversample_rare draws more often, see rare_classes in src/data/crops/sampling.py
    remedy = f"raise data.oversample_rare or train.steps ({params.steps})" if rare else _rate(params)
    hint = f"{remedy}; {MASKS}"
    if (seen[missed] == 0).any():
        hint += " What no crop holds cannot be learned: do the training images hold it (plots/splits.csv)?"
    return f"classes that the validation images hold are never predicted: {hint}\n{listing(lines)}"


def _no_learning(rows: Sequence[Row], crops: Counts, images: Counts, params: PlannedTrain) -> str:
    """The training loss stands still while predictions tell next to nothing of the truth.

    Every loss stands still in the end: without the second condition, all that has been learned would be a complaint.
    """
    epochs = patience(params)
    agreement = [value for value in (kappa(crops), kappa(images)) if not math.isnan(value)]
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
    """At the end: validation was best in the first third of the epochs and clearly worse in the last."""
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
        f"{late:.3f}) while training went on getting better: fewer train.steps or more augmentation (augment) would do"
    )


def _early(rows: Sequence[Row], params: PlannedTrain) -> bool:
    """Whether it is too soon to judge what is predicted; the last epoch never is."""
    return len(rows) < min(patience(params), params.epochs)


def _rate(params: PlannedTrain) -> str:
    """What to do about the learning rate."""
    low, high = USUAL_RATES
    if low <= params.lr <= high:
        return f"try a tenth and ten times of train.lr ({params.lr:g})"
    return f"train.lr ({params.lr:g}) is {'low' if params.lr < low else 'high'}: {low:g} to {high:g} are usual"


def _shares(counts: Counts) -> NDArray[np.float64]:
    """float64 [classes]: each class's share of the counted pixels, by the truth; 0 if no pixel counts."""
    return counts.sum(axis=1) / max(counts.sum(), 1)


def _percent(share: float) -> str:
    return f"{share:.2%}" if share == 0 or share >= 1e-4 else "less than 0.01%"
