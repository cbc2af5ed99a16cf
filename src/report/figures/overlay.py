"""How does a prediction look on its image? The overlay that tools.predict writes."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.data.drawing.drawing import Image, blended, shown
from src.data.predictions.prediction_files import write_png
from src.data.source.dataset import Dataset

LONGEST = 2048  # pixels of the longer side: of larger images, every second, third … row and column is drawn


def write_overlay(path: Path, image: Image, classes: NDArray[np.uint8], dataset: Dataset) -> None:
    """Draw a prediction over its image.

    Args:
        path: The PNG file.
        image: [height, width, channels].
        classes: Labels, uint8 [height, width].
        dataset: The classes and their colours.
    """
    step = -(-max(classes.shape) // LONGEST)
    picture = shown(np.ascontiguousarray(image[::step, ::step]))
    write_png(path, blended(picture, np.ascontiguousarray(classes[::step, ::step]), dataset))
