"""Train a U-Net on patches and keep the weights of its best epoch; continue after an interruption."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

import numpy as np
import tensorflow as tf

from src.data.crops.sampling import Patches
from src.data.store.subsets import Subset
from src.errors import Interrupted, UserError
from src.model.inference.predictor import Predictor
from src.model.live.observer import NOBODY, Observer
from src.model.network.device import is_out_of_memory
from src.model.training.checkpoints import catch_stop_signals
from src.model.training.diagnostics import not_finite_message, training_warnings
from src.model.training.schedule import remaining_batches
from src.model.training.shorten import (
    check_shortening,
    describe_shortened,
    refuse_request,
    shorten_between_epochs,
    shorten_within_epoch,
)
from src.model.training.state import Training
from src.model.training.step import Images, Masks, Step, training_step
from src.model.training.validation import epoch_measures, measure_images
from src.model.training.workers import Workers
from src.params import PlannedTrain
from src.progress import progress


def train_unet(
    training: Training,
    patches: Patches,
    validated: Subset,
    params: PlannedTrain,
    observer: Observer = NOBODY,
) -> None:
    """Train from the checkpoint if there is one, up to the weights of the best epoch; see `run_epochs`.

    The checkpoint stays: call `training.checkpoint.discard()` when the result is written.

    Args:
        training: from `prepare_training`.
        patches: training patches.
        validated: images that each epoch is measured on.
        params: settings of the training.
        observer: follows the training.

    Raises:
        UserError: the training stopped before its end, or settings would have no effect; the message says why.
    """
    check_shortening(params)
    with training.checkpoint.locked() if training.workers.chief else nullcontext():
        try:
            resume(training)
            observer.started()
            run_epochs(training, patches, validated, params, observer)
        except tf.errors.OpError as error:
            raise _explain(error, training.workers) from error
    if training.timed_steps:
        rate, side = training.timed_steps * params.batch / training.seconds, patches.data.crop
        print(f"{rate:.1f} patches of {side} × {side} pixels per second in training, without validation")


def _explain(error: tf.errors.OpError, workers: Workers) -> Exception:
    """A `UserError` where the user can do something, else the error itself."""
    if is_out_of_memory(error):
        return UserError("the device ran out of memory: lower train.batch, data.crop or model.filters")
    if workers.processes > 1:  # the error that the others see depends on what they were doing
        message = f"the training on {workers.processes} machines stopped: one machine failed or cannot be reached"
        continued = "it continues from its last checkpoint when all machines are started again"
        return Interrupted(f"{message} (see its own messages); {continued}")
    return error


def resume(training: Training) -> None:
    """Restore the chief's checkpoint in all processes, if there is one.

    Raises:
        UserError: this process has other settings, data, code or libraries than the chief.
    """
    workers, checkpoint = training.workers, training.checkpoint
    key = checkpoint.folder.name.encode()
    if workers.from_chief(key if workers.chief else b"") != key:
        raise UserError("settings, data, code or libraries are not those of the first machine: make them equal on all")
    content = workers.from_chief(checkpoint.read() if workers.chief else b"")
    if content:
        training.restore(content)
        print(f"continuing from the checkpoint after step {training.step}", flush=True)


def run_epochs(
    training: Training, patches: Patches, validated: Subset, params: PlannedTrain, observer: Observer
) -> None:
    """Train all epochs that are left, and give the model the weights of the best one.

    Each epoch ends with a validation on whole images. The training loss of an epoch is the mean over its steps; the
    validation loss is taken over all pixels together. Dice and IoU are means over images or patches, then over the
    foreground classes, as in metrics/test.json.

    Args:
        training: from `prepare_training`, or resumed.
        patches: training patches.
        validated: images that each epoch is measured on.
        params: settings of the training.
        observer: follows the training.

    Raises:
        UserError: the training stopped before its end; the message says why.
    """
    dataset, workers = patches.store.dataset, training.workers
    step = training_step(training.network, training.adam, training.loss, dataset, workers)
    predictor = Predictor(training.model, training.project)
    batches = patches.batches(remaining_batches(training.step, params), params.batch, workers.part(params.batch))
    with closing(batches), catch_stop_signals() as stop_requested:
        checkpoint = partial(save_or_stop, training, stop_requested)

        def after_step() -> None:
            observer.step_done()
            checkpoint()

        warnings = _Warnings()
        while (epoch := len(training.history) + 1) <= (schedule := training.schedule(params)).epochs:
            rate = train_epoch(training, step, batches, params, after_step)
            schedule = training.schedule(params)
            images = progress(validated.indices, len(validated), f"validation {epoch}/{schedule.epochs}")
            images = _call_before_each(checkpoint, images)
            loss, tally = measure_images(predictor, patches.store, images, training.loss, observer.predicted)
            steps = schedule.steps_of_epoch(epoch)
            if not math.isfinite(loss):
                raise UserError(not_finite_message(loss, epoch, len(steps), params, "validation loss"))
            row = {"epoch": epoch, "lr": schedule.learning_rate(steps[-1])}
            trained = training.tally
            row |= epoch_measures(float(np.mean(training.losses)), trained, dataset)
            row |= {f"val_{name}": value for name, value in epoch_measures(loss, tally, dataset).items()}
            mark = " ← best" if training.finish_epoch(row) else ""
            observer.epoch_done()
            shown = "  ".join(f"{name} {row[name]:.4f}" for name in ("loss", "val_loss", "dice", "val_dice"))
            print(f"epoch {epoch}/{schedule.epochs}  {shown}  {rate}{mark}", flush=True)
            actual = params.model_copy(update={"epochs": schedule.epochs})
            found = training_warnings(training.history, trained.pooled, tally.pooled, dataset, actual)
            warnings.show(found, last=epoch == schedule.epochs)
            if epoch < schedule.epochs:
                shorten_between_epochs(training, params)
                checkpoint()
    refuse_request(training)
    training.project = describe_shortened(training.project, training.schedule(params))
    training.model.set_weights(training.best_weights)
    observer.trained()


def train_epoch(
    training: Training,
    step: Step,
    batches: Iterator[tuple[Images, Masks]],
    params: PlannedTrain,
    checkpoint: Callable[[], None],
) -> str:
    """Run the steps that the current epoch still needs.

    Args:
        training: the state; its history gives the epoch, and its step how much of the epoch is done.
        step: from `training_step`.
        batches: of patches, from the next step on.
        params: settings of the training.
        checkpoint: called after each step.

    Returns:
        The speed in words; empty if no step was left.

    Raises:
        UserError: a loss is not finite.
    """
    first, started = training.step, time.perf_counter()
    epoch = len(training.history) + 1
    while training.step < training.schedule(params).steps_of_epoch(epoch).stop:
        _run_steps(training, step, batches, params, checkpoint)
    seconds, done = time.perf_counter() - started, training.step - first
    training.seconds += seconds
    training.timed_steps += done
    return f"{done * params.batch / seconds:.0f} patches/s" if done else ""


def _run_steps(
    training: Training,
    step: Step,
    batches: Iterator[tuple[Images, Masks]],
    params: PlannedTrain,
    checkpoint: Callable[[], None],
) -> None:
    """Run the steps of the current epoch, up to its end or until the schedule changes; see `train_epoch`."""
    epoch, schedule = len(training.history) + 1, training.schedule(params)
    steps = schedule.steps_of_epoch(epoch)
    done = training.step - steps.start
    left, title = islice(batches, len(steps) - done), f"epoch {epoch}/{schedule.epochs}"
    for images, masks in progress(left, len(steps), title, done):
        loss, counts = step(images, masks, schedule.learning_rate(training.step))
        if not math.isfinite(loss):
            raise UserError(not_finite_message(loss, epoch, training.step - steps.start + 1, params))
        training.step += 1
        training.losses.append(loss)
        training.tally.add(counts)
        changed = shorten_within_epoch(training, params)
        checkpoint()
        if changed:
            return


@dataclass
class _Warnings:
    """Prints each warning when it first appears, and those of the last epoch again."""

    shown: set[str] = field(default_factory=set)

    def show(self, warnings: dict[str, str], *, last: bool) -> None:
        for name, message in warnings.items():
            if name not in self.shown or last:
                print(f"warning: {message}", flush=True)
        self.shown = set(warnings)


def _call_before_each(call: Callable[[], None], images: Iterator[int]) -> Iterator[int]:
    for image in images:
        call()
        yield image


def save_or_stop(training: Training, stop_requested: Callable[[], bool]) -> None:
    """Save a checkpoint if one is due. If the user wants to stop, save one and stop.

    Args:
        training: what is saved.
        stop_requested: tells whether the user wants to stop.

    Raises:
        UserError: the user wants to stop; the message says how to continue.
    """
    if training.workers.chief and (training.checkpoint.due() or stop_requested()):
        training.checkpoint.save(training.to_bytes)
    if stop_requested():
        kept = "all of it is kept" if training.workers.chief else "the first machine keeps its last checkpoint"
        place = f"in epoch {len(training.history) + 1}, after step {training.step}"
        raise Interrupted(f"stopped {place}; {kept}; the same command continues from there")
