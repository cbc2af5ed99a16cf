"""Random pairs of masks, blobs and noise of all sizes and densities, for the tests of scores of shapes."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter

from src.data.source.dataset import IGNORE


def class_images(
    seed: int, count: int, classes: int, side: int = 40, ignored: bool = True
) -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """`count` pairs of truth and prediction, uint8 [1 … side, 1 … side] of class indices; the first ones are extreme.

    ignored: in a third of them some pixels of the truth are IGNORE.
    """
    rng = np.random.default_rng(seed)
    pairs = _extreme(classes) if ignored else _extreme(classes)[:-2]
    while len(pairs) < count:
        shape = tuple(rng.integers(1, side + 1, 2))
        truth = _image(rng, shape, classes)
        kind = rng.integers(4)
        if kind == 0:  # of its own
            prediction = _image(rng, shape, classes)
        elif kind == 1:  # the truth, moved
            prediction = np.roll(truth, rng.integers(-3, 4, 2), (0, 1))
        else:  # the truth with errors
            prediction = np.where(rng.random(shape) < rng.choice([0.01, 0.1]), _image(rng, shape, classes), truth)
        if ignored and rng.random() < 1 / 3:
            truth = np.where(uniform_filter(rng.random(shape), 3) > rng.choice([0.4, 0.6]), IGNORE, truth)
        pairs.append((truth.astype(np.uint8), prediction.astype(np.uint8)))
    return pairs


def _image(rng: np.random.Generator, shape: tuple[int, ...], classes: int) -> NDArray[np.int64]:
    if rng.random() < 0.4:
        others = rng.random() ** 2  # the share of pixels that are not of class 0
        return np.where(rng.random(shape) < others, rng.integers(classes, size=shape), 0)
    layers = [gaussian_filter(rng.normal(size=shape), rng.uniform(0.7, 5), mode="reflect") for _ in range(classes)]
    return np.argmax([layer / (layer.std() + 1e-9) + rng.normal() / 2 for layer in layers], axis=0)


def _extreme(classes: int) -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Empty, full, one pixel, one row, opposite corners, one pixel as picture; ignored: all, and all but one pixel."""
    empty = np.zeros((9, 12), np.uint8)
    full, pixel, row, corner = empty + np.uint8(classes - 1), empty.copy(), empty.copy(), empty.copy()
    pixel[4, 5], row[8, :], corner[8, 11] = 1, 1, 1
    made = [(one, other) for one in (empty, full, pixel, row, corner) for other in (empty, full, pixel, row, corner)]
    made += [(corner[::-1, ::-1].copy(), corner), (pixel[4:5, 5:6], pixel[4:5, 5:6]), (pixel[4:5, 5:6], row[:1, :1])]
    ignored = np.full_like(empty, IGNORE)
    all_but_one = ignored.copy()
    all_but_one[3, 3] = 1
    return [*made, (ignored, full), (all_but_one, full)]
