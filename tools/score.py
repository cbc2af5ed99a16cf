"""Score the model, or ready masks of a second annotator or another program, on a labelled folder.

The measures are those of the evaluate stage, so that the scores of people and network can be compared. The folder is
read and checked as in the prepare stage, with the settings of params.yaml and the dataset.yaml of the folder.
"""

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tools import parser, run

if TYPE_CHECKING:
    from src.archive.ensemble import Ensemble
    from src.data.checks.dataset_checks import CheckResult
    from src.data.labelled.folder import LabelledFolder
    from src.data.source.dataset import Dataset
    from src.evaluation.metrics.calibration import Calibration
    from src.evaluation.scoring.measure import Results
    from src.model.inference.predictor import Predictor
    from src.params import Params

EXAMPLES = """\
examples:
  python -m tools.score --model models/unet.keras --data other/set
  python -m tools.score --prediction masks_2ndHO --data data/vessels --only test.txt   a second annotator
"""


@dataclass(frozen=True)
class Scored:
    """What was scored: counts of each image, the calibration of a model, the classes, and notes for the terminal."""

    results: "Results"
    calibration: "Calibration | None"
    dataset: "Dataset"
    notes: list[str]


def main(given: argparse.Namespace) -> None:
    from src import params
    from src.data.labelled.folder import find_path, read_labelled
    from src.errors import UserError
    from src.evaluation.scoring.methods import NETWORK, PREDICTION
    from src.evaluation.scoring.score import check_out, write_scores
    from src.evaluation.scoring.scores import Scoring
    from src.report.text.scored import scored_text
    from src.report.text.summary import Wording, averages
    from stages import MODEL

    read = params.load()
    check_out(given.out)
    if given.model and not given.model.is_file():
        raise UserError(f"{given.model}: no such file; dvc repro makes {MODEL}")
    ready = find_path(given.prediction, given.data) if given.prediction else None
    given.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".tmp-score-", dir=given.out.parent) as work:
        labelled = read_labelled(given.data, read, Path(work), show_findings, masks=given.masks, only=given.only)
        if ready:
            scored = score_masks(ready, labelled, read, Path(work))
        else:
            scored = score_model(given.model, given.data, labelled, read)
        method = PREDICTION if ready else NETWORK
        scores = write_scores(
            given.out, method, scored.results, scored.calibration, Scoring(scored.dataset, read.evaluate, read.seed)
        )
    wording = Wording("images", scored.dataset.length_unit, [averages(scored.dataset), *warnings_of(labelled)])
    print(scored_text(scores, scored.notes, given.out, wording))


def show_findings(result: "CheckResult") -> None:
    """Print a summary of the findings; raises `UserError` if one is an error."""
    from src.data.checks.findings import raise_errors, summary

    print(*summary(result), sep="\n", flush=True)
    raise_errors(result.errors, "in the data set")


def warnings_of(labelled: "LabelledFolder") -> list[str]:
    from src.data.splits.split_warnings import split_warning

    records = labelled.images.records
    pairs = zip(records, labelled.images.groups, strict=True)
    words = split_warning(records, [{"id": record.id, "group": group, "subset": "test"} for record, group in pairs])
    return [words] if words else []


def score_masks(folder: Path, labelled: "LabelledFolder", read: "Params", work: Path) -> Scored:
    from src.data.labelled.ready_masks import ignore_undecided, read_ready_masks
    from src.evaluation.scoring.score import score_ready

    ready = read_ready_masks(folder, labelled, read.data.masks, work)
    notes = [f"scored: the masks in {folder}", *ready.notes()]
    if taken := ignore_undecided(labelled.store, ready):
        words = "are undecided in the predictions and were not scored, so scores of other masks are on more pixels"
        notes.append(f"{taken:,} pixels {words}")
    return Scored(score_ready(labelled, ready, read.evaluate.tolerance), None, labelled.store.dataset, notes)


def notes_of_ensemble(path: Path, ensemble: "Ensemble", labelled: "LabelledFolder") -> list[str]:
    """Refuse images that a member of an ensemble has seen; notes say what is not known."""
    from src.data.labelled.seen_images import seen_images
    from src.errors import UserError, listing, printable, some

    if seen := seen_images(labelled.images, ensemble.seen):
        reason = "would be too high on images that its members were trained or validated on"
        remedy = "score other images: name them with --only FILE, or take another folder"
        raise UserError(f"{path}: its scores {reason}; {remedy}\n{listing(map(printable, seen))}")
    if unknown := ensemble.unrecorded:
        members = some(map(printable, unknown), show=str)
        return [f"warning: it is not known which images were used to train {members}: they must not be among these"]
    return ["no member of the ensemble was trained or validated on these images"]


def load_unseen(path: Path, labelled: "LabelledFolder") -> "tuple[Predictor, list[str]]":
    """Read a model file once; refuse images that a member of an ensemble has seen. Notes are empty for a single model.

    The refusal comes before TensorFlow is imported and a network is built. The bytes of the file are freed on return.
    """
    from src.archive.ensemble import EnsembleArchive, read_archive
    from src.model.network.import_tensorflow import import_tensorflow_quietly

    found = read_archive(path)
    notes = notes_of_ensemble(path, found.ensemble, labelled) if isinstance(found, EnsembleArchive) else []
    import_tensorflow_quietly()
    from src.model.inference.predictor import predictor_of
    from src.model.network.model_file import load_models

    return predictor_of(load_models(path, found)), notes


def score_model(path: Path, folder: Path, labelled: "LabelledFolder", read: "Params") -> Scored:
    from src.data.labelled.class_match import match_classes
    from src.data.labelled.remap_classes import remap_classes
    from src.data.source.dataset import NAME
    from src.data.store.subsets import Subset
    from src.evaluation.scoring.methods import NETWORK

    network, seen = load_unseen(path, labelled)
    from src.model.inference.score_subset import score_subset

    project, dataset = network.project, labelled.store.dataset
    match = match_classes(dataset, project.dataset, named=labelled.named, place=str(folder / NAME))
    store = remap_classes(labelled.store, match.indices, project.classes, project.background, project.colors)
    images = Subset(store, labelled.images.indices, labelled.images.groups)
    results, calibration = score_subset(network, images, NETWORK, tolerance=read.evaluate.tolerance)
    notes = [f"scored: {path}", *seen]
    if match.how != "name":
        how = "stored value" if match.how == "value" else "order"
        words = match.describe(list(dataset.classes), project.dataset)
        notes.append(f"classes are matched by {how}, because no {NAME} names them: {words}")
    if not seen and Path(read.data.source).resolve() == folder.resolve():
        notes.append(
            "this is data.source: the model was trained and validated on some of these images (data/splits.csv)"
        )
    return Scored(results, calibration, store.dataset, notes)


def arguments() -> argparse.ArgumentParser:
    score = parser("score", __doc__, EXAMPLES)
    one = score.add_mutually_exclusive_group(required=True)
    one.add_argument("--model", type=Path, metavar="FILE", help="a model, such as models/unet.keras")
    masks = "ready masks with the names of the data set: a folder below the current folder, else below --data; with a "
    masks += "folder or a channel for each class if classes overlap"
    one.add_argument("--prediction", type=Path, metavar="FOLDER", help=masks)
    labels = "a folder with images/, masks/ and, optionally, dataset.yaml"
    score.add_argument("--data", type=Path, required=True, metavar="FOLDER", help=labels)
    score.add_argument(
        "--masks", default="masks", metavar="NAME", help="name of the folder next to images/ with the true masks"
    )
    only = "score only the images that this text file names, one id or group per line; looked up like --prediction"
    score.add_argument("--only", type=Path, metavar="FILE", help=only)
    score.add_argument("--out", type=Path, default=Path("logs/score"), metavar="FOLDER", help="default: logs/score")
    return score


if __name__ == "__main__":
    run(arguments(), main)
