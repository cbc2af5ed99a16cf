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
    truth, outputs = tf.cast(truth, tf.int32), logits.shape[-1]
    pair = truth, predicted_labels(logits, overlap=overlap)
    if overlap:
        counted, planes = counted_pixels(truth, outputs), [class_planes(labels, outputs) for labels in pair]
    elif outputs == 1:
        counted, planes = truth[..., None] < 2, [tf.equal(labels[..., None], 1) for labels in pair]
    else:
        counted, planes = truth[..., None] < outputs, [tf.one_hot(labels, outputs) for labels in pair]
    inside, true, found = (tf.cast(values, tf.float32) for values in (counted, *planes))
    found *= inside
    sums = [tf.reduce_sum(values, [1, 2]) for values in (true, found, true * found, inside)]
    if outputs == 1 and not overlap:  # the first class is the absence of the second, which halves the work
        true, found, both, pixels = sums
        sums = [true, found, both]
        others = [pixels - true, pixels - found, pixels - true - found + both]
        sums = [*(tf.concat(part, axis=1) for part in zip(others, sums, strict=True)), pixels]
    sums[-1] = tf.broadcast_to(sums[-1], tf.shape(sums[0]))
    return tf.cast(tf.stack(sums, axis=1), tf.int64)
