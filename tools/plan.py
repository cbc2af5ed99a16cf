"""Print the plan: the settings of training and their reasons. With --minutes, find how many steps fit into a time.

Settings that are `auto` in params.yaml are derived from the training images, as in training. With --minutes, a few
steps and a validation are timed on this machine, and train.steps in params.yaml is set to the number of steps that fit.
Training itself never measures time, so it can be repeated with the same number of steps on any machine. The decisions
at its end (train.decisions) come on top: about a dozen more passes over the validation images.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tools import parser, run

if TYPE_CHECKING:
    from src.data.store.subsets import Subset
    from src.params import Params
    from src.plan.facts import Facts
    from src.plan.plan import Plan

EXAMPLES = """Run dvc repro split before.

examples:
  python -m tools.plan
  python -m tools.plan --minutes 5 && dvc repro
"""
PARAMS = Path("params.yaml")
MEASURED = 16  # validation images that are timed


def main(arguments: argparse.Namespace) -> None:
    from src import params
    from src.data.splits.split_warnings import validation_warning
    from src.data.store.store import Store
    from src.data.store.subsets import read_subset
    from src.errors import UserError
    from src.plan.facts import Facts
    from src.write_setting import write_setting
    from stages import PREPARED, SPLITS

    read = params.load(PARAMS)
    params.check_weights(read)
    if not SPLITS.exists():
        raise UserError(f"{SPLITS}: there is no split yet; run `dvc repro split`")
    store = Store(PREPARED)
    trained, validated = (read_subset(SPLITS, store, name) for name in ("train", "validation"))
    facts = Facts.of(trained, validated, read.train.initial)
    if arguments.minutes:
        steps = steps_that_fit(arguments.minutes, read, facts, trained, validated)
        write_setting(PARAMS, "train", "steps", steps)
        read = params.load(PARAMS)
    print(plan_of(read, facts))
    if warning := validation_warning(trained, validated, read.data.source):
        print(f"\n{warning}")


def steps_that_fit(minutes: float, read: "Params", facts: "Facts", trained: "Subset", validated: "Subset") -> int:
    """Time a few steps and a validation, and print how many steps fit.

    Args:
        minutes: Time for training and its validations.
        read: The parameters; train.steps is ignored.
        facts: Facts about the training images.
        trained: The training images.
        validated: The validation images.

    Returns:
        The number of steps.
    """
    from src.data.store.subsample import subsample
    from src.model.network.import_tensorflow import import_tensorflow_quietly
    from src.plan import rules

    import_tensorflow_quietly()
    from src.model.training.timing import measure_timing

    asked = read.model_copy(update={"train": read.train.model_copy(update={"steps": "auto", "epochs": "auto"})})
    plan = plan_of(asked, facts)
    timed = subsample(validated, MEASURED)
    timing = measure_timing(trained, timed, plan, read.seed)

    def validations(steps: int) -> tuple[int, int]:
        pixels, train = steps * plan.train.batch * plan.data.crop**2, read.train
        images = (
            rules.validation_images(plan.facts, pixels, train.epochs)[0]
            if train.validation_images == "auto"
            else train.validation_images
        )
        images = min(images, len(validated))
        epochs = rules.most_epochs(plan.facts, pixels, steps, images) if train.epochs == "auto" else train.epochs
        return epochs, images

    steps = timing.most_steps(60 * minutes, validations)
    epochs, images = validations(steps)
    durations = f"a step takes {1000 * timing.step:.0f} ms, an image of validation {1000 * timing.validation:.0f} ms"
    fit = timing.seconds(steps, epochs, images) <= 60 * minutes
    words = "fit into" if fit else "are the smallest possible number, but take longer than"
    print(f"{durations}: {steps} steps and {epochs} validations of {images} image(s) {words} {minutes:g} minutes\n")
    return steps


def plan_of(read: "Params", facts: "Facts") -> "Plan":
    from src.plan.plan import plan_training

    return plan_training(facts, read.data, read.augment, read.model, read.train)


def positive(text: str) -> float:
    minutes = float(text)
    if not 0 < minutes < float("inf"):
        raise argparse.ArgumentTypeError("must be a number above 0")
    return minutes


if __name__ == "__main__":
    arguments = parser("plan", __doc__, EXAMPLES)
    arguments.add_argument(
        "--minutes",
        type=positive,
        metavar="M",
        help="measure, and set train.steps so that training and its validations fit into M minutes",
    )
    run(arguments, main)
