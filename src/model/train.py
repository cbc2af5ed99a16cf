"""The training loop: crops in, the network of the best epoch out."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from src.data.crops import Crops
from src.data.dataset import Dataset
from src.data.store import Store
from src.errors import UserError
from src.evaluation.confusion import accuracy, confusion, dice, headline, iou
from src.model.archive import Project
from src.model.device import compiled, prepare_device
from src.model.infer import Predictor, classes_of
from src.model.losses import Sums, confusions, loss_sums, total_loss
from src.model.unet import build_unet
from src.params import Augment, Data, Model, Train
from src.progress import progress

Row = dict[str, float]
Step = Callable[[Any, Any], tuple[Any, Any]]  # images, masks → loss, confusion of each crop
MEASURES = ("loss", "dice", "iou", "accuracy")
HISTORY = ["epoch", "lr", *(prefix + name for name in MEASURES for prefix in ("", "val_"))]


@dataclass
class Training:
    """A model, what it is for, a row of `HISTORY` for each epoch, and the best of them with its weights."""

    model: keras.Model
    project: Project
    history: list[Row] = field(default_factory=list)
    best: Row = field(default_factory=dict)
    weights: list[NDArray[Any]] = field(default_factory=list)
    seconds: float = 0.0  # in training steps, validation apart

    def add(self, row: Row) -> bool:
        """Note an epoch; keep its weights if its validation Dice is the highest yet (of a tie, the first)."""
        self.history.append(row)
        better = not self.best or row["val_dice"] > self.best["val_dice"]
        if better:
            self.best, self.weights = row, self.model.get_weights()
        return better


def train_unet(
    store: Store,
    trained: Sequence[int],
    validated: Sequence[int],
    *,
    data: Data,
    augment: Augment,
    unet: Model,
    params: Train,
    seed: int,
) -> Training:
    """Build a U-Net and train it on the images at `trained`; everything drawn comes from `seed`."""
    precision = prepare_device(seed)
    dataset = store.dataset
    crops = Crops(store, trained, data, augment, seed)
    model = build_unet(unet, store.channels, len(dataset.names))
    project = Project(
        classes=dataset.names,
        background=dataset.background_index,
        colors=dataset.class_colours,
        mean=crops.normalisation.mean,
        std=crops.normalisation.std,
        normalise=data.normalise,
        dtype=store.dtype.name,
        resize=data.resize,
        depth=unet.depth,
    )
    print(
        f"U-Net with {model.count_params():,} parameters, {precision}; rare classes: {crops.rare_names()}", flush=True
    )
    training = Training(model, project)
    fit(training, crops, validated, params)
    pace = params.epochs * (params.crops // params.batch) * params.batch / training.seconds
    print(f"{pace:.1f} crops of {data.crop} × {data.crop} pixels a second in training, validation apart", flush=True)
    return training


def fit(training: Training, crops: Crops, validated: Sequence[int], params: Train) -> None:
    """Train on `crops`, validating on the whole images at `validated` after every epoch; ends with the best weights.

    The loss of a training epoch is the mean over its steps, that of validation is taken over all its pixels at once.
    Dice and IoU are as in metrics/test.json: means over the foreground classes of means over crops, or over images.
    """
    model, dataset = training.model, crops.store.dataset
    steps = params.crops // params.batch
    step, rate = training_step(model, params, dataset.foreground, params.epochs * steps)
    predictor = Predictor(model, training.project)
    for epoch in range(1, params.epochs + 1):
        started = time.perf_counter()
        trained = measures(*train_epoch(step, crops, epoch, params), dataset)
        seconds = time.perf_counter() - started
        training.seconds += seconds
        validated_row = validate(predictor, crops.store, validated, params)
        row = {"epoch": epoch, "lr": float(rate(epoch * steps - 1))} | trained
        row |= {f"val_{name}": value for name, value in validated_row.items()}
        mark = " ← best" if training.add(row) else ""
        shown = "  ".join(f"{name} {row[name]:.4f}" for name in ("loss", "val_loss", "dice", "val_dice"))
        print(f"epoch {epoch}/{params.epochs}  {shown}  {steps * params.batch / seconds:.0f} crops/s{mark}", flush=True)
    model.set_weights(training.weights)


def train_epoch(step: Step, crops: Crops, epoch: int, params: Train) -> tuple[float, NDArray[np.int64]]:
    """One epoch of steps: the mean of their losses, and the confusion of every crop [crops, classes, classes].

    `UserError` as soon as a loss is not finite.
    """
    losses, counts = [], []
    batches = crops.batches(epoch, params.crops, params.batch)
    for images, masks in progress(batches, params.crops // params.batch, f"epoch {epoch}/{params.epochs}"):
        loss, confusion_counts = step(tf.constant(images), tf.constant(masks))
        losses.append(float(loss))
        counts.append(confusion_counts.numpy())
        if not math.isfinite(losses[-1]):
            raise UserError(f"the loss became {losses[-1]} in epoch {epoch}: lower train.lr ({params.lr})")
    return float(np.mean(losses)), np.concatenate(counts)


def training_step(
    model: keras.Model, params: Train, foreground: Sequence[int], steps: int
) -> tuple[Step, Callable[[int], Any]]:
    """The compiled training step, and the learning rate of each of `steps` steps."""
    warmup = round(params.warmup * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        params.lr / (warmup + 1), max(steps - warmup, 1), warmup_target=params.lr, warmup_steps=warmup
    )
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(model.trainable_variables)

    @tf.function(jit_compile=compiled(), reduce_retracing=True)
    def step(images: Any, masks: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            loss = total_loss(loss_sums(logits, masks), params.loss, foreground)
        weights = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return loss, confusions(logits, masks)

    return step, rate


def validate(predictor: Predictor, store: Store, indices: Sequence[int], params: Train) -> Row:
    """Loss, Dice, IoU and accuracy of whole images at their own resolution."""
    counts, parts = [], []
    classes = len(store.dataset.names)
    for index in indices:
        mask, count = store.mask(index), np.zeros((classes, classes), np.int64)
        for window, logits in predictor.tiles(store.image(index)):
            truth = mask[window]
            count += confusion(truth, classes_of(logits), classes)
            parts.append(loss_sums(tf.constant(logits[None]), tf.constant(truth[None])))
        counts.append(count)
        store.release()
    sums = Sums(*(sum(part) for part in zip(*parts, strict=True)))
    loss = float(total_loss(sums, params.loss, store.dataset.foreground))
    return measures(loss, np.stack(counts), store.dataset)


def measures(loss: float, counts: NDArray[np.int64], dataset: Dataset) -> Row:
    """The measures of a set of images from its loss and their confusions [images, classes, classes].

    A Dice or IoU that no image can tell, for want of any foreground in truth and prediction, is 0.
    """
    scores = {"dice": dice(counts), "iou": iou(counts)}
    values = {name: float(np.nan_to_num(headline(score, dataset.foreground))) for name, score in scores.items()}
    return {"loss": loss, **values, "accuracy": float(accuracy(counts.sum(axis=0)))}


def training_metrics(training: Training, images: Mapping[str, int]) -> dict[str, Any]:
    """metrics/train.json: the best epoch's measures, and the sizes of what was trained."""
    best = training.best
    return {
        "best_epoch": int(best["epoch"]),
        "epochs": len(training.history),
        "train": {name: round(best[name], 6) for name in MEASURES},
        "validation": {name: round(best[f"val_{name}"], 6) for name in MEASURES},
        "images": dict(images),
        "parameters": int(training.model.count_params()),
    }
