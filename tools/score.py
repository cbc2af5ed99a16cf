"""Score the model on another labelled folder, or ready masks of a second annotator or another program.

Both by the same measures as the evaluate stage, so that the human level stands beside the network's. The folder is read
and checked as the prepare stage does, with the settings of params.yaml and the folder's own dataset.yaml.
"""

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tools import parser, run

if TYPE_CHECKING:
    from src.data.checks.dataset_checks import CheckResult
    from src.data.labelled.folder import LabelledFolder
    from src.data.source.dataset import Dataset
    from src.evaluation.metrics.calibration import Calibration
    from src.evaluation.scoring.measure import Results
    from src.params import Params

    Scored = tuple[Results, Calibration | None, Dataset, list[str]]  # the last are notes

EXAMPLES = """\
examples:
  python -m tools.score --model models/unet.keras --data other/set
  python -m tools.score --prediction masks_2ndHO --data data/vessels --only test.txt   a second annotator
"""


def main(given: argparse.Namespace) -> None:
    from src import params
    from src.data.labelled.folder import find_path, read_labelled
    from src.errors import UserError
    from src.evaluation.scoring.score import check_out, write_scores
    from src.report.text.scored import scored_text
    from src.report.text.summary import averages

    read = params.load()
    check_out(given.out)
    if given.model and not given.model.is_file():
        raise UserError(f"{given.model}: no such file; dvc repro makes models/unet.keras")
    ready = find_path(given.prediction, given.data) if given.prediction else None
    given.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".tmp-score-", dir=given.out.parent) as work:
        labelled = read_labelled(given.data, read, Path(work), report, masks=given.masks, only=given.only)
        scored = (
            of_masks(ready, labelled, read, Path(work)) if ready else of_model(given.model, given.data, labelled, read)
        )
        results, calibration, dataset, notes = scored
        method = "prediction" if ready else "unet"
        scores = write_scores(given.out, method, results, calibration, dataset, read)
    warnings = [averages(dataset), *warnings_of(labelled)]
    print(scored_text(scores, notes, dataset.length_unit, given.out, warnings))


def report(gate: "CheckResult") -> None:
    from src.data.checks.findings import raise_errors, summary

    print(*summary(gate), sep="\n", flush=True)
    raise_errors(gate.errors, "in the data set")


def warnings_of(labelled: "LabelledFolder") -> list[str]:
    from src.data.splits.split_warnings import split_warning

    records = labelled.images.records
    pairs = zip(records, labelled.images.groups, strict=True)
    words = split_warning(records, [{"id": record.id, "group": group, "subset": "test"} for record, group in pairs])
    return [words] if words else []


def of_masks(folder: Path, labelled: "LabelledFolder", read: "Params", work: Path) -> "Scored":
    from src.data.labelled.ready_masks import ignore_undecided, read_ready_masks
    from src.evaluation.scoring.score import score_ready

    ready = read_ready_masks(folder, labelled, read.data.masks, work)
    notes = [f"scored are the masks in {folder}", *ready.notes()]
    if taken := ignore_undecided(labelled.store, ready):
        notes.append(f"{taken:,} pixels are undecided in the predictions and count nowhere: it is a test of its own")
    return score_ready(labelled, ready, read.evaluate.tolerance), None, labelled.store.dataset, notes


def of_model(path: Path, folder: Path, labelled: "LabelledFolder", read: "Params") -> "Scored":
    from src.data.labelled.class_match import match_classes
    from src.data.labelled.remap_classes import remap_classes
    from src.data.source.dataset import NAME
    from src.data.store.subsets import Subset
    from src.model.inference.predictor import load_predictor
    from src.model.inference.score_subset import score_subset

    network = load_predictor(path)
    project, dataset = network.project, labelled.store.dataset
    match = match_classes(dataset, project.dataset, named=labelled.named, place=str(folder / NAME))
    store = remap_classes(labelled.store, match.indices, project.classes, project.background, project.colors)
    images = Subset(store, labelled.images.indices, labelled.images.groups)
    results, calibration = score_subset(network, images, "unet", tolerance=read.evaluate.tolerance)
    notes = [f"scored is {path}"]
    if match.how != "name":
        how = "stored value" if match.how == "value" else "order"
        words = match.describe(list(dataset.classes), project.dataset)
        notes.append(f"classes are matched by {how}, as no {NAME} names them: {words}")
    if Path(read.data.source).resolve() == folder.resolve():
        notes.append(
            "this is data.source: the model was trained and validated on some of these images (data/splits.csv)"
        )
    return results, calibration, store.dataset, notes


def arguments() -> argparse.ArgumentParser:
    score = parser("score", __doc__, EXAMPLES)
    one = score.add_mutually_exclusive_group(required=True)
    one.add_argument("--model", type=Path, metavar="FILE", help="a model, such as models/unet.keras")
    masks = "ready masks named as in the data set: a folder in the current one, else in the data set's"
    one.add_argument("--prediction", type=Path, metavar="FOLDER", help=masks)
    labels = "with images/, masks/ and, if wanted, a dataset.yaml"
    score.add_argument("--data", type=Path, required=True, metavar="FOLDER", help=labels)
    score.add_argument(
        "--masks", default="masks", metavar="NAME", help="the folder beside images/ to take as the truth"
    )
    only = "score the images alone that this text file names, an id or a group in each line; found as a prediction is"
    score.add_argument("--only", type=Path, metavar="FILE", help=only)
    score.add_argument("--out", type=Path, default=Path("logs/score"), metavar="FOLDER", help="default: logs/score")
    return score


if __name__ == "__main__":
    run(arguments(), main)
