"""Predict and score a subset of labelled images, in one pass."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.data.store.subsets import Subset
from src.evaluation.metrics.calibration import Calibration
from src.evaluation.scoring.measure import Predicted, Results, measure_all
from src.evaluation.scoring.save_predictions import save_predictions
from src.model.inference.predictor import Logits, Predictor, Window
from src.progress import progress


def score_subset(
    predictor: Predictor, subset: Subset, title: str, *, tolerance: float | None = None, save_to: Path | None = None
) -> tuple[Results, Calibration]:
    """Predict the images of a subset and compare the predictions with their masks.

    Args:
        predictor: its decisions are used.
        subset: the images.
        title: name of the work on the progress bar.
        tolerance: see `measure_all`.
        save_to: an .npz file for the predictions; None: they are not saved.

    Returns:
        The scores of each image, and the calibration of the probabilities.
    """
    store, indices = subset.store, subset.indices
    calibration = Calibration(predictor.outputs, predictor.project.decisions.temperature)

    def predictions() -> Iterator[Predicted]:
        for index in progress(indices, len(indices), f"evaluate {title}"):
            yield index, predictor(store.image(index), _collector(calibration, store.mask(index)))
            store.release()

    predicted = save_predictions(save_to, predictions()) if save_to else predictions()
    return measure_all(subset, predicted, tolerance), calibration


def _collector(calibration: Calibration, truth: NDArray[np.uint8]) -> Callable[[Window, Logits], None]:
    """A function that adds the logits of a window to the calibration."""
    return lambda window, logits: calibration.add(logits, truth[window])
