"""Scores of one method on a labelled folder, and the folder that they are written to."""

from pathlib import Path
from typing import Any

from src.data.labelled.folder import LabelledFolder
from src.data.labelled.ready_masks import ReadyMasks
from src.data.source.dataset import NAME, Dataset, write_dataset
from src.errors import UserError, listing
from src.evaluation.metrics.calibration import Calibration
from src.evaluation.scoring.measure import Results, measure_all
from src.evaluation.scoring.scores import summary
from src.evaluation.scoring.tables import write_tables
from src.files import atomic, round_scores, write_json
from src.params import Params
from src.progress import progress

JSON = "scores.json"
TABLES = ("scores.csv", "classes.csv", "confusion.csv", "reliability.csv", "precision_recall.csv")
ELSEWHERE = ("group", "train", "validation", "test", "package")  # keys of dataset.yaml that need the data set beside it


def check_out(folder: Path) -> None:
    """`UserError` if the folder holds anything but earlier scores, which may be replaced."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is no folder; choose another one with --out")
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    foreign = sorted(there - {JSON, NAME, *TABLES}) if JSON in there else sorted(there)
    if foreign:
        raise UserError(f"{folder}: holds other things than scores; choose another one with --out\n{listing(foreign)}")


def score_ready(labelled: LabelledFolder, ready: ReadyMasks, tolerance: float) -> Results:
    """What ready masks score on the images they are of."""
    predictions = ((index, ready.mask(index)) for index in labelled.images.indices)
    shown = progress(predictions, len(labelled.images), "score")
    return measure_all(labelled.images, shown, tolerance)


def write_scores(
    folder: Path, method: str, results: Results, calibration: Calibration | None, dataset: Dataset, params: Params
) -> dict[str, Any]:
    """Write the folder whole: scores.json, the tables, and dataset.yaml; what scores.json holds.

    It holds what metrics/test.json does, but no baseline. dataset: the resolved one, in whose classes was scored.
    """
    scores = summary(results, dataset, params.evaluate, params.seed)
    if calibration:
        scores["calibration"] = calibration.summary()
    scores = round_scores(scores)
    with atomic(folder) as temporary:
        temporary.mkdir()
        write_json(temporary / JSON, scores)
        write_tables(temporary, {method: results}, calibration, dataset, params.evaluate, params.seed)
        write_dataset(temporary, dataset.model_copy(update=dict.fromkeys(ELSEWHERE)))
    return scores
