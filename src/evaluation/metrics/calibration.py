"""Calibration: do predicted probabilities equal observed frequencies? Pixels are counted by predicted probability."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from src.evaluation.metrics.confusion import Counts, Scores, ratio

CURVE_BINS = 300  # bins of probability for the precision-recall curve
BINS = 15  # bins of the calibration error, as in Guo et al. 2017; each consists of several CURVE_BINS
TOGETHER = 2**22  # probabilities that are computed at a time; bounds the memory for any number of classes
RELIABILITY = ["class", "probability", "frequency", "pixels"]
PRECISION_RECALL = ["class", "threshold", "precision", "recall"]


def probabilities(logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float32]:
    """Convert logits to class probabilities.

    Args:
        logits: float32 [..., 1] for two classes (the sigmoid's logit of class 1), else [..., classes].
        temperature: Divides the logits; above 1 it makes probabilities less extreme.

    Returns:
        float32 [..., classes] from 0 to 1, summing to 1.
    """
    return np.asarray(softmax(_class_logits(logits) / np.float32(temperature), axis=-1), np.float32)


def negative_log_likelihood(logits: NDArray[np.float32], labels: NDArray[np.uint8], temperature: float) -> float:
    """Compute the mean negative log-likelihood of labels (cross-entropy in nats).

    Args:
        logits: float32 [n, 1] or [n, classes], as in `probabilities`.
        labels: True class indices, uint8 [n].
        temperature: Divides the logits.

    Returns:
        The mean over labels; NaN if there are none.
    """
    if not len(labels):
        return float("nan")
    scaled = _class_logits(logits).astype(float) / temperature
    return -float(log_softmax(scaled, axis=-1)[np.arange(len(labels)), labels].mean())


def _class_logits(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits of all classes: a sigmoid's single logit is a softmax's with 0 for class 0."""
    return np.concatenate([np.zeros_like(logits), logits], axis=-1) if logits.shape[-1] == 1 else logits


class Calibration:
    """Sums over pixels by predicted probability, at one temperature. Ignored pixels do not count.

    Args:
        classes: Number of classes.
        temperature: Divides the logits.

    Attributes:
        pixels: int64 [classes, CURVE_BINS, 2]: pixels by their predicted probability of the class; how many are of
            another class, and how many are of it.
        sums: float64 [classes, CURVE_BINS]: the sums of these probabilities.
        likeliest: float64 [BINS, 3], by the probability of a pixel's most probable class: pixels, pixels that are of
            that class, and the sum of the probabilities.
        squares: The sum of squared errors over pixels and classes.
    """

    def __init__(self, classes: int, temperature: float = 1.0) -> None:
        self.temperature = temperature
        self.pixels: Counts = np.zeros((classes, CURVE_BINS, 2), np.int64)
        self.sums = np.zeros((classes, CURVE_BINS))
        self.likeliest = np.zeros((BINS, 3))
        self.squares = 0.0

    def add(self, logits: NDArray[np.float32], truth: NDArray[np.uint8]) -> None:
        """Add the pixels of an image or a tile.

        Args:
            logits: float32 [height, width, 1 or classes].
            truth: Class indices, uint8 [height, width]. Pixels of `classes` or more are ignored.
        """
        classes = len(self.pixels)
        step = max(1, TOGETHER // (truth.shape[1] * classes))
        for top in range(0, len(truth), step):
            labels = truth[top : top + step]
            counted = labels < classes
            self._add(probabilities(logits[top : top + step][counted], self.temperature), labels[counted])

    def _add(self, predicted: NDArray[np.float32], labels: NDArray[np.uint8]) -> None:
        for label in range(len(self.pixels)):
            probability, is_class = predicted[:, label], labels == label
            place = np.minimum((probability * CURVE_BINS).astype(np.int64), CURVE_BINS - 1)
            counts = np.bincount(2 * place + is_class, minlength=2 * CURVE_BINS)
            self.pixels[label] += counts.reshape(CURVE_BINS, 2)
            self.sums[label] += np.bincount(place, probability, CURVE_BINS)
            self.squares += float(np.square(probability - is_class, dtype=np.float64).sum())
        highest, right = predicted.max(axis=1), predicted.argmax(axis=1) == labels
        place = np.minimum((highest * BINS).astype(np.int64), BINS - 1)
        self.likeliest += np.stack([np.bincount(place, weights, BINS) for weights in (None, right, highest)], axis=1)

    def summary(self) -> dict[str, float]:
        """Return both scores by the names that metrics/test.json uses."""
        return {"ece": self.expected_calibration_error(), "brier": self.brier_score()}

    def expected_calibration_error(self) -> float:
        """Return the expected calibration error of the most probable class, from 0 to 1; NaN if no pixel counts.

        It is the mean over pixels of |accuracy - mean probability| of their bin (Guo et al. 2017,
        https://arxiv.org/abs/1706.04599).
        """
        pixels, right, confidence = self.likeliest.T
        return float(np.abs(right - confidence).sum() / pixels.sum()) if pixels.any() else float("nan")

    def brier_score(self) -> float:
        """Return the mean over pixels of the squared error, summed over classes; NaN if no pixel counts (Brier 1950).

        For two classes it is the squared error of one of them, from 0 to 1, as in scikit-learn; otherwise from 0 to 2.
        """
        pixels = self.likeliest[:, 0].sum() * (2 if len(self.pixels) == 2 else 1)
        return float(self.squares / pixels) if pixels else float("nan")

    def reliability(self, names: Sequence[str], shown: Sequence[int]) -> Iterator[dict[str, object]]:
        """Yield the points of a reliability diagram: a row of `RELIABILITY` for each class and bin that holds pixels.

        Args:
            names: Names of all classes.
            shown: Indices of the classes to include.
        """
        for label in shown:
            pixels = self.pixels[label].reshape(BINS, -1, 2).sum(axis=1)
            sums = self.sums[label].reshape(BINS, -1).sum(axis=1)
            for (others, own), total in zip(pixels, sums, strict=True):
                if both := int(others + own):
                    values = {"probability": round(total / both, 6), "frequency": round(own / both, 6)}
                    yield {"class": names[label], **values, "pixels": both}

    def precision_recall(self, names: Sequence[str], shown: Sequence[int]) -> Iterator[dict[str, object]]:
        """Yield the points of a precision-recall curve: a row of `PRECISION_RECALL` for each class and threshold.

        Thresholds are multiples of 0.01. Points at which precision or recall is undefined are left out.

        Args:
            names: Names of all classes.
            shown: Indices of the classes to include.
        """
        for label in shown:
            others, own = self.pixels[label][::-1].cumsum(axis=0)[::-1].T
            precision, recall = _share(own, own + others), _share(own, np.full(CURVE_BINS, own[0]))
            for place in range(0, CURVE_BINS, CURVE_BINS // 100):
                if not np.isnan(precision[place]) and not np.isnan(recall[place]):
                    values = {"precision": round(precision[place], 6), "recall": round(recall[place], 6)}
                    yield {"class": names[label], "threshold": round(place / CURVE_BINS, 6), **values}


def _share(part: Counts, whole: Counts) -> Scores:
    return ratio(np.asarray(part), np.asarray(whole))
