"""Baselines that a network has to beat: a classifier of single pixels' colours, and the largest class."""

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from src.data.classes.label_format import LabelFormat
from src.data.store.store import release, strips
from src.data.store.subsets import Subset

PIXELS = 200_000  # training pixels that are sampled, evenly over the training images
TREES = 50
Image = NDArray[np.generic]  # [height, width, channels] of any type of number


def largest_class(trained: Subset, tested: Subset) -> dict[str, float]:
    """Compute the accuracy of predicting the most common class everywhere.

    Args:
        trained: The training images, which decide on the class.
        tested: The test images.

    Returns:
        The name of the class with the most training pixels → its fraction of the test pixels. Empty if classes overlap.
    """
    if trained.store.dataset.overlap:
        return {}
    pixels = {
        name: np.sum([record.pixels for record in subset.records], axis=0)
        for name, subset in (("train", trained), ("test", tested))
    }
    label = int(pixels["train"].argmax())
    return {trained.store.dataset.names[label]: float(pixels["test"][label] / max(pixels["test"].sum(), 1))}


class ColourClassifier:
    """A random forest on the channels of single pixels (scikit-learn). Overlapping classes are learned as sets.

    Args:
        trained: The training images, at least one.
        seed: Seed of the sampled pixels and of the forest.
    """

    def __init__(self, trained: Subset, seed: int) -> None:
        store, indices = trained.store, trained.indices
        rng = np.random.default_rng(seed)
        count, limit = max(1, PIXELS // len(indices)), LabelFormat.of(store.dataset).limit
        samples = [sample_pixels(store.image(index), store.mask(index), limit, count, rng) for index in indices]
        # Boosted trees (HistGradientBoostingClassifier) score alike where they converge, but diverged on rare classes.
        self.forest = RandomForestClassifier(TREES, min_samples_leaf=5, n_jobs=-1, random_state=seed)
        self.forest.fit(np.concatenate([colours for colours, _ in samples]), np.concatenate([m for _, m in samples]))
        self.forest.set_params(n_jobs=1)  # to predict: threads would add the trees' votes in varying order

    def __call__(self, image: Image) -> NDArray[np.uint8]:
        """Predict an image: [height, width, channels] → labels, uint8 [height, width]."""
        labels = np.empty(image.shape[:2], np.uint8)
        for rows in strips(*image.shape[:2]):
            pixels = image[rows].reshape(-1, image.shape[-1])
            _, first, inverse = np.unique(_packed(pixels), return_index=True, return_inverse=True)
            labels[rows] = self.forest.predict(pixels[first])[inverse].reshape(-1, image.shape[1])
            release(image)
        return labels


def _packed(pixels: Image) -> Image:
    """Each colour of [n, channels] as one value: a number if 8 bytes hold it, which sorts faster, else raw bytes."""
    raw = np.ascontiguousarray(pixels).view(np.uint8).reshape(len(pixels), -1)
    if raw.shape[1] > 8:
        return raw.view(f"V{raw.shape[1]}").ravel()
    return np.pad(raw, [(0, 0), (0, 8 - raw.shape[1])]).view(np.uint64).ravel()


def sample_pixels(
    image: Image, mask: NDArray[np.uint8], limit: int, count: int, rng: np.random.Generator
) -> tuple[Image, NDArray[np.uint8]]:
    """Sample pixels of an image evenly from those that have a class, reading it strip by strip.

    Args:
        image: [height, width, channels].
        mask: Labels, uint8 [height, width]; pixels of `limit` or more are ignored.
        limit: Number of labels, see `LabelFormat`.
        count: Number of pixels.
        rng: Source of randomness.

    Returns:
        The colours, [n, channels], and the labels, uint8 [n]. n is at most `count`; it is less if more than half
        of the pixels are ignored.
    """
    # Sorted, so that a large file is read once. Twice as many as needed are drawn, since some may be ignored.
    places = np.sort(rng.integers(mask.size, size=2 * count))
    colours, labels = [], []
    for rows in strips(*mask.shape):
        first, end = rows.start * mask.shape[1], rows.stop * mask.shape[1]
        inside = places[np.searchsorted(places, first) : np.searchsorted(places, end)] - first
        labels.append(mask[rows].reshape(-1)[inside])
        colours.append(image[rows].reshape(-1, image.shape[2])[inside])
        release(image)
    label = np.concatenate(labels)
    kept = np.flatnonzero(label < limit)
    kept = np.sort(rng.permutation(kept)[:count])
    return np.concatenate(colours)[kept], label[kept]
