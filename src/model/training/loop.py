"""The training: patches in, the network of the best epoch out, whatever interrupted it on the way."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from functools import partial
from itertools import islice

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from src.data.crops.sampling import Patches
from src.data.store.subsets import Subset
from src.errors import UserError
from src.model.inference.predictor import Predictor
from src.model.training.checkpoints import stoppable
from src.model.training.diagnostics import complaints, not_finite
from src.model.training.schedule import learning_rate, steps_from, steps_of
from src.model.training.state import Training
from src.model.training.step import Step, training_step
from src.model.training.validation import measures, validate
from src.model.training.workers import Workers
from src.params import PlannedTrain
from src.progress import progress


def train_unet(training: Training, patches: Patches, validated: Subset, params: PlannedTrain) -> None:
    """From where `training` stands, or its checkpoint if it has one, to the weights of the best epoch: see `fit`.

    `Training.checkpoint` is to be discarded when the result is safe. `UserError` says what stopped it before the end.
    """
    with training.checkpoint.held() if training.workers.chief else nullcontext():
        try:
            take_up(training)
            fit(training, patches, validated, params)
        except tf.errors.OpError as error:
            raise _in_words(error, training.workers) from error
    if training.timed:
        pace, side = training.timed * params.batch / training.seconds, patches.data.crop
        print(f"{pace:.1f} patches of {side} × {side} pixels a second in training, validation apart")


def _in_words(error: tf.errors.OpError, workers: Workers) -> Exception:
    """A `UserError` for what the user can put right, else the error itself."""
    if isinstance(error, tf.errors.ResourceExhaustedError):
        return UserError("the device ran out of memory: lower train.batch, data.crop or model.filters")
    if workers.processes > 1:  # what the others see of one that is gone depends on where it was
        what = f"the training on {workers.processes} machines ended: one of them is gone, or failed (see what it says)"
        return UserError(f"{what}; it goes on from its last checkpoint when all of them are started again")
    return error


def take_up(training: Training) -> None:
    """Go to where the chief's checkpoint stands, if there is one; `UserError` if this process trains something else."""
    workers, checkpoint = training.workers, training.checkpoint
    key = checkpoint.folder.name.encode()
    if workers.from_chief(key if workers.chief else b"") != key:
        raise UserError("settings, data, code or libraries are not those of the first machine: make them equal on all")
    content = workers.from_chief(checkpoint.read() if workers.chief else b"")
    if content:
        training.restore(content)
        print(f"going on from its checkpoint, after step {training.step}", flush=True)


def fit(training: Training, patches: Patches, validated: Subset, params: PlannedTrain) -> None:
    """Train on `patches` from where `training` stands; ends with the weights of the best epoch.

    After every epoch the whole images of `validated` are measured. The loss of a training epoch is the mean over its
    steps, that of validation is taken over all its pixels at once. Dice and IoU are as in metrics/test.json: means over
    the foreground classes of means over patches, or over images. `UserError` says what stopped it before the end.
    """
    dataset, workers = patches.store.dataset, training.workers
    step = training_step(training.network, training.adam, params, dataset.foreground, workers)
    predictor = Predictor(training.model, training.project)
    batches = patches.batches(steps_from(training.step, params), params.batch, workers.part(params.batch))
    with closing(batches), stoppable() as stopped:
        keep = partial(keep_or_stop, training, stopped)
        told: set[str] = set()
        for epoch in range(len(training.history) + 1, params.epochs + 1):
            steps = steps_of(epoch, params)
            pace = train_epoch(training, step, batches, epoch, params, keep)
            images = progress(validated.indices, len(validated), f"validation {epoch}/{params.epochs}")
            loss, seen = validate(predictor, patches.store, _after(keep, images), params.loss)
            if not math.isfinite(loss):
                raise UserError(not_finite(loss, epoch, len(steps), params, "validation loss"))
            row = {"epoch": epoch, "lr": learning_rate(steps[-1], params)}
            trained = training.tally
            row |= measures(float(np.mean(training.losses)), trained, dataset)
            row |= {f"val_{name}": value for name, value in measures(loss, seen, dataset).items()}
            mark = " ← best" if training.add(row) else ""
            shown = "  ".join(f"{name} {row[name]:.4f}" for name in ("loss", "val_loss", "dice", "val_dice"))
            print(f"epoch {epoch}/{params.epochs}  {shown}  {pace}{mark}", flush=True)
            found = complaints(training.history, trained.pooled, seen.pooled, dataset, params)
            for name in found:
                if name not in told or epoch == params.epochs:  # when it begins, and if it lasts once more at the end
                    print(f"warning: {found[name]}", flush=True)
            told = set(found)
            if epoch < params.epochs:
                keep()
    training.model.set_weights(training.weights)


def train_epoch(
    training: Training,
    step: Step,
    batches: Iterator[tuple[NDArray[np.float32], NDArray[np.uint8]]],
    epoch: int,
    params: PlannedTrain,
    keep: Callable[[], None],
) -> str:
    """The steps that an epoch still needs, `keep` called after each; returns their pace in words.

    `UserError` as soon as a loss is not finite.
    """
    steps = steps_of(epoch, params)
    done = training.step - steps.start
    todo = len(steps) - done
    started = time.perf_counter()
    for images, masks in progress(islice(batches, todo), len(steps), f"epoch {epoch}/{params.epochs}", done):
        loss, counts = step(images, masks, learning_rate(training.step, params))
        if not math.isfinite(loss):
            raise UserError(not_finite(loss, epoch, training.step - steps.start + 1, params))
        training.step += 1
        training.losses.append(loss)
        training.tally.add(counts)
        keep()
    seconds = time.perf_counter() - started
    training.seconds += seconds
    training.timed += todo
    return f"{todo * params.batch / seconds:.0f} patches/s" if todo else ""


def _after(keep: Callable[[], None], images: Iterator[int]) -> Iterator[int]:
    for image in images:
        keep()
        yield image


def keep_or_stop(training: Training, stopped: Callable[[], bool]) -> None:
    """Save where the training stands if that is due; if the user wants to stop, save and do so by a `UserError`."""
    if training.workers.chief and (training.checkpoint.due() or stopped()):
        training.checkpoint.save(training.content)
    if stopped():
        kept = "all of it is kept" if training.workers.chief else "the first machine keeps its last checkpoint"
        place = f"in epoch {len(training.history) + 1}, after step {training.step}"
        raise UserError(f"stopped {place}; {kept}: the same command goes on from there")
