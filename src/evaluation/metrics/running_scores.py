"""Running sums of confusion matrices: the measures of an epoch, in a memory that does not grow with the images."""

import numpy as np
from numpy.typing import NDArray

from src.evaluation.metrics.confusion import Counts, dice, iou, overlap


class RunningScores:
    """Sums over images (or patches) from which Dice and IoU of an epoch are computed.

    Attributes:
        pooled: The sum of all confusion matrices, int64 [classes, classes].
        sums: float64 [3, classes]: the sum of the images' Dice, the sum of their IoU, and the number of images that
            count for the class (the class is in their truth or prediction).
    """

    def __init__(self, classes: int) -> None:
        self.pooled, self.sums = np.zeros((classes, classes), np.int64), np.zeros((3, classes))

    def add(self, counts: Counts) -> None:
        """Add the confusion matrices of some images, int64 [n, classes, classes]."""
        pixels = overlap(counts)
        scores = np.stack([dice(pixels), iou(pixels)])
        self.pooled += counts.sum(axis=0)
        self.sums[:2] += np.nansum(scores, axis=1)
        self.sums[2] += np.count_nonzero(~np.isnan(scores[0]), axis=0)

    def means(self, classes: list[int]) -> NDArray[np.float64]:
        """Return the mean Dice and IoU over those of `classes` that any truth holds, float64 [2].

        They equal `mean_over_classes` of all images, but are 0 where no truth holds any of the classes.
        """
        present = [label for label in classes if self.pooled[label].any()]
        return (self.sums[:2, present] / self.sums[2, present]).mean(axis=1) if present else np.zeros(2)
