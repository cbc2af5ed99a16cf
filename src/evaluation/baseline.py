"""What the colour of a pixel alone tells: the score that a network has to beat."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from src.data.store import Store

PIXELS = 200_000  # sampled in all, evenly over the training images
TREES = 50


class ColourClassifier:
    """A random forest on the channels of single pixels (scikit-learn), fitted on training images."""

    def __init__(self, store: Store, indices: Sequence[int], seed: int) -> None:
        rng = np.random.default_rng(seed)
        colours, labels = [], []
        for index in indices:
            image, mask = store.image(index), store.mask(index)
            counted = np.flatnonzero(mask.ravel() < len(store.dataset.names))
            if len(counted):
                flat = rng.choice(counted, max(1, PIXELS // len(indices)))
                colours.append(image.reshape(-1, store.channels)[flat])
                labels.append(mask.ravel()[flat])
        # Boosted trees (HistGradientBoostingClassifier) score alike where they converge, but diverged on rare classes.
        self.forest = RandomForestClassifier(TREES, min_samples_leaf=5, n_jobs=-1, random_state=seed)
        self.forest.fit(np.concatenate(colours), np.concatenate(labels))
        self.forest.set_params(n_jobs=1)  # to predict: threads would add the trees' votes in an order of their own

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """uint8 [height, width, channels] → class indices uint8 [height, width]; every colour is classified once."""
        pixels = image.reshape(-1, image.shape[-1])
        codes = np.zeros(len(pixels), np.int64)
        for channel in range(image.shape[-1]):
            codes = codes << 8 | pixels[:, channel]
        _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
        return self.forest.predict(pixels[first])[inverse].reshape(image.shape[:2]).astype(np.uint8)
