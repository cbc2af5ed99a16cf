"""Cross-entropy + Dice loss as sums over pixels, so that batches and whole subsets are measured alike."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from src.params import Loss

SMOOTH = 1.0  # pixels, in the loss only: without it a class absent from a batch would leave its false alarms unpunished


class Sums(NamedTuple):
    """Sums over the counted pixels, float32: of two sets of pixels they add up to those of both together."""

    cross_entropy: Any  # scalar, natural logarithm
    pixels: Any  # scalar
    overlap: Any  # [classes], of probability on the true class
    predicted: Any  # [classes], of probability
    true: Any  # [classes], of pixels


def loss_sums(logits: Any, truth: Any) -> Sums:
    """What the loss is made of, from logits [batch, height, width, n] and class indices [batch, height, width].

    n = 1: the logit of the second of two classes (sigmoid); n > 1: of each class (softmax). Pixels whose truth is no
    class (IGNORE) count nowhere. All of it in float32, stable for logits of any size.
    """
    logits, truth = tf.cast(logits, tf.float32), tf.cast(truth, tf.int32)
    return _binary_sums(logits[..., 0], truth) if logits.shape[-1] == 1 else _multiclass_sums(logits, truth)


def _binary_sums(logits: Any, truth: Any) -> Sums:
    """As sums over the second class alone, from which those of the first follow: half the work."""
    counted, true = tf.cast(truth < 2, tf.float32), tf.cast(tf.equal(truth, 1), tf.float32)
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(true, logits) * counted
    probability = tf.sigmoid(logits) * counted
    pixels, predicted, positive = (tf.reduce_sum(values) for values in (counted, probability, true))
    overlap = tf.reduce_sum(probability * true)
    return Sums(
        tf.reduce_sum(entropy),
        pixels,
        tf.stack([pixels - predicted - positive + overlap, overlap]),
        tf.stack([pixels - predicted, predicted]),
        tf.stack([pixels - positive, positive]),
    )


def _multiclass_sums(logits: Any, truth: Any) -> Sums:
    classes = logits.shape[-1]
    counted = tf.cast(truth < classes, tf.float32)
    labels = tf.one_hot(truth, classes)  # all zeros where ignored
    entropy = tf.nn.softmax_cross_entropy_with_logits(labels, logits)
    probabilities = tf.nn.softmax(logits)
    axes = [0, 1, 2]
    return Sums(
        tf.reduce_sum(entropy * counted),
        tf.reduce_sum(counted),
        tf.reduce_sum(probabilities * labels, axes),
        tf.reduce_sum(probabilities * counted[..., None], axes),
        tf.reduce_sum(labels, axes),
    )


def total_loss(sums: Sums, weights: Loss, foreground: Sequence[int]) -> Any:
    """weights.cross_entropy × mean cross-entropy + weights.dice × (1 - mean soft Dice of the foreground classes)."""
    soft_dice = (2 * sums.overlap + SMOOTH) / (sums.predicted + sums.true + SMOOTH)
    mean_dice = tf.reduce_mean(tf.gather(soft_dice, list(foreground)))
    entropy = tf.math.divide_no_nan(sums.cross_entropy, sums.pixels)
    return weights.cross_entropy * entropy + weights.dice * (1 - mean_dice)


def predicted_classes(logits: Any) -> Any:
    """Class indices [...], int32, from logits [..., n] (see `loss_sums`); of a tie, the first class."""
    if logits.shape[-1] == 1:
        return tf.cast(logits[..., 0] > 0, tf.int32)
    return tf.argmax(logits, axis=-1, output_type=tf.int32)


def confusions(logits: Any, truth: Any) -> Any:
    """int64 [batch, classes, classes]: the confusion of each image, as in src/evaluation/metrics/confusion.py.

    Counted in float32, exact up to 2**24 pixels an image.
    """
    truth, predicted = tf.cast(truth, tf.int32), predicted_classes(logits)
    if logits.shape[-1] == 1:
        counted, true, found = (tf.cast(which, tf.float32) for which in (truth < 2, tf.equal(truth, 1), predicted > 0))
        sums = [tf.reduce_sum(values, [1, 2]) for values in (counted, true, found * counted, found * true)]
        pixels, positive, claimed, right = sums
        entries = [pixels - positive - claimed + right, claimed - right, positive - right, right]
        return tf.cast(tf.reshape(tf.stack(entries, axis=1), [-1, 2, 2]), tf.int64)
    one_hot = [
        tf.reshape(tf.one_hot(labels, logits.shape[-1]), [tf.shape(labels)[0], -1, logits.shape[-1]])
        for labels in (truth, predicted)
    ]
    return tf.cast(tf.matmul(*one_hot, transpose_a=True), tf.int64)
