"""Measure the network on whole validation images, and compute the measures of an epoch."""

from collections.abc import Callable, Iterable

import numpy as np
import tensorflow as tf

from src.data.source.dataset import Dataset
from src.data.store.store import Store
from src.evaluation.metrics.confusion import accuracy, confusion_matrix, overlap
from src.evaluation.metrics.running_scores import RunningScores
from src.model.inference.predictor import Labels, Predictor, classes_from_logits
from src.model.inference.tiling import Window
from src.model.network.losses.sums import LossSums, loss_sums
from src.model.network.losses.total import total_loss
from src.model.training.state import Row
from src.plan.class_weights import LossWeights

Use = Callable[[int, Window, Labels], None]


def measure_images(
    predictor: Predictor,
    store: Store,
    indices: Iterable[int],
    weights: LossWeights,
    use: Use = lambda *_: None,
) -> tuple[float, RunningScores]:
    """Predict whole images at their own resolution.

    Args:
        predictor: the network.
        store: holds the images.
        indices: of the images; at least one.
        weights: of the terms of the loss and of the classes.
        use: called with each prediction: the position of its image, the window, and its class indices.

    Returns:
        The loss over all pixels together, and the running scores of the images.
    """
    classes, parts = len(store.dataset.names), []
    tally = RunningScores(classes)
    for index in indices:
        mask, count = store.mask(index), np.zeros((classes, classes), np.int64)
        for window, logits in predictor.tiles(store.image(index)):
            truth, predicted = mask[window], classes_from_logits(logits)
            count += confusion_matrix(truth, predicted, classes)
            use(index, window, predicted)
            parts.append(loss_sums(tf.constant(logits[None]), tf.constant(truth[None]), weights))
        tally.add(count[None])
        store.release()
    sums = LossSums(*(sum(part) for part in zip(*parts, strict=True)))
    return float(total_loss(sums, weights, store.dataset.foreground)), tally


def epoch_measures(loss: float, tally: RunningScores, dataset: Dataset) -> Row:
    """Collect the measures of a set of images or patches.

    Args:
        loss: of the set.
        tally: running scores of its images or patches.
        dataset: names the foreground classes.

    Returns:
        loss, dice, iou and accuracy; Dice and IoU are 0 if no image holds foreground.
    """
    dice, iou = tally.means(dataset.foreground).tolist()
    return {"loss": loss, "dice": dice, "iou": iou, "accuracy": float(accuracy(overlap(tally.pooled)))}
