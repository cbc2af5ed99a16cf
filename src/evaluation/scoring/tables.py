"""The tables of an evaluation, written to one folder: images, classes, confusion and, for a network, probabilities."""

from collections.abc import Mapping
from pathlib import Path

from src.evaluation.metrics.calibration import PRECISION_RECALL, RELIABILITY, Calibration
from src.evaluation.scoring.measure import Results, columns, image_rows
from src.evaluation.scoring.scores import CLASSES, CONFUSION, Scoring, class_rows, confusion_rows
from src.files import write_csv

SCORES = "scores.csv"


def write_tables(
    folder: Path, methods: Mapping[str, Results], calibration: Calibration | None, scoring: Scoring
) -> None:
    """Write the tables of an evaluation.

    Args:
        folder: The folder; it need not exist.
        methods: Name of each method → its measurements. All go to scores.csv; the other tables are of the first.
        calibration: Sums over the first method's probabilities; None if it has none.
        scoring: Classes and settings.
    """
    dataset, first = scoring.dataset, next(iter(methods.values()))
    rows = (row for method, results in methods.items() for row in image_rows(results, dataset.names, method))
    write_csv(folder / SCORES, rows, columns(first))
    write_csv(folder / "classes.csv", class_rows(first, scoring), CLASSES)
    write_csv(folder / "confusion.csv", confusion_rows(first, dataset), CONFUSION)
    if calibration:
        reliability = calibration.reliability(dataset.names, dataset.foreground)
        write_csv(folder / "reliability.csv", reliability, RELIABILITY)
        curves = calibration.precision_recall(dataset.names, dataset.foreground)
        write_csv(folder / "precision_recall.csv", curves, PRECISION_RECALL)
