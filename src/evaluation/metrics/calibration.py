"""Whether a predicted probability may be read as one: counts by probability, added up over pixels."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from src.evaluation.metrics.confusion import Counts, Scores, ratio

FINE = 300  # bins of the precision–recall curve
BINS = 15  # bins of the calibration error, as in Guo et al. 2017; each is some of the fine ones
VALUES = 2**22  # probabilities looked at together: bounds the memory, whatever the number of classes
RELIABILITY = ["class", "probability", "frequency", "pixels"]
PRECISION_RECALL = ["class", "threshold", "precision", "recall"]


def probabilities(logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float32]:
    """Logits [..., n] divided by the temperature, as probabilities [..., classes]: a sigmoid of one, else a softmax."""
    if logits.shape[-1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=-1)
    return np.asarray(softmax(logits / np.float32(temperature), axis=-1), np.float32)


def negative_log_likelihood(logits: NDArray[np.float32], labels: NDArray[np.uint8], temperature: float) -> float:
    """Negative log-likelihood of the labels [n], their mean; logits [n, 1] or [n, classes]. NaN of no label."""
    if not len(labels):
        return float("nan")
    if logits.shape[-1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=-1)
    return -float(log_softmax(logits.astype(float) / temperature, axis=-1)[np.arange(len(labels)), labels].mean())


class Calibration:
    """Counts of pixels by predicted probability, at a temperature. Ignored pixels count nowhere.

    pixels: int64 [classes, FINE, 2], by the class's probability, those of other classes and those of this one; sums:
    float64 [classes, FINE], of these probabilities. likeliest: float64 [BINS, 3], by the probability of the likeliest
    class: pixels, those that are of it, sum of the probabilities. squares: sum of squared errors over pixels and
    classes.
    """

    def __init__(self, classes: int, temperature: float = 1.0) -> None:
        self.temperature = temperature
        self.pixels: Counts = np.zeros((classes, FINE, 2), np.int64)
        self.sums = np.zeros((classes, FINE))
        self.likeliest = np.zeros((BINS, 3))
        self.squares = 0.0

    def add(self, logits: NDArray[np.float32], truth: NDArray[np.uint8]) -> None:
        """logits: float32 [height, width, n]; truth: class indices uint8 [height, width]."""
        classes = len(self.pixels)
        step = max(1, VALUES // (truth.shape[1] * classes))
        for top in range(0, len(truth), step):
            labels = truth[top : top + step]
            counted = labels < classes
            self._add(probabilities(logits[top : top + step][counted], self.temperature), labels[counted])

    def _add(self, predicted: NDArray[np.float32], labels: NDArray[np.uint8]) -> None:
        for label in range(len(self.pixels)):
            probability, of_it = predicted[:, label], labels == label
            place = np.minimum((probability * FINE).astype(np.int64), FINE - 1)
            self.pixels[label] += np.bincount(2 * place + of_it, minlength=2 * FINE).reshape(FINE, 2)
            self.sums[label] += np.bincount(place, probability, FINE)
            self.squares += float(np.square(probability - of_it, dtype=np.float64).sum())
        highest, right = predicted.max(axis=1), predicted.argmax(axis=1) == labels
        place = np.minimum((highest * BINS).astype(np.int64), BINS - 1)
        self.likeliest += np.stack([np.bincount(place, weights, BINS) for weights in (None, right, highest)], axis=1)

    def summary(self) -> dict[str, float]:
        """For metrics/test.json."""
        return {"ece": self.error(), "brier": self.brier()}

    def error(self) -> float:
        """Expected calibration error of the likeliest class (Guo et al. 2017, https://arxiv.org/abs/1706.04599)."""
        pixels, right, confidence = self.likeliest.T
        return float(np.abs(right - confidence).sum() / pixels.sum()) if pixels.any() else float("nan")

    def brier(self) -> float:
        """Mean over the pixels of the squared error, summed over the classes; of two classes, of either of them."""
        pixels = self.likeliest[:, 0].sum() * (2 if len(self.pixels) == 2 else 1)
        return float(self.squares / pixels) if pixels else float("nan")

    def reliability(self, names: Sequence[str], shown: Sequence[int]) -> Iterator[dict[str, Any]]:
        """A row for each class of `shown` and each of `BINS` bins of its probability that holds any pixel."""
        for label in shown:
            pixels = self.pixels[label].reshape(BINS, -1, 2).sum(axis=1)
            sums = self.sums[label].reshape(BINS, -1).sum(axis=1)
            for (others, own), total in zip(pixels, sums, strict=True):
                if both := int(others + own):
                    values = {"probability": round(total / both, 6), "frequency": round(own / both, 6)}
                    yield {"class": names[label], **values, "pixels": both}

    def precision_recall(self, names: Sequence[str], shown: Sequence[int]) -> Iterator[dict[str, Any]]:
        """A row for each class of `shown` and each hundredth of its probability, from which a pixel would be of it."""
        for label in shown:
            others, own = self.pixels[label][::-1].cumsum(axis=0)[::-1].T
            precision, recall = _share(own, own + others), _share(own, np.full(FINE, own[0]))
            for place in range(0, FINE, FINE // 100):
                if not np.isnan(precision[place]) and not np.isnan(recall[place]):
                    values = {"precision": round(precision[place], 6), "recall": round(recall[place], 6)}
                    yield {"class": names[label], "threshold": round(place / FINE, 6), **values}


def _share(part: Counts, whole: Counts) -> Scores:
    return ratio(np.asarray(part), np.asarray(whole))
