"""Find the masks that are most likely wrong: shifted, swapped, an object missing or added, or classes exchanged.

The training and validation images are divided into folds. Networks with the settings of the plan are trained on all
folds but one and predict that one, so no network has seen the mask that it judges. Masks are ranked by the share of
their disagreement with the confident part of the prediction that one correction removes. Test images are not read.
Models, metrics and outputs of the pipeline stay as they are.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tools import parser, run
from tools.learning_curve import count, positive

if TYPE_CHECKING:
    from src.data.store.store import Store
    from src.model.suspects.fold_task import FoldTask
    from src.params import Params

EXAMPLES = """Run dvc repro split before. An interrupted run continues after its last finished fold.

examples:
  python -m tools.suspects                              3 folds, each trained as long as the plan says
  python -m tools.suspects --minutes 20                 shorter trainings, in 20 minutes together
  python -m tools.suspects --folds 5 --steps 500 --pictures 50
"""
PARAMS = Path("params.yaml")
FOLDER = "suspects"  # in plots/
FEWEST_FOLDS = 2


def main(arguments: argparse.Namespace) -> None:
    from src import params
    from stages import PLOTS, SPLITS
    from tools.learning_curve import prepared

    read = params.load(PARAMS)
    refuse_initial(read.train.initial)
    params.check_weights(read)
    task = fold_task(arguments, read, prepared(read), SPLITS, Path.cwd())
    files = predicted(task, arguments.minutes)
    # Not before: finished folds are found by a hash of the imported code, and they do not depend on these modules.
    from src.report.suspects.page import PAGE, TABLE, write_suspects
    from src.report.suspects.text import suspects_text
    from src.suspects.find_suspects import find_suspects
    from src.suspects.predictions import Predictions

    with Predictions(task.folds, files) as predictions:
        suspects = find_suspects(task.folds, predictions)
        write_suspects(PLOTS / FOLDER, suspects, predictions, arguments.pictures)
    judged = sum(len(fold.held_out) for fold in task.folds)
    print(f"{suspects_text(suspects, judged)}\n\nwritten: {PLOTS / FOLDER / TABLE}, {PLOTS / FOLDER / PAGE}")


def refuse_initial(initial: str) -> None:
    """Raise `UserError` if training starts from an earlier model, which may have learned the errors of the masks.

    Args:
        initial: train.initial.
    """
    from src.errors import UserError

    if initial != "none":
        raise UserError(
            f"train.initial: {initial} may have been trained on the masks that are judged, so it may repeat their "
            "errors: set train.initial: none (ImageNet weights of model.encoder may stay)"
        )


def fold_task(arguments: argparse.Namespace, read: "Params", store: "Store", splits: Path, root: Path) -> "FoldTask":
    """Divide the images into folds, and plan their trainings. TensorFlow is loaded once nothing can be refused.

    Args:
        arguments: Of the command.
        read: The parameters.
        store: The prepared data set.
        splits: data/splits.csv.
        root: The repository that keeps finished folds.
    """
    from src.data.store.subsets import Subset, read_subset
    from src.learning_curve.images import current_split
    from src.plan.facts import Facts
    from src.plan.plan import plan_training
    from src.suspects.folds import make_folds

    rows = current_split(store, splits, read.split)
    trained, validated = (read_subset(splits, store, name) for name in ("train", "validation"))
    plan = plan_training(Facts.of(trained, validated), read.data, read.augment, read.model, read.train)
    images = Subset(store, [*trained.indices, *validated.indices], [*trained.groups, *validated.groups])
    folds = make_folds(images, rows, arguments.folds, read.split.stratify, read.split.seed)
    from src.model.network.import_tensorflow import import_tensorflow_quietly

    import_tensorflow_quietly()
    from src.model.suspects.fold_task import FoldTask
    from src.model.suspects.train_folds import kept_folder

    return FoldTask(read, plan, folds, arguments.steps or plan.train.steps, kept_folder(root))


def predicted(task: "FoldTask", minutes: float | None) -> list[Path]:
    """Train the folds that are not kept, and return the files of all predictions.

    Args:
        task: The folds.
        minutes: The time for all trainings; None: as many steps as the task has.
    """
    from src.model.suspects.train_folds import measure_cost, missing_folds, predict_folds

    cost = measure_cost(task)
    if minutes:
        task = task.fitted_to(minutes, cost)
    folds, missing = len(task.folds), missing_folds(task)
    kept = f", {folds - len(missing)} of them kept from an earlier run" if len(missing) < folds else ""
    time, masks = f"about {task.seconds(cost, missing) / 60:.0f} minute(s)", sum(len(f.held_out) for f in task.folds)
    print(f"{folds} trainings of {task.steps} steps for {masks} masks{kept}: {time}", flush=True)
    return predict_folds(task, cost)


def fold_count(text: str) -> int:
    value = int(text)
    if value < FEWEST_FOLDS:
        raise argparse.ArgumentTypeError(f"must be {FEWEST_FOLDS} or more")
    return value


if __name__ == "__main__":
    arguments = parser("suspects", __doc__, EXAMPLES)
    arguments.add_argument("--folds", type=fold_count, default=3, metavar="K", help="default: 3")
    length = arguments.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=positive, metavar="M", help="trainings that fit into M minutes together")
    length.add_argument("--steps", type=count, metavar="N", help="steps of each training; default: train.steps")
    arguments.add_argument("--pictures", type=count, default=20, metavar="N", help="masks to draw; default: 20")
    run(arguments, main)
