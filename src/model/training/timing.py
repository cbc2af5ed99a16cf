"""How long a step of training and a validation take on this machine; tools.plan turns it into a number of steps."""

import time
from collections.abc import Callable
from contextlib import closing
from itertools import count

from src.data.crops.sampling import AHEAD
from src.data.store.subsets import Subset
from src.model.inference.predictor import Predictor
from src.model.training.setup import prepare_training
from src.model.training.step import training_step
from src.model.training.validation import measure_images
from src.plan.plan import Plan
from src.search.timing import Timing

SECONDS = 10.0  # for which steps are measured


def measure_timing(trained: Subset, validated: Subset, plan: Plan, seed: int) -> Timing:
    """Measure the training that these arguments define. Nothing else should run meanwhile.

    Args:
        trained: training images.
        validated: validation images; all of them are predicted once.
        plan: settings of the training.
        seed: of everything that is drawn.
    """
    store, images = trained.store, validated.indices
    training, patches = prepare_training(trained, validated, plan, seed=seed, checkpoints=None)
    step = training_step(training.network, training.adam, training.loss, store.dataset, training.workers)
    part = training.workers.part(plan.train.batch)
    with closing(patches.batches(((1, number) for number in count()), plan.train.batch, part)) as batches:

        def next_step() -> None:
            step(*next(batches), plan.train.lr)

        start = _seconds(next_step)
        for _ in range(AHEAD):  # uses up the batches that were made while the graph was built
            next_step()
        each = _mean_seconds(next_step)
    predictor = Predictor(training.model, training.project)
    start += _seconds(lambda: measure_images(predictor, store, images[:1], training.loss))
    validation = _seconds(lambda: measure_images(predictor, store, images, training.loss))
    return Timing(start, each, validation / len(images))


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _mean_seconds(work: Callable[[], object]) -> float:
    """Mean over the calls that fit into `SECONDS`, at least one."""
    calls, spent = 0, 0.0
    while spent < SECONDS:
        spent, calls = spent + _seconds(work), calls + 1
    return spent / calls
