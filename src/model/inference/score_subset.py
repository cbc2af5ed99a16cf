"""The network on labelled images: what it scores, and what its probabilities are worth."""

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
    predictor: Predictor, subset: Subset, title: str, *, tolerance: float | None = None, kept: Path | None = None
) -> tuple[Results, Calibration]:
    """Predict and measure the images of a subset, one pass over them.

    title: what the progress calls it; tolerance: see `measure_all`; kept: an .npz file for the predictions.
    """
    store, indices = subset.store, subset.indices
    calibration = Calibration(len(store.dataset.names), predictor.project.decisions.temperature)

    def predictions() -> Iterator[Predicted]:
        for index in progress(indices, len(indices), f"evaluate {title}"):
            yield index, predictor(store.image(index), _adding(calibration, store.mask(index)))
            store.release()

    predicted = save_predictions(kept, predictions()) if kept else predictions()
    return measure_all(subset, predicted, tolerance), calibration


def _adding(calibration: Calibration, truth: NDArray[np.uint8]) -> Callable[[Window, Logits], None]:
    """What adds the logits of an image's windows to the calibration."""
    return lambda window, logits: calibration.add(logits, truth[window])
