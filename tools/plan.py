"""Print the plan: which settings training starts with, and why; and find how many steps fit into some minutes.

Settings that are `auto` in params.yaml are worked out from the training images, as in training itself. With --minutes
a few steps and a validation are timed here, and the number of steps that fit is written into params.yaml, since
training never measures anything itself: what is repeated is the number, on any machine. What training decides at its
end (train.decisions), about a dozen more passes over the validation images, comes on top.
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

EXAMPLES = """dvc repro split must have run.

examples:
  python -m tools.plan
  python -m tools.plan --minutes 5 && dvc repro
"""
PARAMS = Path("params.yaml")
MEASURED = 16  # validation images that are timed


def main(arguments: argparse.Namespace) -> None:
    from src import params
    from src.data.store.store import Store
    from src.data.store.subsets import read_subset
    from src.errors import UserError
    from src.plan.facts import Facts
    from src.write_setting import write_setting
    from stages import PREPARED, SPLITS

    read, store = params.load(PARAMS), Store(PREPARED)
    if not SPLITS.exists():
        raise UserError(f"{SPLITS}: there is no split yet; run `dvc repro split`")
    trained, validated = (read_subset(SPLITS, store, name) for name in ("train", "validation"))
    facts = Facts.of(trained, validated, read.train.initial)
    if arguments.minutes:
        steps = steps_that_fit(arguments.minutes, read, facts, trained, validated)
        write_setting(PARAMS, "train", "steps", steps)
        read = params.load(PARAMS)
    print(plan_of(read, facts))


def steps_that_fit(minutes: float, read: "Params", facts: "Facts", trained: "Subset", validated: "Subset") -> int:
    from src.data.store.subsample import subsample
    from src.model.training.timing import measure_pace
    from src.plan import rules

    asked = read.model_copy(update={"train": read.train.model_copy(update={"steps": "auto", "epochs": "auto"})})
    plan = plan_of(asked, facts)
    timed = subsample(validated, MEASURED)
    pace = measure_pace(trained, timed, plan, read.augment, read.seed)

    def validations(steps: int) -> tuple[int, int]:
        pixels, train = steps * plan.train.batch * plan.data.crop**2, read.train
        images = (
            rules.validated(plan.facts, pixels, train.epochs)[0]
            if train.validation_images == "auto"
            else train.validation_images
        )
        images = min(images, len(validated))
        epochs = rules.most_epochs(plan.facts, pixels, steps, images) if train.epochs == "auto" else train.epochs
        return epochs, images

    steps = pace.steps(60 * minutes, validations)
    epochs, images = validations(steps)
    times = f"a step takes {1000 * pace.step:.0f} ms, an image of validation {1000 * pace.validation:.0f} ms"
    fit = pace.training(steps, epochs, images) <= 60 * minutes
    words = "fit into" if fit else "are the fewest there can be, but take longer than"
    print(f"{times}: {steps} steps and {epochs} validations of {images} image(s) {words} {minutes:g} minutes\n")
    return steps


def plan_of(read: "Params", facts: "Facts") -> "Plan":
    from src.plan.plan import plan_training

    return plan_training(facts, read.data, read.model, read.train)


def positive(text: str) -> float:
    minutes = float(text)
    if not 0 < minutes < float("inf"):
        raise argparse.ArgumentTypeError("must be more than 0")
    return minutes


if __name__ == "__main__":
    arguments = parser("plan", __doc__, EXAMPLES)
    arguments.add_argument(
        "--minutes",
        type=positive,
        metavar="M",
        help="measure here, and write as many train.steps as fit into M minutes, validations included",
    )
    run(arguments, main)
