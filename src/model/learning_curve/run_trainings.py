"""Train on nested fractions of the training images. A finished training is kept, so an interrupted run continues."""

import gc
import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TypeVar

import tensorflow as tf

from src.data.store.store import INDEX
from src.errors import UserError
from src.evaluation.metrics.confusion import Scores
from src.learning_curve.curve import Curve, Point, counted_classes
from src.learning_curve.fractions import Fraction
from src.model.learning_curve.task import LONGER, Task
from src.model.search.trainer import DeviceTrainer
from src.model.training.checkpoints import ABANDONED, checkpoint_key
from src.progress import TimeProgress
from src.search.candidate import RULES
from src.search.journal import Journal, Measurement, delete_abandoned
from src.search.measured import scores_from_json, scores_to_json
from src.search.space import Space
from src.search.trial import Cost, NotPossible
from src.trainings import trainings_folder

Found = TypeVar("Found")
TITLE = "learning curve"
STOPPED = "stopped; finished trainings are kept, and the same command continues after them"
INFINITE = "the loss became infinite in the training on {share:g} of the images, seed {seed}: lower train.lr ({lr:g})"


@dataclass(frozen=True)
class Run:
    """One training of a task.

    Attributes:
        seed: Its seed.
        fraction: Its images.
        steps: Its number of steps.
        journal: The file that keeps its scores.
    """

    seed: int
    fraction: Fraction
    steps: int
    journal: Path

    def __str__(self) -> str:
        return f"{len(self.fraction.images)} images, seed {self.seed}, {self.steps} steps"


def kept_folder(root: Path) -> Path:
    """The folder of finished trainings of the repository at `root`."""
    return trainings_folder(root).parent / "learning-curve"


def measure_cost(task: Task) -> Cost:
    """Measure what a step and a scored image cost on this device. The result is kept until all trainings have finished.

    Args:
        task: What is trained; its number of steps does not count.

    Raises:
        UserError: The device cannot carry the training.
    """
    seed, fractions = next(iter(task.fractions.items()))
    found = Journal(_cost_file(task), time.monotonic()).measure(
        {"cost": seed}, lambda: vars(_possible(lambda: _trainer(task, seed, fractions[-1], _nothing).prepare(RULES)))
    )
    return Cost(**found)


@dataclass(frozen=True)
class Remaining:
    """The trainings that are not kept from an earlier run.

    Attributes:
        number: How many there are.
        seconds: Their estimated time.
    """

    number: int
    seconds: float


def remaining(task: Task, cost: Cost) -> Remaining:
    """Estimate how long the trainings take that are not kept from an earlier run.

    Args:
        task: What is trained.
        cost: What a step and a scored image cost.
    """
    missing = [run for run in _runs(task) if not Journal(run.journal, time.monotonic()).known]
    graphs = len({_network(run) for run in missing})
    steps = sum(run.steps for run in missing)
    scored = len(missing) * len(task.validated)
    return Remaining(len(missing), graphs * cost.start + steps * cost.step + scored * cost.image)


def run_trainings(task: Task, cost: Cost) -> Curve:
    """Train and score all that is not kept from an earlier run.

    Args:
        task: What is trained.
        cost: What a step and a scored image cost, for the progress.

    Raises:
        UserError: The user stopped it, the device cannot carry it, or a loss became infinite.
    """
    started = time.monotonic()
    # Now, since the names of the files depend on the code that is imported.
    runs, measured = list(_runs(task)), _cost_file(task)
    delete_abandoned(task.folder, ABANDONED)
    try:
        with TimeProgress(TITLE, remaining(task, cost).seconds, lambda: time.monotonic() - started) as shown:
            scores = [found for _, same in groupby(runs, _network) for found in _scores(task, list(same), shown)]
    except KeyboardInterrupt:
        raise UserError(STOPPED) from None
    Journal(measured, started).discard()  # the device may be faster or slower when the next run starts
    return _curve(task, runs, scores)


def _network(run: Run) -> tuple[int, float]:
    """The seed and fraction of a network. The longer training uses the network of the training before."""
    return run.seed, run.fraction.share


def _scores(task: Task, runs: Sequence[Run], shown: TimeProgress) -> Iterator[Scores]:
    """The scores of trainings of one network."""
    trainer = _trainer(task, runs[0].seed, runs[0].fraction, shown.tick)
    for run in runs:
        journal = Journal(run.journal, time.monotonic())
        kept = journal.known
        found = journal.measure({"train": str(run)}, partial(_train, trainer, run, task))
        shown.say(f"{run}: {'kept from an earlier run' if kept else 'done'}")
        yield scores_from_json(found["scores"])


def _curve(task: Task, runs: Sequence[Run], scores: Sequence[Scores]) -> Curve:
    """Collect the scores of all seeds in points."""
    counted = counted_classes(task.validated)
    each = len(runs) // len(task.fractions)
    points = [
        Point(
            run.fraction.share,
            run.fraction.groups,
            [len(same.fraction.images) for same in runs[number::each]],
            run.steps,
            [one[:, counted.columns] for one in scores[number::each]],
        )
        for number, run in enumerate(runs[:each])
    ]
    longer = points.pop() if task.compare_longer else None
    return Curve(points, longer, list(task.fractions), task.validated.groups, counted.left_out)


def _runs(task: Task) -> Iterator[Run]:
    file = _keys(task)
    for seed, fractions in task.fractions.items():
        lengths = [(fraction, task.steps) for fraction in fractions]
        lengths += [(fractions[-1], LONGER * task.steps)] * task.compare_longer
        for fraction, steps in lengths:
            yield Run(seed, fraction, steps, file(seed, fraction, steps))


def _train(trainer: DeviceTrainer, run: Run, task: Task) -> Measurement:
    gc.collect()  # frees the network before
    trial = _possible(lambda: trainer.train(RULES, math.inf, run.steps, len(task.validated)))
    if trial.scores is None:
        share, lr = run.fraction.share, task.plan.train.lr
        raise UserError(INFINITE.format(share=share, seed=run.seed, lr=lr))
    return {"scores": scores_to_json(trial.scores)}


def _trainer(task: Task, seed: int, fraction: Fraction, tick: Callable[[], None]) -> DeviceTrainer:
    """A trainer of a fraction by the plan of the full data."""
    params = task.params.model_copy(update={"seed": seed})
    space = Space(params, task.plan.facts, [], [], lambda _: task.plan)
    return DeviceTrainer(space, fraction.images, task.validated, tick)


def _possible(work: Callable[[], Found]) -> Found:
    try:
        return work()
    except NotPossible as error:
        raise UserError(str(error)) from None


def _keys(task: Task) -> Callable[[int, Fraction, int], Path]:
    """Name the file of each training by a hash of everything that its scores depend on.

    The index of the store stands for its pixels, of which it holds means, class counts and thumbnails.

    Returns:
        A function (seed, fraction, steps) → the file.
    """
    started = task.params.model.weights_file
    shared = {
        "params": task.params.model_dump(exclude={"evaluate", "report", "split", "seed"}),
        "plan": task.plan.numbers,
        "validated": list(task.validated.indices),
        "devices": [device.device_type for device in tf.config.list_physical_devices()],
    }
    key = checkpoint_key(shared, [task.validated.store.folder / INDEX, *([started] if started else [])])

    def file(seed: int, fraction: Fraction, steps: int) -> Path:
        own = json.dumps([key, list(fraction.images.indices), seed, steps])
        return task.folder / f"{hashlib.sha256(own.encode()).hexdigest()[:32]}.json"

    return file


def _cost_file(task: Task) -> Path:
    seed, fractions = next(iter(task.fractions.items()))
    return _keys(task)(seed, fractions[-1], 0)


def _nothing() -> None:
    """No progress is shown."""
