"""The network on labelled images: what it scores, and what its probabilities are worth."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from src.data.store import Store
from src.evaluation.calibration import Calibration
from src.evaluation.keep import keep
from src.evaluation.measure import Predicted, Results, measure_all
from src.model.infer import Predictor
from src.progress import progress


def assess(
    predictor: Predictor,
    store: Store,
    indices: Sequence[int],
    groups: Sequence[str],
    tolerance: float | None,
    title: str,
    kept: Path | None = None,
) -> tuple[Results, Calibration]:
    """Predict and measure the images at `indices`, one pass over them.

    groups, tolerance: see `measure_all`; title: what the progress calls it; kept: an .npz file for the predictions.
    """
    calibration = Calibration(len(store.dataset.names))

    def predictions() -> Iterator[Predicted]:
        for index in progress(indices, len(indices), f"evaluate {title}"):
            truth = store.mask(index)
            yield index, predictor(store.image(index), lambda window, p: calibration.add(p, truth[window]))  # noqa: B023
            store.release()

    predicted = keep(kept, predictions()) if kept else predictions()
    return measure_all(store, predicted, groups, tolerance), calibration
