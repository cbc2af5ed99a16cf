"""How the logits of a network become probabilities and labels, and probabilities become logits again.

This is the only place that knows it for arrays; src/model/network/losses/ does the same with tensors.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, log_softmax, softmax

from src.data.classes.label_format import LabelFormat, Mask

TINIEST = np.finfo(np.float32).tiny  # smaller probabilities count as this one, whose logarithm is finite
NEAREST = 2.0**-24  # to 0 and 1, of the probability of an overlapping class: the step of float32 below 1
Values = NDArray[np.float32]


@dataclass(frozen=True)
class Outputs:
    """The meaning of the logits of one pixel.

    Two classes that exclude each other have one logit, that of the second class (sigmoid). More such classes have one
    each (softmax). Overlapping classes have one each, and every class is a decision of its own (sigmoid).

    Attributes:
        labels: The meaning of the labels.
    """

    labels: LabelFormat

    @property
    def number(self) -> int:
        """How many logits a pixel has."""
        return self.labels.outputs

    @property
    def has_thresholds(self) -> bool:
        """Whether each logit is compared with a threshold; otherwise the class of the highest logit is chosen."""
        return self.labels.overlap or self.number == 1

    def probabilities(self, logits: Values, temperature: float = 1.0) -> Values:
        """Convert logits to class probabilities.

        Args:
            logits: float32 [..., number].
            temperature: Divides the logits; above 1 it makes probabilities less extreme.

        Returns:
            float32 [..., classes] from 0 to 1. They sum to 1 unless classes overlap.
        """
        if self.labels.overlap:
            return np.asarray(expit(logits / np.float32(temperature)), np.float32)
        return np.asarray(softmax(_class_logits(logits) / np.float32(temperature), axis=-1), np.float32)

    def logits(self, probabilities: Values) -> Values:
        """Convert probabilities to logits that give the same probabilities at a temperature of 1.

        Args:
            probabilities: float32 [..., classes].

        Returns:
            float32 [..., number], all finite.
        """
        if self.labels.overlap:
            clipped = np.clip(probabilities, np.float32(NEAREST), np.float32(1 - NEAREST))
            return np.asarray(np.log(clipped) - np.log1p(-clipped), np.float32)
        logarithms = np.log(np.maximum(probabilities, TINIEST))
        return logarithms[..., 1:] - logarithms[..., :1] if self.number == 1 else logarithms

    def average(self, parts: Iterable[Values]) -> Values:
        """Average the probabilities of several networks.

        Args:
            parts: The logits of each network, float32 [..., number]; at least one.

        Returns:
            The logits of the mean probabilities at a temperature of 1, of the same shape. Those of a single network are
            returned as they are.
        """
        remaining = iter(parts)
        first, second = next(remaining), next(remaining, None)
        if second is None:
            return first
        total, count = self.probabilities(first) + self.probabilities(second), 2
        for part in remaining:  # one at a time: only the sum is kept
            total += self.probabilities(part)
            count += 1
        return self.logits(total / np.float32(count))

    def decide(self, logits: Values, thresholds: Sequence[float] | None = None) -> Mask:
        """Choose the label of every pixel.

        Args:
            logits: float32 [..., number].
            thresholds: One for each logit: a pixel is of its class if the logit is above it. None: 0 for each. More
                than two classes that exclude each other do not use them.

        Returns:
            Labels uint8 [...]. If classes exclude each other and there is a tie, it is the first class.
        """
        levels = [0.0] * self.number if thresholds is None else thresholds
        if self.labels.overlap:
            return np.packbits(logits > np.array(levels, np.float32), axis=-1, bitorder="little")[..., 0]
        if self.number == 1:
            return (logits[..., 0] > levels[0]).astype(np.uint8)
        return logits.argmax(axis=-1).astype(np.uint8)

    def negative_log_likelihood(self, logits: Values, truth: Mask, temperature: float) -> float:
        """Compute the mean negative log-likelihood of labels (cross-entropy in nats).

        Args:
            logits: float32 [n, number].
            truth: True labels, uint8 [n]; all of them count.
            temperature: Divides the logits.

        Returns:
            The mean over labels; of overlapping classes, the mean over labels and classes. NaN if there are none.
        """
        if not len(truth):
            return float("nan")
        if self.labels.overlap:
            signs = np.where(self.labels.planes(truth), 1.0, -1.0)
            return -float(log_expit(signs * logits.astype(float) / temperature).mean())
        scaled = _class_logits(logits).astype(float) / temperature
        return -float(log_softmax(scaled, axis=-1)[np.arange(len(truth)), truth].mean())


def _class_logits(logits: Values) -> Values:
    """Logits of all classes: a sigmoid's single logit is a softmax's with 0 for class 0."""
    return np.concatenate([np.zeros_like(logits), logits], axis=-1) if logits.shape[-1] == 1 else logits
