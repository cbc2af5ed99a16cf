"""Scores of one method on a labelled folder (`tools.score`), and the folder that they are written to."""

from pathlib import Path

from src.data.labelled.folder import LabelledFolder
from src.data.labelled.ready_masks import ReadyMasks
from src.data.source.dataset import NAME, write_dataset
from src.errors import UserError, listing
from src.evaluation.metrics.calibration import Calibration
from src.evaluation.scoring.measure import Results, measure_all
from src.evaluation.scoring.scores import Metrics, Scoring, summary
from src.evaluation.scoring.tables import write_tables
from src.files import atomic, round_scores, write_json
from src.progress import progress

JSON = "scores.json"
TABLES = ("scores.csv", "classes.csv", "confusion.csv", "reliability.csv", "precision_recall.csv")
RELATIVE = (
    "group",
    "train",
    "validation",
    "test",
    "package",
)  # keys of dataset.yaml that name files


def check_out(folder: Path) -> None:
    """Check that scores may be written to the folder: it does not exist, is empty, or holds earlier scores only.

    Raises:
        UserError: It is not a folder, or holds other files; the message lists them.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is not a folder; choose another one with --out")
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    foreign = sorted(names - {JSON, NAME, *TABLES}) if JSON in names else sorted(names)
    if foreign:
        raise UserError(f"{folder}: holds other files than scores; choose another one with --out\n{listing(foreign)}")


def score_ready(labelled: LabelledFolder, ready: ReadyMasks, tolerance: float) -> Results:
    """Measure ready-made masks, for example of a second annotator, against the truth.

    Args:
        labelled: The labelled images.
        ready: The masks to score.
        tolerance: Tolerance of the surface Dice, in the data's units.
    """
    predictions = ((index, ready.mask(index)) for index in labelled.images.indices)
    shown = progress(predictions, len(labelled.images), "score")
    return measure_all(labelled.images, shown, tolerance, ready.numbers.of)


def write_scores(
    folder: Path, method: str, results: Results, calibration: Calibration | None, scoring: Scoring
) -> Metrics:
    """Write scores.json, the tables and dataset.yaml to a folder, which is replaced as a whole.

    Args:
        folder: The folder; see `check_out`.
        method: Name of the method in scores.csv.
        results: Its measurements.
        calibration: Sums over its probabilities; None if it has none.
        scoring: Classes and settings.

    Returns:
        The content of scores.json: that of metrics/test.json without a baseline.
    """
    scores = summary(results, scoring)
    if calibration:
        scores["calibration"] = calibration.summary()
    scores = round_scores(scores)
    with atomic(folder) as temporary:
        temporary.mkdir()
        write_json(temporary / JSON, scores)
        write_tables(temporary, {method: results}, calibration, scoring)
        write_dataset(temporary, scoring.dataset.model_copy(update=dict.fromkeys(RELATIVE)))
    return scores
