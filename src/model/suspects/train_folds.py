"""Train on all folds but one and predict that one. A finished fold is kept, so an interrupted run continues."""

import gc
import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import tensorflow as tf

from src.data.store.store import INDEX, MASKS
from src.errors import UserError
from src.evaluation.scoring.measure import Predicted
from src.evaluation.scoring.save_predictions import save_predictions
from src.model.inference.predictor import Predictor
from src.model.search.trainer import DeviceTrainer
from src.model.suspects.fold_task import FoldTask
from src.model.training.checkpoints import ABANDONED, checkpoint_key
from src.progress import TimeProgress
from src.search.candidate import RULES
from src.search.journal import Journal, delete_abandoned
from src.search.space import Space
from src.search.trial import Cost, NotPossible
from src.suspects.folds import Fold
from src.suspects.maps import reduced, to_bytes
from src.trainings import trainings_folder

TITLE = "suspects"
STOPPED = "stopped; finished folds are kept, and the same command continues after them"
INFINITE = "the loss became infinite in the training of fold {number}: lower train.lr ({lr:g})"


def kept_folder(root: Path) -> Path:
    """The folder of the predictions of finished folds of the repository at `root`."""
    return trainings_folder(root).parent / "suspects"


def measure_cost(task: FoldTask) -> Cost:
    """Measure what a step and a scored image cost on this device. The result is kept until all folds have finished.

    Args:
        task: What is trained; its number of steps does not count.

    Raises:
        UserError: The device cannot carry the training.
    """

    def answer() -> dict[str, float]:
        try:
            return vars(_trainer(task, task.folds[0], _nothing).prepare(RULES))
        except NotPossible as error:
            raise UserError(str(error)) from None

    return Cost(**Journal(_cost_file(task), time.monotonic()).measure({"cost": len(task.folds)}, answer))


def missing_folds(task: FoldTask) -> list[Fold]:
    """List the folds that are not kept from an earlier run."""
    return [fold for fold, path in zip(task.folds, _files(task), strict=True) if not path.exists()]


def predict_folds(task: FoldTask, cost: Cost) -> list[Path]:
    """Train and predict all folds that are not kept from an earlier run.

    Args:
        task: What is trained.
        cost: What a step and a scored image cost, for the progress.

    Returns:
        For each fold, an .npz file that holds the logits of each image of the fold under its position in the store, as
        `to_bytes` of `reduced` logits, uint8 [height, width, outputs].

    Raises:
        UserError: The user stopped it, the device cannot carry it, or a loss became infinite.
    """
    started = time.monotonic()
    files, measured = _files(task), _cost_file(task)  # now: the names depend on the code that is imported
    delete_abandoned(task.folder, ABANDONED)
    try:
        with TimeProgress(TITLE, task.seconds(cost, missing_folds(task)), lambda: time.monotonic() - started) as shown:
            for number, (fold, path) in enumerate(zip(task.folds, files, strict=True)):
                kept = path.exists()
                if not kept:
                    _predict_fold(task, number, path, shown)
                ended = "kept from an earlier run" if kept else "done"
                shown.say(f"fold {number}, {len(fold.held_out)} images: {ended}")
    except KeyboardInterrupt:
        raise UserError(STOPPED) from None
    measured.unlink(missing_ok=True)  # the device may be faster or slower when the next run starts
    return files


def _predict_fold(task: FoldTask, number: int, path: Path, shown: TimeProgress) -> None:
    gc.collect()  # frees the network before
    fold = task.folds[number]
    trainer = _trainer(task, fold, shown.tick)
    try:
        trial = trainer.train(RULES, math.inf, task.steps, 1)
    except NotPossible as error:
        raise UserError(str(error)) from None
    if trial.scores is None:
        raise UserError(INFINITE.format(number=number, lr=task.plan.train.lr))
    path.parent.mkdir(parents=True, exist_ok=True)
    for _ in save_predictions(path, _maps(trainer.predictor(RULES), fold, shown)):
        pass


def _maps(predictor: Predictor, fold: Fold, shown: TimeProgress) -> Iterator[Predicted]:
    """Position in the store and kept logits of each image of a fold."""
    store, outputs = fold.held_out.store, predictor.outputs
    for index in fold.held_out.indices:
        probabilities = outputs.probabilities(predictor.logits(store.image(index)))
        yield index, to_bytes(outputs.logits(reduced(probabilities)))
        store.release()
        shown.tick()


def _trainer(task: FoldTask, fold: Fold, tick: Callable[[], None]) -> DeviceTrainer:
    space = Space(task.params, task.plan.facts, [], [], lambda _: task.plan)
    return DeviceTrainer(space, fold.trained, fold.held_out, tick)


def _files(task: FoldTask) -> list[Path]:
    """Name the file of each fold by a hash of everything that its predictions depend on.

    The index of the store stands for its images, of which it holds means and thumbnails. Masks are hashed as a whole:
    a mask that is moved keeps its counts.
    """
    started, store = task.params.model.weights_file, task.folds[0].trained.store
    shared = {
        "params": task.params.model_dump(exclude={"evaluate", "report", "split"}),
        "plan": task.plan.numbers,
        "devices": [device.device_type for device in tf.config.list_physical_devices()],
    }
    files = [store.folder / INDEX, store.folder / MASKS, *([started] if started else [])]
    key = checkpoint_key(shared, files)

    def file(fold: Fold) -> Path:
        own = json.dumps([key, list(fold.trained.indices), list(fold.held_out.indices), task.steps])
        return task.folder / f"{hashlib.sha256(own.encode()).hexdigest()[:32]}.npz"

    return [file(fold) for fold in task.folds]


def _cost_file(task: FoldTask) -> Path:
    own = json.dumps([str(path) for path in _files(FoldTask(task.params, task.plan, task.folds, 0, task.folder))])
    return task.folder / f"{hashlib.sha256(own.encode()).hexdigest()[:32]}.json"


def _nothing() -> None:
    """No progress is shown."""
