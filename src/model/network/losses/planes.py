"""Labels of overlapping classes as tensors, see `LabelFormat` in src/data/classes/label_format.py."""

import tensorflow as tf

from src.model.network.tensor import Tensor


def counted_pixels(truth: Tensor, classes: int) -> Tensor:
    """Return 1 where pixels count and 0 where they are ignored: int32 [...] → float32 [..., 1].

    Args:
        truth: labels.
        classes: how many.
    """
    return tf.cast(truth < 2**classes, tf.float32)[..., None]


def class_planes(truth: Tensor, classes: int) -> Tensor:
    """Return 1 where pixels are of a class, else 0, also where they are ignored: int32 [...] → float32 [..., classes].

    Args:
        truth: labels.
        classes: how many.
    """
    bits = tf.bitwise.bitwise_and(tf.bitwise.right_shift(truth[..., None], tf.range(classes)), 1)
    return tf.cast(bits, tf.float32) * counted_pixels(truth, classes)


def pack_planes(planes: Tensor) -> Tensor:
    """Return the labels of the classes' masks: bool [..., classes] → int32 [...]."""
    return tf.reduce_sum(tf.bitwise.left_shift(tf.cast(planes, tf.int32), tf.range(planes.shape[-1])), axis=-1)
