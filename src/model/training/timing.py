"""How long a step of training and a validation take here: what tools.plan makes a number of steps from."""

import tempfile
import time
from bisect import bisect_right
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from src.data.crops.sampling import AHEAD
from src.data.store.subsets import Subset
from src.model.inference.predictor import Predictor
from src.model.training.setup import set_up
from src.model.training.step import training_step
from src.model.training.validation import validate
from src.params import Augment
from src.plan.plan import Plan

SECONDS = 10.0  # that steps are measured for


@dataclass(frozen=True)
class Pace:
    """Seconds: of the first step and the first validation, in which graphs are built; of each step; of each image that
    is validated.
    """

    start: float
    step: float
    validation: float

    def training(self, steps: int, epochs: int, images: int) -> float:
        """Seconds of a training with so many steps and epochs, in each of which so many images are validated."""
        return self.start + steps * self.step + epochs * images * self.validation

    def steps(self, seconds: float, validations: Callable[[int], tuple[int, int]]) -> int:
        """The most that fit, one in each epoch at least, even if that takes longer.

        validations: epochs, and images validated in each, with so many steps; with more steps never fewer.
        """
        most = range(1, int(seconds / self.step) + 2)
        steps = bisect_right(most, seconds, key=lambda steps: self.training(steps, *validations(steps)))
        return max(steps, validations(1)[0])


def measure_pace(trained: Subset, validated: Subset, plan: Plan, augment: Augment, seed: int) -> Pace:
    """The pace of the training that these arguments set up. Nothing else should run meanwhile."""
    store, images = trained.store, validated.indices
    with tempfile.TemporaryDirectory() as folder:
        training, patches = set_up(trained, validated, plan, augment, seed=seed, checkpoints=Path(folder))
        step = training_step(training.network, training.adam, plan.train, store.dataset.foreground, training.workers)
        part = training.workers.part(plan.train.batch)
        with closing(patches.batches(((1, number) for number in count()), plan.train.batch, part)) as batches:

            def next_step() -> None:
                step(*next(batches), plan.train.lr)

            start = _seconds(next_step)
            for _ in range(AHEAD):  # on batches that were made while the graph was built
                next_step()
            each = _mean_seconds(next_step)
        predictor = Predictor(training.model, training.project)
        start += _seconds(lambda: validate(predictor, store, images[:1], plan.train.loss))
        validation = _seconds(lambda: validate(predictor, store, images, plan.train.loss))
        return Pace(start, each, validation / len(images))


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _mean_seconds(work: Callable[[], object]) -> float:
    """Of as many calls as `SECONDS` hold, one at least."""
    calls, spent = 0, 0.0
    while spent < SECONDS:
        spent, calls = spent + _seconds(work), calls + 1
    return spent / calls
