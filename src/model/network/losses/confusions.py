"""Predicted classes, and the confusion matrices of patches."""

import tensorflow as tf

from src.model.network.tensor import Tensor


def predicted_classes(logits: Tensor) -> Tensor:
    """Class indices int32 [...] from logits [..., n], see `loss_sums`; the first class if there is a tie."""
    if logits.shape[-1] == 1:
        return tf.cast(logits[..., 0] > 0, tf.int32)
    return tf.argmax(logits, axis=-1, output_type=tf.int32)


def confusions(logits: Tensor, truth: Tensor) -> Tensor:
    """Count the confusion matrix of each image, as src/evaluation/metrics/confusion.py does.

    The counts are made in float32, which is exact up to 2**24 pixels an image.

    Args:
        logits: [batch, height, width, n], see `loss_sums` in sums.py.
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
