"""Measure the cost of each term of the loss: seconds of a training step, relative to the default loss of the same run.

The steps of all losses take turns on one batch in memory. What a term gains in Dice is measured by benchmarks.recipe,
with the commands in benchmarks/recipe.md.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import Any

from tools import parser, run

COSTS: dict[str, dict[str, Any]] = {
    "default": {},
    "default again": {},
    "focal": {"focal": 1.0},
}
LEVELS = 2  # of deep supervision
EXAMPLES = """examples:
  python -m benchmarks.losses
  python -m benchmarks.losses --classes 11 --batch 4 --side 192
"""


def main(arguments: argparse.Namespace) -> None:
    """Time the steps; print a line for each loss."""
    from src.model.network.import_tensorflow import import_tensorflow_quietly

    import_tensorflow_quietly()
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")  # it warns that every loss has a graph of its own
    steps = {name: make_step(arguments, term) for name, term in COSTS.items()}
    costs: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    for step in steps.values():
        step()  # builds the graph
    for _ in range(arguments.rounds):
        for name, step in steps.items():
            costs[name].append(cost(step))
    print(f"{arguments.batch} patches of {arguments.side} pixels, {arguments.classes} classes; medians, × default")
    for name, each in costs.items():
        for kind, word in enumerate(("clock", "processors")):
            ratio = median(own[kind] / default[kind] for own, default in zip(each, costs["default"], strict=True))
            print(f"{name:<16} {word:<10} {1000 * median(own[kind] for own in each):7.1f} ms  {ratio:.3f}", flush=True)


def cost(step: Callable[[], float]) -> tuple[float, float]:
    """Seconds of a step by the clock, and of all processors, which other work on the machine changes less."""
    clock, processors = time.perf_counter(), time.process_time()
    step()
    return time.perf_counter() - clock, time.process_time() - processors


def make_step(arguments: argparse.Namespace, term: dict[str, Any]) -> Callable[[], float]:
    """A step of training on one batch of noise and blocks of classes, with `term` added to the default loss."""
    import numpy as np

    from src.data.classes.label_format import LabelFormat
    from src.data.source.dataset import Dataset
    from src.model.network.device import prepare_device
    from src.model.network.supervision import add_supervision
    from src.model.network.unet import build_unet
    from src.model.training.adam import Adam
    from src.model.training.step import training_step
    from src.model.training.workers import choose_workers
    from src.params import PlannedModel
    from src.plan.class_weights import LossWeights

    workers, arithmetic = choose_workers("single"), prepare_device(0, "auto")
    size = PlannedModel(filters=arguments.filters, depth=arguments.depth)
    model = add_supervision(build_unet(size, 3, LabelFormat(arguments.classes).outputs), LEVELS)
    dataset = Dataset(classes={label: f"class {label}" for label in range(arguments.classes)})
    adam = Adam(model.trainable_variables, arithmetic.scales_loss)
    weights = replace(LossWeights(), **term)
    step = training_step(model, adam, weights, dataset, workers)
    rng = np.random.default_rng(0)
    images = rng.normal(size=(arguments.batch, arguments.side, arguments.side, 3)).astype(np.float32)
    blocks = rng.integers(0, arguments.classes, (arguments.batch, arguments.side // 16, arguments.side // 16))
    masks = blocks.astype(np.uint8).repeat(16, axis=1).repeat(16, axis=2)
    return lambda: step(images, masks, 1e-3)[0]


if __name__ == "__main__":
    arguments = parser("losses", __doc__, EXAMPLES)
    arguments.prog = "python -m benchmarks.losses"
    arguments.add_argument("--classes", type=int, default=2, metavar="N", help="default: 2")
    arguments.add_argument("--batch", type=int, default=8, metavar="N", help="patches; default: 8")
    arguments.add_argument("--side", type=int, default=96, metavar="N", help="pixels, a multiple of 16; default: 96")
    arguments.add_argument("--filters", type=int, default=16, metavar="N", help="default: 16")
    arguments.add_argument("--depth", type=int, default=4, metavar="N", help="3 or more; default: 4")
    arguments.add_argument("--rounds", type=int, default=40, metavar="N", help="default: 40")
    run(arguments, main)
