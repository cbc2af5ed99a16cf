"""Interface that the training loop calls at a few points."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from src.model.inference.tiling import Window


class Observer:
    """Interface that the training loop calls. Its methods do nothing; `LiveFiles` writes files."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Note the end of the training; error: why it stopped, None if it is done."""

    def started(self) -> None:
        """Note that the training begins, or continues from a checkpoint."""

    def step_done(self) -> None:
        """Note that a step of training is done."""

    def predicted(self, index: int, window: Window, classes: NDArray[np.uint8]) -> None:
        """Receive a prediction of the validation.

        Args:
            index: position of the image in the store.
            window: of the image.
            classes: class indices of the window, uint8 [rows, columns].
        """

    def epoch_done(self) -> None:
        """Note that an epoch and its validation are in the history."""

    def trained(self) -> None:
        """Note that all epochs are done; decisions and results are still to be written."""


NOBODY = Observer()
