"""Running sums of pixel counts: the measures of an epoch, in a memory that does not grow with the images."""

import numpy as np
from numpy.typing import NDArray

from src.evaluation.metrics.confusion import Counts, PixelCounts, dice, iou


class RunningScores:
    """Sums over images (or patches) from which Dice and IoU of an epoch are computed.

    Attributes:
        counts: The sum of all pixel counts, int64 [4, classes] in the order of `PixelCounts`.
        sums: float64 [3, classes]: the sum of the images' Dice, the sum of their IoU, and the number of images that
            count for the class (the class is in their truth or prediction).
    """

    def __init__(self, classes: int) -> None:
        self.counts: Counts = np.zeros((len(PixelCounts._fields), classes), np.int64)
        self.sums = np.zeros((3, classes))

    @property
    def pooled(self) -> PixelCounts:
        """The counts of all images together, int64 [classes] each."""
        return PixelCounts(*self.counts)

    def add(self, pixels: PixelCounts) -> None:
        """Add the counts of some images, int64 [n, classes] each."""
        scores = np.stack([dice(pixels), iou(pixels)])
        self.counts += np.sum(pixels, axis=1)
        self.sums[:2] += np.nansum(scores, axis=1)
        self.sums[2] += np.count_nonzero(~np.isnan(scores[0]), axis=0)

    def means(self, classes: list[int]) -> NDArray[np.float64]:
        """Return the mean Dice and IoU over those of `classes` that any truth holds, float64 [2].

        They equal `mean_over_classes` of all images, but are 0 where no truth holds any of the classes.
        """
        present = [label for label in classes if self.pooled.true[label]]
        return (self.sums[:2, present] / self.sums[2, present]).mean(axis=1) if present else np.zeros(2)
