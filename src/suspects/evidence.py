"""What the predicted probabilities of an image say about any mask of it, in nats of log-likelihood."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from src.data.classes.label_format import LabelFormat, Mask
from src.suspects.maps import Values, averaged

CONFIDENT = (
    0.65  # probability of the likeliest label from which a pixel counts: unsure pixels say little about the mask
)
FLOOR = 0.01  # smaller probabilities count as this one, so that no pixel outweighs hundreds of others


@dataclass(frozen=True)
class Evidence:
    """A prediction and a mask of the same image.

    The log-likelihood of a mask is the sum of `margins` × its planes, plus a number that is the same for all masks. So
    the sum for a changed mask minus that for the mask is what the change gains.

    Attributes:
        margins: float32 [classes, height, width]: log-likelihood of a pixel if it is of the class, minus that if it is
            of class 0 (if classes overlap: not of the class). 0 where the prediction is not confident, and where pixels
            do not count.
        planes: float32 [classes, height, width]: the share of each pixel that the mask gives to the class.
        counted: float32 [height, width]: the share of each pixel that counts.
        overlap: Whether classes may overlap.
    """

    margins: Values
    planes: Values
    counted: Values
    overlap: bool = False

    def predicted(self, label: int) -> NDArray[np.bool_]:
        """Return where a class is predicted with confidence, bool [height, width]."""
        if self.overlap:
            return np.asarray(self.margins[label] > 0)
        return np.asarray((self.margins.argmax(axis=0) == label) & self.margins.any(axis=0))

    def highest(self, label: int) -> Values:
        """Return the largest margin of each pixel, float32 [height, width].

        It is that of the likeliest class; if classes overlap, that of class `label` or of its absence.
        """
        return np.maximum(self.margins[label], 0) if self.overlap else self.margins.max(axis=0)

    def of_mask(self, label: int) -> Values:
        """Return the margin of what the mask says, float32 [height, width]; if classes overlap, of one class."""
        if self.overlap:
            return self.margins[label] * self.planes[label]
        return np.asarray((self.margins * self.planes).sum(axis=0))

    @property
    def disagreement(self) -> float:
        """What the likeliest mask of all gains over this one, in nats: the most that a change can gain."""
        labels = range(len(self.margins)) if self.overlap else (0,)
        lost = sum((self.highest(label) * self.counted - self.of_mask(label)).sum(dtype=np.float64) for label in labels)
        return float(lost)


def evidence_of(probabilities: Values, mask: Mask, labels: LabelFormat) -> Evidence:
    """Compare a mask with a prediction.

    Args:
        probabilities: Calibrated, float32 [height, width, classes]. May be smaller than the mask, see `reduced`.
        mask: Labels, uint8 [height, width].
        labels: The meaning of the labels.
    """
    shape = (probabilities.shape[0], probabilities.shape[1])
    counted = averaged(labels.counted(mask).astype(np.float32), shape)
    margins = _margins(np.moveaxis(probabilities, -1, 0), labels.overlap)
    return Evidence(margins * (counted > 0), mask_planes(mask, labels, shape), counted, labels.overlap)


def mask_planes(mask: Mask, labels: LabelFormat, shape: tuple[int, int]) -> Values:
    """Return the share of each pixel that a mask gives to each class.

    Args:
        mask: Labels, uint8 [height, width].
        labels: The meaning of the labels.
        shape: Height and width of the result.

    Returns:
        float32 [classes, *shape].
    """
    planes = (labels.of_class(mask, label).astype(np.float32) for label in range(labels.classes))
    return np.stack([averaged(plane, shape) for plane in planes])


def _margins(probabilities: Values, overlap: bool) -> Values:
    """See `Evidence.margins`; probabilities: [classes, height, width]."""
    clipped = np.clip(probabilities, FLOOR, 1 - FLOOR)
    if overlap:
        logits = np.log(clipped) - np.log1p(-clipped)
        return np.where(np.maximum(clipped, 1 - clipped) >= CONFIDENT, logits, 0).astype(np.float32)
    logarithms, confident = np.log(clipped), probabilities.max(axis=0) >= CONFIDENT
    return np.where(confident, logarithms - logarithms[0], 0).astype(np.float32)
