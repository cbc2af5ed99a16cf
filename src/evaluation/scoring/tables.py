"""The tables of an evaluation in one folder: images, classes, confusion and, of a network, its probabilities."""

from collections.abc import Mapping
from pathlib import Path

from src.data.source.dataset import Dataset
from src.evaluation.metrics.calibration import PRECISION_RECALL, RELIABILITY, Calibration
from src.evaluation.scoring.measure import COLUMNS, Results, image_rows
from src.evaluation.scoring.scores import CLASSES, CONFUSION, class_rows, confusion_rows
from src.files import write_csv
from src.params import Evaluate

SCORES = "scores.csv"


def write_tables(
    folder: Path,
    methods: Mapping[str, Results],
    calibration: Calibration | None,
    dataset: Dataset,
    params: Evaluate,
    seed: int,
) -> None:
    """methods: name → what it scores; the tables but that of the images are of the first. Each is written whole."""
    names, first = dataset.names, next(iter(methods.values()))
    rows = (row for method, results in methods.items() for row in image_rows(results, names, method))
    write_csv(folder / SCORES, rows, COLUMNS)
    write_csv(folder / "classes.csv", class_rows(first, dataset, params, seed), CLASSES)
    write_csv(folder / "confusion.csv", confusion_rows(first, names), CONFUSION)
    if calibration:
        shown = dataset.foreground
        write_csv(folder / "reliability.csv", calibration.reliability(names, shown), RELIABILITY)
        write_csv(folder / "precision_recall.csv", calibration.precision_recall(names, shown), PRECISION_RECALL)
