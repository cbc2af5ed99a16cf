"""Cross-entropy + Dice loss, as sums over pixels: the same code measures a batch and a whole subset."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from src.model.network.tensor import Tensor
from src.plan.class_weights import LossWeights

SMOOTH = 1.0  # pixels, in the loss only; without it, false positives of a class that a batch lacks would cost nothing


class LossSums(NamedTuple):
    """Sums over the counted pixels, float32. The sums of two sets of pixels add up to those of both together.

    Attributes:
        cross_entropy: scalar, with the natural logarithm; each pixel times the weight of its class.
        weight: scalar, sum of the weights of the pixels; without weights, their number.
        overlap: [classes], probability on the true class.
        predicted: [classes], probability.
        true: [classes], pixels of the class.
    """

    cross_entropy: Tensor
    weight: Tensor
    overlap: Tensor
    predicted: Tensor
    true: Tensor


def loss_sums(logits: Tensor, truth: Tensor, class_weights: Sequence[float] = ()) -> LossSums:
    """Sum what the loss is made of; in float32, and stable for logits of any size.

    Args:
        logits: [batch, height, width, n]; n = 1: the logit of the second of two classes (sigmoid); n > 1: one for each
            class (softmax).
        truth: class indices [batch, height, width]; a pixel whose value is no class (IGNORE) is not counted.
        class_weights: what a pixel of each class counts in the cross-entropy; empty: all count 1.
    """
    logits, truth = tf.cast(logits, tf.float32), tf.cast(truth, tf.int32)
    sums = _binary_sums if logits.shape[-1] == 1 else _multiclass_sums
    return sums(logits[..., 0] if logits.shape[-1] == 1 else logits, truth, class_weights)


def _binary_sums(logits: Tensor, truth: Tensor, class_weights: Sequence[float]) -> LossSums:
    """Sum for the second class alone; the sums of the first follow from them, which halves the work."""
    counted, true = tf.cast(truth < 2, tf.float32), tf.cast(tf.equal(truth, 1), tf.float32)
    weights = counted
    if class_weights:
        background, foreground = class_weights
        weights = background * (counted - true) + foreground * true
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(true, logits) * weights
    probability = tf.sigmoid(logits) * counted
    pixels, predicted, positive = (tf.reduce_sum(values) for values in (counted, probability, true))
    overlap = tf.reduce_sum(probability * true)
    return LossSums(
        tf.reduce_sum(entropy),
        tf.reduce_sum(weights),
        tf.stack([pixels - predicted - positive + overlap, overlap]),
        tf.stack([pixels - predicted, predicted]),
        tf.stack([pixels - positive, positive]),
    )


def _multiclass_sums(logits: Tensor, truth: Tensor, class_weights: Sequence[float]) -> LossSums:
    classes = logits.shape[-1]
    counted = tf.cast(truth < classes, tf.float32)
    labels = tf.one_hot(truth, classes)  # all zeros where ignored
    weights = tf.linalg.matvec(labels, tf.constant(class_weights)) if class_weights else counted
    entropy = tf.nn.softmax_cross_entropy_with_logits(labels, logits)
    probabilities = tf.nn.softmax(logits)
    axes = [0, 1, 2]
    return LossSums(
        tf.reduce_sum(entropy * weights),
        tf.reduce_sum(weights),
        tf.reduce_sum(probabilities * labels, axes),
        tf.reduce_sum(probabilities * counted[..., None], axes),
        tf.reduce_sum(labels, axes),
    )


def total_loss(sums: LossSums, weights: LossWeights, foreground: Sequence[int]) -> Tensor:
    """Add up the weighted parts of the loss.

    Args:
        sums: from `loss_sums`.
        weights: of the two parts; those of the classes are in the sums already.
        foreground: indices of the classes over which Dice is averaged.

    Returns:
        weights.cross_entropy × weighted mean of the cross-entropy + weights.dice × (1 - mean soft Dice of the
        foreground classes), a scalar; the cross-entropy of no pixel is 0.
    """
    soft_dice = (2 * sums.overlap + SMOOTH) / (sums.predicted + sums.true + SMOOTH)
    mean_dice = tf.reduce_mean(tf.gather(soft_dice, list(foreground)))
    entropy = tf.math.divide_no_nan(sums.cross_entropy, sums.weight)
    return weights.cross_entropy * entropy + weights.dice * (1 - mean_dice)


def predicted_classes(logits: Tensor) -> Tensor:
    """Class indices int32 [...] from logits [..., n] (see `loss_sums`); the first class if there is a tie."""
    if logits.shape[-1] == 1:
        return tf.cast(logits[..., 0] > 0, tf.int32)
    return tf.argmax(logits, axis=-1, output_type=tf.int32)


def confusions(logits: Tensor, truth: Tensor) -> Tensor:
    """Count the confusion matrix of each image, as src/evaluation/metrics/confusion.py does.

    The counts are made in float32, which is exact up to 2**24 pixels an image.

    Args:
        logits: [batch, height, width, n], see `loss_sums`.
        truth: class indices [batch, height, width].

    Returns:
        int64 [batch, classes, classes]: pixels of the row's class that are predicted as the column's.
    """
    truth, predicted = tf.cast(truth, tf.int32), predicted_classes(logits)
    if logits.shape[-1] == 1:
        counted, true, found = (tf.cast(which, tf.float32) for which in (truth < 2, tf.equal(truth, 1), predicted > 0))
        sums = [tf.reduce_sum(values, [1, 2]) for values in (counted, true, found * counted, found * true)]
        pixels, actual_positives, predicted_positives, true_positives = sums
        false_positives, false_negatives = predicted_positives - true_positives, actual_positives - true_positives
        true_negatives = pixels - actual_positives - predicted_positives + true_positives
        entries = [true_negatives, false_positives, false_negatives, true_positives]
        return tf.cast(tf.reshape(tf.stack(entries, axis=1), [-1, 2, 2]), tf.int64)
    one_hot = [
        tf.reshape(tf.one_hot(labels, logits.shape[-1]), [tf.shape(labels)[0], -1, logits.shape[-1]])
        for labels in (truth, predicted)
    ]
    return tf.cast(tf.matmul(*one_hot, transpose_a=True), tf.int64)
