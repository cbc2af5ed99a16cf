"""Compare which images to label next: the least certain ones, as tools.review orders them, or random ones.

For each seed, a network is trained on a few training images of a data set. The others are ordered by expected Dice,
with probabilities that are calibrated on the validation images. Their true masks stand for the corrections of a person:
networks are trained anew on the first images and the least certain ones, and on the first images and as many random
ones. All trainings of a seed have the same settings and number of steps. The output is the mean Dice on test images.
"""

import argparse
import gc
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.learning_curve import pairs
from benchmarks.recipe import SETS, make_project
from tools import parser, run
from tools.learning_curve import count, seed

if TYPE_CHECKING:
    from src.data.store.subsets import Subset
    from src.model.inference.predictor import Predictor
    from src.model.search.trainer import DeviceTrainer
    from src.params import Params
    from src.plan.plan import Plan
    from src.search.candidate import Candidate

EXAMPLES = """examples:
  python -m benchmarks.review                               nuclei, 20 images and 20 more, steps of the plan
  python -m benchmarks.review --steps 500 --seeds 0 1 2 3 4
"""
SAMPLED = 2000  # pixels of each validation image that the temperature is fitted to


@dataclass(frozen=True)
class Setup:
    """What the trainings of a set share.

    Attributes:
        read: The parameters.
        plan: The plan for all training images.
        trained: All training images.
        validated: The validation images.
        tested: The test images.
        steps: Of each training.
    """

    read: "Params"
    plan: "Plan"
    trained: "Subset"
    validated: "Subset"
    tested: "Subset"
    steps: int


def main(arguments: argparse.Namespace) -> None:
    """Train on every set and seed; print a line for each, then the means."""
    from src.model.network.import_tensorflow import import_tensorflow_quietly

    import_tensorflow_quietly()
    for name in arguments.sets:
        with tempfile.TemporaryDirectory() as work:
            setup = set_up(make_project(Path(work), name, dict(arguments.settings), False), arguments.steps)
            rows = [compare(setup, number, arguments.first, arguments.added) for number in arguments.seeds]
        for number, row in zip(arguments.seeds, rows, strict=True):
            print(f"{name} | seed {number} | {line(row)}")
        print(f"{name} | mean | {line({key: mean(row[key] for row in rows) for key in rows[0]})}", flush=True)


def line(row: dict[str, float]) -> str:
    return " | ".join(f"{key} {value:.4f}" for key, value in row.items())


def set_up(project: Path, steps: int | None) -> Setup:
    """Read the subsets of a project that is prepared and split, and plan the trainings."""
    from src import params
    from src.data.store.store import Store
    from src.data.store.subsets import read_subset
    from src.plan.facts import Facts
    from src.plan.plan import plan_training
    from stages import PREPARED, SPLITS

    read, store = params.load(project / "params.yaml"), Store(project / PREPARED)
    trained, validated, tested = (
        read_subset(project / SPLITS, store, name) for name in ("train", "validation", "test")
    )
    plan = plan_training(Facts.of(trained, validated), read.data, read.augment, read.model, read.train)
    return Setup(read, plan, trained, validated, tested, steps or plan.train.steps)


def compare(setup: Setup, number: int, first: int, added: int) -> dict[str, float]:
    """Train with one seed; returns the Dice of each choice."""
    rng, indices = np.random.default_rng(number), list(setup.trained.indices)
    chosen = sorted(rng.choice(indices, first, replace=False).tolist())
    rest = sorted(set(indices) - set(chosen))
    trainer = trainer_of(setup, chosen, number)
    before = dice(setup, trainer)
    uncertain = order(setup, trainer.predictor(rules()), rest)[:added]
    more = {"least certain": uncertain, "random": rng.choice(rest, added, replace=False).tolist()}
    found = {f"{first} images": before}
    for name, extra in more.items():
        gc.collect()  # frees the network before
        found[f"{added} {name} more"] = dice(setup, trainer_of(setup, sorted([*chosen, *extra]), number))
    return found


def rules() -> "Candidate":
    from src.search.candidate import RULES

    return RULES


def trainer_of(setup: Setup, indices: Sequence[int], number: int) -> "DeviceTrainer":
    """A trainer of some training images by the plan for all of them."""
    from src.model.search.trainer import DeviceTrainer
    from src.search.space import Space

    read = setup.read.model_copy(update={"seed": number})
    space = Space(read, setup.plan.facts, [], [], lambda _: setup.plan)
    return DeviceTrainer(space, setup.trained.only(indices), setup.tested, lambda: None)


def dice(setup: Setup, trainer: "DeviceTrainer") -> float:
    """Train, and return the mean Dice on the test images."""
    return trainer.train(rules(), math.inf, setup.steps, len(setup.tested)).dice


def order(setup: Setup, predictor: "Predictor", indices: Sequence[int]) -> list[int]:
    """Order images by expected Dice, the lowest first."""
    from src.review.uncertainty import measure_uncertainty

    store, outputs = setup.trained.store, predictor.outputs
    predictor = predictor.with_decisions(temperature=temperature(setup, predictor))

    def expected(index: int) -> float:
        logits = predictor.logits(store.image(index))
        probabilities = outputs.probabilities(logits, predictor.project.decisions.temperature)
        labels, classes = predictor.decide(logits), store.dataset.foreground
        return measure_uncertainty(probabilities, labels, outputs.labels, classes).expected_dice

    return sorted(indices, key=expected)


def temperature(setup: Setup, predictor: "Predictor") -> float:
    """Calibrate on sampled pixels of the validation images."""
    from src.suspects.calibrate import robust_temperature

    rng, store, outputs = np.random.default_rng(0), setup.validated.store, predictor.outputs
    logits, labels = [], []
    for index in setup.validated.indices:
        truth = store.mask(index).ravel()
        places = rng.integers(truth.size, size=SAMPLED)
        places = places[outputs.labels.counted(truth[places])]
        logits.append(predictor.logits(store.image(index)).reshape(truth.size, -1)[places])
        labels.append(truth[places])
    return robust_temperature(outputs, logits, labels)


if __name__ == "__main__":
    arguments = parser("review", __doc__, EXAMPLES)
    arguments.prog = "python -m benchmarks.review"
    arguments.add_argument("--sets", nargs="+", choices=SETS, default=SETS[:1], help="default: nuclei")
    arguments.add_argument("--first", type=count, default=20, metavar="N", help="labelled images; default: 20")
    arguments.add_argument("--added", type=count, default=20, metavar="N", help="images to label next; default: 20")
    arguments.add_argument("--seeds", nargs="+", type=seed, default=[0, 1, 2], metavar="N", help="default: 0 1 2")
    arguments.add_argument("--steps", type=count, metavar="N", help="of each training; default: those of the plan")
    arguments.add_argument("--settings", nargs="+", type=pairs, default=[], metavar="KEY=VALUE", help="of params.yaml")
    run(arguments, main)
