"""How good the network is on whole images, and the measures of an epoch."""

from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from src.data.source.dataset import Dataset
from src.data.store.store import Store
from src.evaluation.metrics.confusion import accuracy, confusion_matrix, overlap
from src.evaluation.metrics.running_scores import RunningScores
from src.model.inference.predictor import Predictor, classes_of
from src.model.network.losses import Sums, loss_sums, total_loss
from src.model.training.state import Row
from src.params import Loss


def validate(predictor: Predictor, store: Store, indices: Iterable[int], weights: Loss) -> tuple[float, RunningScores]:
    """Of whole images at their own resolution: the loss over all pixels, and the tally of the images."""
    classes, parts = len(store.dataset.names), []
    tally = RunningScores(classes)
    for index in indices:
        mask, count = store.mask(index), np.zeros((classes, classes), np.int64)
        for window, logits in predictor.tiles(store.image(index)):
            truth = mask[window]
            count += confusion_matrix(truth, classes_of(logits), classes)
            parts.append(loss_sums(tf.constant(logits[None]), tf.constant(truth[None])))
        tally.add(count[None])
        store.release()
    sums = Sums(*(sum(part) for part in zip(*parts, strict=True)))
    return float(total_loss(sums, weights, store.dataset.foreground)), tally


def measures(loss: float, tally: RunningScores, dataset: Dataset) -> Row:
    """The measures of a set of images or crops; Dice and IoU are 0 if none of them holds foreground."""
    dice, iou = tally.means(dataset.foreground).tolist()
    return {"loss": loss, "dice": dice, "iou": iou, "accuracy": float(accuracy(overlap(tally.pooled)))}
