"""Confusions of many images or crops as sums: all that an epoch's measures need, however many there are."""

import numpy as np
from numpy.typing import NDArray

from src.evaluation.metrics.confusion import Counts, dice, iou, overlap


class RunningScores:
    """pooled: int64 [classes, classes], all confusions added up.

    sums: float64 [3, classes], over the images: Dice and IoU of each class, and how many images it counts for (which
    hold it in truth or prediction).
    """

    def __init__(self, classes: int) -> None:
        self.pooled, self.sums = np.zeros((classes, classes), np.int64), np.zeros((3, classes))

    def add(self, counts: Counts) -> None:
        """counts: confusions of some images [n, classes, classes]."""
        pixels = overlap(counts)
        scores = np.stack([dice(pixels), iou(pixels)])
        self.pooled += counts.sum(axis=0)
        self.sums[:2] += np.nansum(scores, axis=1)
        self.sums[2] += np.count_nonzero(~np.isnan(scores[0]), axis=0)

    def means(self, classes: list[int]) -> NDArray[np.float64]:
        """float64 [2]: Dice and IoU, means over those of the classes that any truth holds of means over images.

        As `headline` has them, but 0 if no truth holds any.
        """
        held = [label for label in classes if self.pooled[label].any()]
        return (self.sums[:2, held] / self.sums[2, held]).mean(axis=1) if held else np.zeros(2)
