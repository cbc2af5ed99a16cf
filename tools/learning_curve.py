"""Estimate the gain from more labelled images: train on fractions of them, and extrapolate to twice as many.

The fractions are nested and hold whole groups. All trainings have the same settings, those of the plan for the
full data, and the same number of steps; one more has twice the steps on all images. Models are scored on the validation
images after their last step. A fitted power law gives the gain from twice the labels with a 95 % interval,
and the gain is compared with that from twice the steps. Models, metrics and outputs of the pipeline stay as they are.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tools import parser, run

if TYPE_CHECKING:
    from src.data.store.store import Store
    from src.learning_curve.curve import Curve
    from src.learning_curve.images import Images
    from src.params import Params
    from src.plan.plan import Plan

EXAMPLES = """Run dvc repro split before. An interrupted run continues after its last finished training.

examples:
  python -m tools.learning_curve                                          trainings as long as the plan says
  python -m tools.learning_curve --minutes 60                             shorter ones, in an hour together
  python -m tools.learning_curve --fractions 0.125 0.25 0.5 1 --seeds 0 1 --steps 500
"""
PARAMS = Path("params.yaml")
TABLE, CHART = "learning_curve.csv", "learning_curve.png"  # in plots/
FEWEST_FRACTIONS = 3  # for a power law


def main(arguments: argparse.Namespace) -> None:
    from src import params
    from src.files import write_csv
    from src.learning_curve.curve import COLUMNS
    from src.learning_curve.images import read_images
    from src.plan.facts import Facts
    from src.plan.plan import plan_training
    from stages import PLOTS, SPLITS

    read = params.load(PARAMS)
    refuse_initial(read.train.initial)
    params.check_weights(read)
    images = read_images(prepared(read), SPLITS, read.split, sorted(arguments.fractions), arguments.seeds)
    facts = Facts.of(images.trained, images.validated)
    plan = plan_training(facts, read.data, read.augment, read.model, read.train)
    curve = measured(arguments, read, plan, images)
    # Not before: finished trainings are found by a hash of the imported code, and they do not depend on these modules.
    from src.learning_curve.estimate import estimate
    from src.report.learning_curve.chart import draw_learning_curve
    from src.report.learning_curve.text import curve_text

    found = estimate(curve)
    write_csv(PLOTS / TABLE, curve.rows(), COLUMNS)
    draw_learning_curve(PLOTS / CHART, curve, found)
    print(f"{curve_text(curve, found, plan.train.steps)}\n\nwritten: {PLOTS / TABLE}, {PLOTS / CHART}")


def refuse_initial(initial: str) -> None:
    """Raise `UserError` if training starts from an earlier model, which may know images that a fraction leaves out.

    Args:
        initial: train.initial.
    """
    from src.errors import UserError

    if initial != "none":
        raise UserError(
            f"train.initial: {initial} may have been trained on images that smaller fractions leave out, "
            "so the curve would be too flat: set train.initial: none (ImageNet weights of model.encoder may stay)"
        )


def prepared(read: "Params") -> "Store":
    """Open the prepared data set; refuse it if settings of the stage were changed since."""
    from src.data.store.store import Store
    from src.errors import UserError, listing
    from src.reproduction.verify.changed_settings import changed_settings
    from stages import PREPARED

    store = Store(PREPARED)
    if changed := changed_settings(Path(), "prepare", read.model_dump()):
        raise UserError(f"{PREPARED}: was made with other settings; run `dvc repro split`\n{listing(changed)}")
    return store


def measured(arguments: argparse.Namespace, read: "Params", plan: "Plan", images: "Images") -> "Curve":
    """Train, and return the points of the curve.

    Args:
        arguments: Of the command.
        read: The parameters.
        plan: The plan for the full data.
        images: The images.
    """
    from src.model.network.import_tensorflow import import_tensorflow_quietly

    import_tensorflow_quietly()
    from src.model.learning_curve.run_trainings import kept_folder, measure_cost, remaining, run_trainings
    from src.model.learning_curve.task import Task

    steps = arguments.steps or plan.train.steps
    task = Task(read, plan, images.fractions, images.validated, steps, kept_folder(Path.cwd()))
    cost = measure_cost(task)
    if arguments.minutes:
        task = task.fitted_to(arguments.minutes, cost)
    number, left = len(task.fractions) * (task.passes - 1), remaining(task, cost)
    kept = f", {number - left.number} of them kept from an earlier run" if left.number < number else ""
    minutes = f"about {left.seconds / 60:.0f} minute(s)"
    print(f"{number} trainings of {task.steps} steps or twice as many{kept}: {minutes}", flush=True)
    return run_trainings(task, cost)


def problem(arguments: argparse.Namespace) -> str:
    """Say why arguments do not go together; "" if they do."""
    shares, seeds = arguments.fractions, arguments.seeds
    if len(set(shares)) != len(shares) or len(set(seeds)) != len(seeds):
        return "arguments --fractions and --seeds: name each value once"
    if len(shares) < FEWEST_FRACTIONS or max(shares) != 1:
        return f"argument --fractions: a power law needs {FEWEST_FRACTIONS} or more, and the largest must be 1"
    return ""


def share(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError("must be a number above 0, at most 1")
    return value


def seed(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError("must be from 0 to 4294967295")
    return value


def count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("must be a number above 0")
    return value


if __name__ == "__main__":
    arguments = parser("learning_curve", __doc__, EXAMPLES)
    arguments.add_argument(
        "--fractions", nargs="+", type=share, default=[0.25, 0.5, 1.0], metavar="F", help="default: 0.25 0.5 1"
    )
    arguments.add_argument("--seeds", nargs="+", type=seed, default=[0, 1, 2], metavar="N", help="default: 0 1 2")
    length = arguments.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=positive, metavar="M", help="trainings that fit into M minutes together")
    length.add_argument("--steps", type=count, metavar="N", help="steps of each training; default: train.steps")
    run(arguments, main, problem)
