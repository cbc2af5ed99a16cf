"""The kept predictions of all folds, calibrated."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from src.data.classes.label_format import LabelFormat, Mask
from src.data.store.store import Store
from src.evaluation.metrics.outputs import Outputs
from src.suspects.calibrate import robust_temperature
from src.suspects.folds import Fold
from src.suspects.maps import Values, from_bytes

SAMPLED = 2000  # pixels of each image that the temperature is fitted to


class Predictions:
    """A context manager that reads the probabilities of each image, as a network predicts them that has not seen it.

    Attributes:
        store: The prepared data set.
        outputs: The meaning of the logits.
    """

    def __init__(self, folds: Sequence[Fold], files: Sequence[Path]) -> None:
        """Open the files, and fit the temperature of each fold.

        Args:
            folds: The folds.
            files: For each fold, the .npz file of its kept logits, see src/suspects/maps.py.
        """
        self.store: Store = folds[0].held_out.store
        self.outputs = Outputs(LabelFormat.of(self.store.dataset))
        self._files = [np.load(path) for path in files]
        self._fold_of = {index: number for number, fold in enumerate(folds) for index in fold.held_out.indices}
        self._temperatures = [self._fit(fold) for fold in folds]

    def __call__(self, index: int) -> Values:
        """Return the calibrated probabilities of an image, which is reduced if it is large.

        Args:
            index: Its position in the store.

        Returns:
            float32 [rows, columns, classes].
        """
        return self.outputs.probabilities(self._logits(index), self._temperatures[self._fold_of[index]])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files:
            file.close()

    def _logits(self, index: int) -> Values:
        return from_bytes(self._files[self._fold_of[index]][str(index)])

    def _fit(self, fold: Fold) -> float:
        rng, logits, labels = np.random.default_rng(0), list[Values](), list[NDArray[np.uint8]]()
        for index in fold.held_out.indices:
            values = self._logits(index)
            truth = nearest(self.store.mask(index), (values.shape[0], values.shape[1])).ravel()
            places = rng.integers(truth.size, size=SAMPLED)
            places = places[self.outputs.labels.counted(truth[places])]
            logits.append(values.reshape(truth.size, -1)[places])
            labels.append(truth[places])
            self.store.release()
        return robust_temperature(self.outputs, logits, labels)


def nearest(mask: Mask, shape: tuple[int, int]) -> Mask:
    """Take the nearest pixel of a mask for each pixel of a map.

    Args:
        mask: uint8 [height, width].
        shape: Height and width of the map.
    """
    rows, columns = (
        ((np.arange(small) + 0.5) * large / small).astype(np.int64)
        for small, large in zip(shape, mask.shape, strict=True)
    )
    return mask[np.ix_(rows, columns)]
