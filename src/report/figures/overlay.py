"""A prediction laid over its image, as a picture to look at."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from src.data.predictions.prediction_files import write_png
from src.data.source.dataset import Dataset
from src.report.figures.panels import blended, shown

LARGEST = 2048  # pixels of the longer side: larger images are thinned out


def write_overlay(path: Path, image: NDArray[Any], classes: NDArray[np.uint8], dataset: Dataset) -> None:
    """Class indices [height, width] in their colours over the image [height, width, channels], as PNG."""
    step = -(-max(classes.shape) // LARGEST)
    picture = shown(np.ascontiguousarray(image[::step, ::step]))
    write_png(path, blended(picture, np.ascontiguousarray(classes[::step, ::step]), dataset))
