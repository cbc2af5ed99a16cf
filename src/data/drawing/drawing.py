"""Draw images, and classes over images."""

import numpy as np
from numpy.typing import NDArray

from src.data.classes.label_format import LabelFormat
from src.data.source.dataset import Dataset

IGNORED = "#FFFFFF"  # colour of pixels that count nowhere
Drawing = NDArray[np.uint8]  # [height, width, 3]: red, green and blue
Image = NDArray[np.uint8 | np.uint16 | np.float32]  # [height, width, channels]


def rgb(colour: str) -> NDArray[np.uint8]:
    """Convert "#RRGGBB" to red, green and blue, uint8 [3]."""
    return np.frombuffer(bytes.fromhex(colour[1:]), np.uint8)


def painted(mask: NDArray[np.uint8], dataset: Dataset) -> NDArray[np.uint8]:
    """Colour a mask.

    Args:
        mask: Labels, uint8 [height, width], see `LabelFormat`.
        dataset: The classes and their colours.

    Returns:
        uint8 [height, width, 3]; ignored pixels are white, pixels of several classes have the mean of their colours.
    """
    colours = label_colours(dataset)
    lookup = np.tile(rgb(IGNORED), (256, 1))
    lookup[: len(colours)] = colours
    return np.asarray(lookup[mask], np.uint8)


def label_colours(dataset: Dataset) -> NDArray[np.uint8]:
    """Return red, green and blue of each label, uint8 [labels, 3]: the mean over its classes; black for no class."""
    form = LabelFormat.of(dataset)
    planes = form.planes(np.arange(form.limit, dtype=np.uint8)).astype(float)
    colours = np.array([rgb(colour) for colour in dataset.class_colours.values()], float)
    return (planes @ colours / np.maximum(planes.sum(axis=1, keepdims=True), 1)).round().astype(np.uint8)


def bare_label(dataset: Dataset) -> int | None:
    """Return the label of pixels that pictures leave as they are: of the background, or of no overlapping class."""
    return 0 if dataset.overlap else dataset.background_index


def shown(image: Image, *, stretched: bool = False) -> Drawing:
    """Convert an image to red, green and blue for display. One or two channels become grey, of more the first three.

    Args:
        image: [height, width, channels].
        stretched: Scale the 1st to the 99th percentile to 0 to 255; images that are not uint8 always are.

    Returns:
        uint8 [height, width, 3].
    """
    three = np.repeat(image[..., :1], 3, axis=2) if image.shape[2] < 3 else np.asarray(image[..., :3])
    if stretched or image.dtype != np.uint8:
        low, high = np.percentile(three, [1, 99])
        three = 255 * (three.astype(np.float32) - low) / max(high - low, np.finfo(np.float32).tiny)
    return three.clip(0, 255).astype(np.uint8)


def blended(image: Drawing, mask: NDArray[np.uint8], dataset: Dataset, strength: float = 0.45) -> Drawing:
    """Lay a mask's colours over an image. Background and ignored pixels stay as they are.

    Args:
        image: uint8 [height, width, 3].
        mask: Labels, uint8 [height, width].
        dataset: The classes and their colours.
        strength: Opacity of the colours, 0 to 1.

    Returns:
        uint8 [height, width, 3].
    """
    bare, paint = bare_label(dataset), LabelFormat.of(dataset).counted(mask)
    paint &= True if bare is None else mask != bare
    mixed = (1 - strength) * image + strength * painted(mask, dataset)
    return np.where(paint[..., None], mixed, image).astype(np.uint8)
