"""What the byte of a pixel means: the index of its only class, or a set of overlapping classes.

Of overlapping classes, bit k is set if the pixel is of class k. A pixel of no class is 0. In both formats, IGNORE marks
a pixel that counts nowhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from src.data.source.dataset import IGNORE, Dataset

Mask = NDArray[np.uint8]
Plane = NDArray[np.bool_]


@dataclass(frozen=True)
class LabelFormat:
    """The meaning of labels.

    Attributes:
        classes: The number of classes; at most `MOST_OVERLAPPING` if they overlap.
        overlap: A pixel may be of several classes, or of none.
    """

    classes: int
    overlap: bool = False

    @classmethod
    def of(cls, dataset: Dataset) -> "LabelFormat":
        """Return the format of a data set's prepared masks."""
        return cls(len(dataset.names), dataset.overlap)

    @property
    def limit(self) -> int:
        """All labels of pixels that count are below this."""
        return 2**self.classes if self.overlap else self.classes

    @property
    def outputs(self) -> int:
        """Logits of each pixel: 1 for two classes that do not overlap (that of the second one), else one per class."""
        return 1 if self.classes == 2 and not self.overlap else self.classes

    def counted(self, labels: Mask) -> Plane:
        """Return where pixels count: bool of the shape of `labels`, uint8."""
        return labels < self.limit

    def of_class(self, labels: Mask, label: int) -> Plane:
        """Return where pixels are of a class.

        Args:
            labels: uint8 of any shape.
            label: The class index.

        Returns:
            bool of the same shape; False for ignored pixels.
        """
        if not self.overlap:
            return labels == label
        return ((labels >> np.uint8(label)) & np.uint8(1)).astype(bool) & self.counted(labels)

    def planes(self, labels: Mask) -> Plane:
        """Return the mask of each class: bool [..., classes] of labels uint8 [...]."""
        return np.stack([self.of_class(labels, label) for label in range(self.classes)], axis=-1)

    def count_values(self, pixels: Mapping[int, int]) -> list[int]:
        """Count the pixels of each class.

        Args:
            pixels: Label → number of pixels.
        """
        labels, numbers = np.array(list(pixels), np.uint8), np.array(list(pixels.values()), np.int64)
        return list((numbers @ self.planes(labels)).tolist()) if pixels else [0] * self.classes


def pack_planes(planes: Sequence[Plane], ignored: Plane | None = None) -> Mask:
    """Make labels of overlapping classes.

    Args:
        planes: The mask of each class in the order of the class indices, bool [height, width]; at least one.
        ignored: Where pixels count nowhere, bool [height, width].

    Returns:
        uint8 [height, width].
    """
    labels = np.zeros(planes[0].shape, np.uint8)
    for label, plane in enumerate(planes):
        labels |= plane.view(np.uint8) << np.uint8(label)
    if ignored is not None:
        labels[ignored] = IGNORE
    return labels
