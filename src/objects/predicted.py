"""A predicted image, as what finds and writes its objects needs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.data.classes.label_format import LabelFormat, Mask
from src.data.predictions.inputs import Input
from src.data.predictions.prediction_files import Georeference
from src.data.reading.channels import Pixels
from src.data.store.store import release
from src.objects.measure import Probability, Values

TOP = 65535  # the stored value of a probability of 1
Shares = NDArray[np.uint16]


@dataclass(frozen=True)
class PredictedImage:
    """A prediction whose objects are written.

    Attributes:
        source: The image and the name of its results.
        pixels: The image, [height, width, channels].
        mask: Labels, uint8 [height, width].
        shares: Probabilities of `TOP` for 1, uint16 [height, width, n]: of the second class if there are two that
            exclude each other, else of each class.
        place: The georeference of the image.
        paths: Kind of result → file, from `ObjectFiles.paths`.
    """

    source: Input
    pixels: Pixels
    mask: Mask
    shares: Shares
    place: Georeference
    paths: Mapping[str, Path]

    @property
    def file(self) -> str:
        """The image file, below the common folder of all images."""
        return self.source.name.with_name(self.source.path.name).as_posix()


def class_probabilities(image: PredictedImage, form: LabelFormat, classes: Sequence[int]) -> Probability:
    """Make the function that returns the probability of the class of each pixel.

    Args:
        image: The prediction.
        form: The meaning of its labels.
        classes: If classes overlap, the only class that is asked for.

    Returns:
        Rows → float64 [rows, width], 0 to 1.
    """
    shares, mask = image.shares, image.mask

    def of_rows(rows: slice) -> Values:
        stored = shares[rows]
        if form.overlap:
            found = stored[..., classes[0]]
        elif stored.shape[2] == 1:
            found = np.where(mask[rows] == 1, stored[..., 0], TOP - stored[..., 0])
        else:
            found = np.take_along_axis(stored, mask[rows][..., None].astype(np.int64), axis=2)[..., 0]
        release(shares)
        return found / TOP

    return of_rows
