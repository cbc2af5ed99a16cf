"""Images for which tests/references/ holds the answers of another library: made by formulas, and photographs."""

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
SHARES = (0.2, 0.5, 0.9)  # how far the red, green and blue gradients reach


def noise(height: int, width: int) -> Pixels:
    """Independent uniform intensities, uint8 [height, width, 3]."""
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def gradients(height: int, width: int) -> Pixels:
    """Red grows to the right, green downwards, blue to the left, with a little noise, uint8 [height, width, 3]."""
    rows, columns = np.mgrid[:height, :width] / [[[height]], [[width]]]
    colours = np.stack([columns * SHARES[0], rows * SHARES[1], (1 - columns) * SHARES[2]], -1)
    rough = np.random.default_rng(1).uniform(0, 0.1, colours.shape)
    return (255 * (colours + rough)).astype(np.uint8)


def discs(height: int, width: int) -> Pixels:
    """Five discs of different colours on grey, uint8 [height, width, 3]."""
    rng = np.random.default_rng(2)
    image = np.full((height, width, 3), 90, np.uint8)
    rows, columns = np.mgrid[:height, :width]
    for _ in range(5):
        row, column = rng.uniform(0, 1, 2) * [height, width]
        image[np.hypot(rows - row, columns - column) < min(height, width) / 5] = rng.integers(0, 256, 3)
    return image


MADE: Mapping[str, Callable[[], Pixels]] = {
    "noise": lambda: noise(224, 224),
    "gradients": lambda: gradients(224, 224),
    "discs": lambda: discs(224, 224),
    "wide discs": lambda: discs(160, 256),
    "odd sides": lambda: gradients(193, 161),
}
PHOTOGRAPHS = ("chelsea.png", "coffee.png", "astronaut.png")  # PNG, which all libraries decode to the same pixels


def photograph(name: str) -> Pixels | None:
    """A photograph of scikit-image, uint8 [height, width, 3]; None if it is not installed. Nothing is downloaded."""
    package = importlib.util.find_spec("skimage")
    if package is None or package.origin is None:
        return None
    return np.asarray(Image.open(Path(package.origin).parent / "data" / name).convert("RGB"))


def centre(pixels: Pixels, side: int = 224, shorter: int = 256) -> Pixels:
    """The usual view for a classifier: the shorter side becomes `shorter` pixels, then the centre is cut out."""
    image = Image.fromarray(pixels)
    factor = shorter / min(image.size)
    image = image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.BICUBIC)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return np.asarray(image.crop((left, top, left + side, top + side)))
