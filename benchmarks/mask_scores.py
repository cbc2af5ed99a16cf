"""Score mask files against the true ones: NumPy and OpenCV only, and nothing of what this project scores with.

The same numbers for every program that writes masks. Masks of two classes hold foreground above 0; masks of more
classes hold class indices.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Coding:
    """How masks hold classes.

    Attributes:
        classes: 2 or more.
        ignored: value of pixels in true masks that are not scored; None if there is none.
        background: index of the class that means leave out; None if they all count.
    """

    classes: int
    ignored: int | None = None
    background: int | None = 0

    @property
    def scored(self) -> list[int]:
        """Indices of the classes that means are over."""
        return [label for label in range(self.classes) if label != self.background]


@dataclass(frozen=True)
class MaskScores:
    """Scores of a set of masks, over the classes without the background.

    Attributes:
        images: how many were compared.
        miou: IoU of each class from the pixels of all images together, then the mean over classes that occur.
        dice: for each class the mean of its Dice over the images where it is true or predicted, then the mean over
            classes that occur.
    """

    images: int
    miou: float
    dice: float


def score_masks(truth: Path, predicted: Path, names: Sequence[str], coding: Coding) -> MaskScores:
    """Compare two folders of masks.

    Args:
        truth: folder of the true masks.
        predicted: folder of the predicted masks, whose names without suffix are the same.
        names: of the masks to compare, without suffix.
        coding: how the masks hold classes.

    Raises:
        ValueError: a predicted mask is missing, or has another size or a class that does not exist.
    """
    true, guessed = files(truth), files(predicted)
    if missing := [name for name in names if name not in guessed]:
        raise ValueError(f"{predicted}: no mask for {len(missing)} of {len(names)} images, such as {missing[0]}")
    rows = [counts(read_mask(true[name]), read_mask(guessed[name]), name, coding) for name in names]
    return summary(np.array(rows), coding)


def files(folder: Path) -> dict[str, Path]:
    """Name without suffix → file."""
    return {path.stem: path for path in sorted(folder.iterdir())}


def read_mask(path: Path) -> NDArray[np.int64]:
    """Read the first channel, [height, width]."""
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError(f"{path}: OpenCV cannot read it")
    return (pixels if pixels.ndim == 2 else pixels[..., 0]).astype(np.int64)


def counts(true: NDArray[np.int64], predicted: NDArray[np.int64], name: str, coding: Coding) -> NDArray[np.int64]:
    """Count the pixels of one image, without the ignored ones.

    Args:
        true: stored values [height, width].
        predicted: the same.
        name: of the image, for messages.
        coding: how the masks hold classes.

    Returns:
        [3, classes]: pixels where both masks have the class, where it is true, and where it is predicted.
    """
    if true.shape != predicted.shape:
        raise ValueError(f"{name}: the true mask is {true.shape}, the predicted one {predicted.shape}")
    kept = true != coding.ignored if coding.ignored is not None else np.full(true.shape, True)
    true, predicted = true[kept], predicted[kept]
    if coding.classes == 2:
        true, predicted = (true > 0).astype(np.int64), (predicted > 0).astype(np.int64)
    if max(true.max(initial=0), predicted.max(initial=0)) >= coding.classes:
        raise ValueError(f"{name}: a mask holds a value above {coding.classes - 1}, the last class")
    parts = true[true == predicted], true, predicted
    return np.stack([np.bincount(part, minlength=coding.classes) for part in parts])


def summary(rows: NDArray[np.int64], coding: Coding) -> MaskScores:
    """Compute the scores from the counts of all images, [images, 3, classes].

    A class that occurs nowhere is left out of the means; they are NaN if no class occurs.
    """
    both, size = rows[:, 0].astype(float), (rows[:, 1] + rows[:, 2]).astype(float)
    with np.errstate(invalid="ignore"):
        dice = 2 * both / size
        pooled = both.sum(0) / (size.sum(0) - both.sum(0))
    occurring = [label for label in coding.scored if size[:, label].any()]
    if not occurring:
        return MaskScores(len(rows), float("nan"), float("nan"))
    of_classes = [float(np.nanmean(dice[:, label])) for label in occurring]
    return MaskScores(len(rows), float(pooled[occurring].mean()), float(np.mean(of_classes)))
