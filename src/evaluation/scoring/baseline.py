"""What the colour of a pixel alone tells: the score that a network has to beat."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from src.data.store.store import release, strips
from src.data.store.subsets import Subset

PIXELS = 200_000  # sampled in all, evenly over the training images
TREES = 50


def largest_class(trained: Subset, tested: Subset) -> dict[str, float]:
    """The class with most training pixels, and its share of the test pixels: the accuracy of answering nothing else."""
    pixels = {
        name: np.sum([record.pixels for record in subset.records], axis=0)
        for name, subset in (("train", trained), ("test", tested))
    }
    label = int(pixels["train"].argmax())
    return {trained.store.dataset.names[label]: float(pixels["test"][label] / max(pixels["test"].sum(), 1))}


class ColourClassifier:
    """A random forest on the channels of single pixels (scikit-learn), fitted on training images."""

    def __init__(self, trained: Subset, seed: int) -> None:
        store, indices = trained.store, trained.indices
        rng = np.random.default_rng(seed)
        each = max(1, PIXELS // len(indices))
        samples = [
            sample_pixels(store.image(index), store.mask(index), len(store.dataset.names), each, rng)
            for index in indices
        ]
        # Boosted trees (HistGradientBoostingClassifier) score alike where they converge, but diverged on rare classes.
        self.forest = RandomForestClassifier(TREES, min_samples_leaf=5, n_jobs=-1, random_state=seed)
        self.forest.fit(np.concatenate([colours for colours, _ in samples]), np.concatenate([m for _, m in samples]))
        self.forest.set_params(n_jobs=1)  # to predict: threads would add the trees' votes in an order of their own

    def __call__(self, image: NDArray[Any]) -> NDArray[np.uint8]:
        """[height, width, channels] → class indices uint8 [height, width]; a strip's every colour once."""
        classes = np.empty(image.shape[:2], np.uint8)
        for rows in strips(*image.shape[:2]):
            pixels = image[rows].reshape(-1, image.shape[-1])
            _, first, inverse = np.unique(_packed(pixels), return_index=True, return_inverse=True)
            classes[rows] = self.forest.predict(pixels[first])[inverse].reshape(-1, image.shape[1])
            release(image)
        return classes


def _packed(pixels: NDArray[Any]) -> NDArray[Any]:
    """Every colour of [n, channels] as one value: a number if 8 bytes hold it, which sorts quicker, else raw bytes."""
    raw = np.ascontiguousarray(pixels).view(np.uint8).reshape(len(pixels), -1)
    if raw.shape[1] > 8:
        return raw.view(f"V{raw.shape[1]}").ravel()
    return np.pad(raw, [(0, 0), (0, 8 - raw.shape[1])]).view(np.uint64).ravel()


def sample_pixels(
    image: NDArray[Any], mask: NDArray[np.uint8], classes: int, count: int, rng: np.random.Generator
) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """About `count` pixels [n, channels] and their classes [n], drawn evenly from those that count, strip by strip."""
    # Sorted, so that a large file is read once; twice as many as needed, since some may not count.
    places = np.sort(rng.integers(mask.size, size=2 * count))
    colours, labels = [], []
    for rows in strips(*mask.shape):
        first, end = rows.start * mask.shape[1], rows.stop * mask.shape[1]
        inside = places[np.searchsorted(places, first) : np.searchsorted(places, end)] - first
        labels.append(mask[rows].reshape(-1)[inside])
        colours.append(image[rows].reshape(-1, image.shape[2])[inside])
        release(image)
    label = np.concatenate(labels)
    kept = np.flatnonzero(label < classes)
    kept = np.sort(rng.permutation(kept)[:count])
    return np.concatenate(colours)[kept], label[kept]
