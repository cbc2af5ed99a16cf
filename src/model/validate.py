"""How good the network is on whole images, and the measures of an epoch."""

from collections.abc import Iterable

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from src.data.dataset import Dataset
from src.data.store import Store
from src.evaluation.confusion import accuracy, confusion, dice, headline, held, iou, overlap
from src.model.infer import Predictor, classes_of
from src.model.losses import Sums, loss_sums, total_loss
from src.model.training import Row
from src.params import Loss


def validate(
    predictor: Predictor, store: Store, indices: Iterable[int], weights: Loss
) -> tuple[float, NDArray[np.int64]]:
    """Of whole images at their own resolution: the loss over all pixels, the confusions [images, classes, classes]."""
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
    return float(total_loss(sums, weights, store.dataset.foreground)), np.stack(counts)


def measures(loss: float, counts: NDArray[np.int64], dataset: Dataset) -> Row:
    """The measures of a set of images from its loss and their confusions [images, classes, classes].

    A Dice or IoU that no image can tell, for want of any foreground in truth and prediction, is 0.
    """
    pixels = overlap(counts)
    scores = {"dice": dice(pixels), "iou": iou(pixels)}
    values = {
        name: float(np.nan_to_num(headline(score, held(pixels.true, dataset.foreground))))
        for name, score in scores.items()
    }
    return {"loss": loss, **values, "accuracy": float(accuracy(overlap(counts.sum(axis=0))))}
