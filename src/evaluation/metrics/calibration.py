"""Calibration: do predicted probabilities equal observed frequencies? Pixels are counted by predicted probability."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from src.evaluation.metrics.confusion import Counts, Scores, ratio
from src.evaluation.metrics.outputs import Outputs, Values

CURVE_BINS = 300  # bins of probability for the precision-recall curve
BINS = 15  # bins of the calibration error, as in Guo et al. 2017; each consists of several CURVE_BINS
TOGETHER = 2**22  # probabilities that are computed at a time; bounds the memory for any number of classes
RELIABILITY = ["class", "probability", "frequency", "pixels"]
PRECISION_RECALL = ["class", "threshold", "precision", "recall"]


class Calibration:
    """Sums over pixels by predicted probability, at one temperature. Ignored pixels do not count.

    Args:
        outputs: The meaning of logits and labels.
        temperature: Divides the logits.

    Attributes:
        pixels: int64 [classes, CURVE_BINS, 2]: pixels by their predicted probability of the class; how many are not of
            the class, and how many are.
        sums: float64 [classes, CURVE_BINS]: the sums of these probabilities.
        likeliest: float64 [choices, BINS, 3], by the probability of a pixel's most probable class: pixels, pixels that
            are of that class, and the sum of the probabilities. There is one choice. For overlapping classes there is
            one for each, between the class and its absence.
        squares: The sum of squared errors over pixels and classes.
    """

    def __init__(self, outputs: Outputs, temperature: float = 1.0) -> None:
        self.outputs, self.labels, self.temperature = outputs, outputs.labels, temperature
        classes = self.labels.classes
        self.pixels: Counts = np.zeros((classes, CURVE_BINS, 2), np.int64)
        self.sums = np.zeros((classes, CURVE_BINS))
        self.likeliest = np.zeros((classes if self.labels.overlap else 1, BINS, 3))
        self.squares = 0.0

    def add(self, logits: Values, truth: NDArray[np.uint8]) -> None:
        """Add the pixels of an image or a tile.

        Args:
            logits: float32 [height, width, n].
            truth: Labels, uint8 [height, width].
        """
        classes = len(self.pixels)
        step = max(1, TOGETHER // (truth.shape[1] * classes))
        for top in range(0, len(truth), step):
            part = truth[top : top + step]
            counted = self.labels.counted(part)
            predicted = self.outputs.probabilities(logits[top : top + step][counted], self.temperature)
            self._add(predicted, part[counted])

    def _add(self, predicted: Values, truth: NDArray[np.uint8]) -> None:
        for label in range(len(self.pixels)):
            probability, is_class = predicted[:, label], self.labels.of_class(truth, label)
            place = np.minimum((probability * CURVE_BINS).astype(np.int64), CURVE_BINS - 1)
            counts = np.bincount(2 * place + is_class, minlength=2 * CURVE_BINS)
            self.pixels[label] += counts.reshape(CURVE_BINS, 2)
            self.sums[label] += np.bincount(place, probability, CURVE_BINS)
            self.squares += float(np.square(probability - is_class, dtype=np.float64).sum())
        for choice, (highest, right) in enumerate(self._confidences(predicted, truth)):
            place = np.minimum((highest * BINS).astype(np.int64), BINS - 1)
            sums = [np.bincount(place, weights, BINS) for weights in (None, right, highest)]
            self.likeliest[choice] += np.stack(sums, axis=1)

    def _confidences(self, predicted: Values, truth: NDArray[np.uint8]) -> Iterator[tuple[Values, NDArray[np.bool_]]]:
        """The highest probability of each choice, and whether the class of that probability is right."""
        if not self.labels.overlap:
            yield predicted.max(axis=1), predicted.argmax(axis=1) == truth
            return
        for label in range(self.labels.classes):
            probability = predicted[:, label]
            right = (probability > 0.5) == self.labels.of_class(truth, label)
            yield np.maximum(probability, 1 - probability), right

    def summary(self) -> dict[str, float]:
        """Return both scores by the names that metrics/test.json uses."""
        return {"ece": self.expected_calibration_error(), "brier": self.brier_score()}

    def expected_calibration_error(self) -> float:
        """Return the expected calibration error of the most probable class, from 0 to 1; NaN if no pixel counts.

        It is the mean over pixels of |accuracy - mean probability| of their bin (Guo et al. 2017,
        https://arxiv.org/abs/1706.04599). Of overlapping classes, it is the mean over the classes.
        """
        pixels, right, confidence = np.moveaxis(self.likeliest, -1, 0)
        errors = np.abs(right - confidence).sum(axis=-1)
        return float((errors / pixels.sum(axis=-1)).mean()) if pixels.any() else float("nan")

    def brier_score(self) -> float:
        """Return the mean over pixels of the squared error, summed over classes; NaN if no pixel counts (Brier 1950).

        For two classes it is the squared error of one of them, from 0 to 1, as in scikit-learn; otherwise from 0 to 2.
        Of overlapping classes, it is the mean over the classes, from 0 to 1.
        """
        shared = len(self.pixels) if self.labels.overlap or len(self.pixels) == 2 else 1
        pixels = self.likeliest[0, :, 0].sum() * shared
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
