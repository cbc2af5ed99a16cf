"""Predict the score of all training images from trainings on parts of them, and compare it with the measured one.

On each data set, networks are trained on 1/8, 1/4, 1/2 and all of the training images, as tools.learning_curve does.
From the first three points the score of all images is predicted with its 95 % interval, which contains the noise of
new seeds. The output says whether the interval holds the measured score, and prints the naive prediction of no gain,
too. Finished trainings are kept in .dvc/tmp/learning-curve, so the same command continues an interrupted run.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.recipe import ROOT, SETS, make_project, setting
from tools import parser, run

if TYPE_CHECKING:
    from src.learning_curve.curve import Curve

EXAMPLES = """examples:
  python -m benchmarks.learning_curve --sets nuclei street
  python -m benchmarks.learning_curve --sets nuclei street --minutes 60
"""
SHARES = (0.125, 0.25, 0.5, 1.0)


def main(arguments: argparse.Namespace) -> None:
    """Train on every set; print the points, the prediction and whether it holds."""
    from src import params
    from tools.learning_curve import refuse_initial

    settings = dict(arguments.settings)
    refuse_initial(settings.get("train.initial", params.load(ROOT / "params.yaml").train.initial))
    from src.model.network.import_tensorflow import import_tensorflow_quietly

    import_tensorflow_quietly()
    curves = dict[str, "Curve"]()
    for name in arguments.sets:
        with tempfile.TemporaryDirectory() as work:
            project = make_project(Path(work), name, settings, False)
            curve = curve_of(project, arguments)
        curves[name] = curve
        for point in curve.points:
            seeds = ", ".join(f"{mean:.4f}" for mean in point.means)
            print(
                f"{name} | {point.images:.0f} images | {point.steps} steps | {point.mean:.4f} | seeds {seeds}",
                flush=True,
            )
    held = 0
    # After all trainings: their files are named by a hash of the imported code, which must not hold the prediction's.
    for name, curve in curves.items():
        words, holds = verdict(curve)
        held += holds
        print(f"{name} | {words}", flush=True)
    print(f"the interval holds the measured score on {held} of {len(arguments.sets)} set(s)")


def curve_of(project: Path, arguments: argparse.Namespace) -> "Curve":
    """Train on the fractions of a project that is prepared and split."""
    from src import params
    from src.data.store.store import Store
    from src.learning_curve.images import read_images
    from src.model.learning_curve.run_trainings import kept_folder, measure_cost, run_trainings
    from src.model.learning_curve.task import Task
    from src.plan.facts import Facts
    from src.plan.plan import plan_training
    from stages import PREPARED, SPLITS

    read, store = params.load(project / "params.yaml"), Store(project / PREPARED)
    images = read_images(store, project / SPLITS, read.split, SHARES, arguments.seeds)
    facts = Facts.of(images.trained, images.validated, read.train.initial)
    plan = plan_training(facts, read.data, read.augment, read.model, read.train)
    steps = arguments.steps or plan.train.steps
    task = Task(read, plan, images.fractions, images.validated, steps, kept_folder(ROOT), compare_longer=False)
    cost = measure_cost(task)
    return run_trainings(task.fitted_to(arguments.minutes, cost) if arguments.minutes else task, cost)


def verdict(curve: "Curve") -> tuple[str, bool]:
    """Predict the last point from the others: a line of text, and whether the interval holds what was measured."""
    from src.learning_curve.estimate import predict

    *before, last = curve.points
    found = predict(replace(curve, points=before), last.images / before[-1].images)
    if found.bounds is None:
        return "no interval: too few groups of validation images", False
    low, high = found.bounds
    holds = low <= last.mean <= high
    naive = f"no gain would be {before[-1].mean:.4f}"
    words = f"predicted {found.value:.4f} ({low:.4f} to {high:.4f}), measured {last.mean:.4f}, {naive}"
    return f"{words}: {'held' if holds else 'not held'}", holds


def pairs(text: str) -> tuple[str, Any]:
    if "=" not in text:
        raise argparse.ArgumentTypeError("must be KEY=VALUE")
    return setting(text)


if __name__ == "__main__":
    arguments = parser("learning_curve", __doc__, EXAMPLES)
    arguments.prog = "python -m benchmarks.learning_curve"
    arguments.add_argument(
        "--sets", nargs="+", choices=SETS, default=["nuclei", "street"], help="default: nuclei street"
    )
    arguments.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="N", help="default: 0 1 2")
    arguments.add_argument("--minutes", type=float, help="for the trainings of a set together")
    arguments.add_argument("--steps", type=int, help="of each training; default: those of the plan")
    arguments.add_argument("--settings", nargs="+", type=pairs, default=[], metavar="KEY=VALUE", help="of params.yaml")
    run(arguments, main)
