"""Predicted labels, and the pixel counts of patches."""

import tensorflow as tf

from src.model.network.losses.planes import class_planes, counted_pixels, pack_planes
from src.model.network.tensor import Tensor


def predicted_labels(logits: Tensor, *, overlap: bool = False) -> Tensor:
    """Choose the label of every pixel at the default threshold.

    Args:
        logits: [..., n], see `loss_sums` in sums.py.
        overlap: whether classes overlap.

    Returns:
        Labels int32 [...]. If classes exclude each other and there is a tie, it is the first class.
    """
    if overlap:
        return pack_planes(logits > 0)
    if logits.shape[-1] == 1:
        return tf.cast(logits[..., 0] > 0, tf.int32)
    return tf.argmax(logits, axis=-1, output_type=tf.int32)


def count_pixels(logits: Tensor, truth: Tensor, *, overlap: bool = False) -> Tensor:
    """Count the pixels of each class in each image, as src/evaluation/metrics/confusion.py does.

    The counts are made in float32, which is exact up to 2**24 pixels an image.

    Args:
        logits: [batch, height, width, n], see `loss_sums` in sums.py.
        truth: labels [batch, height, width].
        overlap: whether classes overlap.

    Returns:
        int64 [batch, 4, classes], the counts in the order of `PixelCounts`.
    """
    truth, predicted = tf.cast(truth, tf.int32), predicted_labels(logits, overlap=overlap)
    if overlap:
        classes = logits.shape[-1]
        counted = counted_pixels(truth, classes)
        planes = [class_planes(labels, classes) for labels in (truth, predicted)]
    else:
        classes = max(logits.shape[-1], 2)
        counted = tf.cast(truth < classes, tf.float32)[..., None]
        planes = [tf.one_hot(labels, classes) for labels in (truth, predicted)]
    true, found = planes[0], planes[1] * counted
    sums = [tf.reduce_sum(values, [1, 2]) for values in (true, found, true * found, counted)]
    sums[-1] = tf.repeat(sums[-1], classes, axis=1)
    return tf.cast(tf.stack(sums, axis=1), tf.int64)
