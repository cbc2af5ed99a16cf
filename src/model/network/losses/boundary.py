"""Boundary loss: a mistake costs more the further it lies from the true boundary (Kervadec et al. 2019)."""

from collections.abc import Callable

import tensorflow as tf

from src.model.network.tensor import Tensor

REACH = 8  # pixels; larger distances count as this one, so that large regions do not outweigh the boundaries


def boundary_terms(entropy: Tensor, truth: Tensor, classes: int) -> Tensor:
    """Compute the boundary loss of each pixel: d × (1 - p), with the probability p of the true class.

    d is the distance from the pixel to the boundary of its region, as a share of `REACH`. For two classes, the sum is
    the loss of Kervadec et al. (https://arxiv.org/abs/1812.07032), the integral of the signed distance over the
    predicted probability, plus a constant that makes it 0 for a perfect prediction. With more classes, theirs measures
    the distance to the boundary of each class; here each pixel has one distance, whatever the number of classes. Theirs
    is Euclidean and not limited, and here it is the chessboard distance up to `REACH`. It needs no other image than the
    mask, at any resolution, and takes a small part of a step on any device. A pixel near the edge of a patch or tile
    has the distance to the nearest boundary within it.

    Args:
        entropy: -log(p), float32 [batch, height, width].
        truth: class indices int32 [batch, height, width]; ignored pixels belong to no region.
        classes: how many.

    Returns:
        float32 [batch, height, width], from 0 to 1.
    """
    return boundary_distance(truth, classes) * -tf.math.expm1(-entropy)


def boundary_distance(truth: Tensor, classes: int) -> Tensor:
    """Measure how far the boundary of its region is from each pixel.

    Args:
        truth: class indices int32 [batch, height, width]; other values are ignored.
        classes: how many.

    Returns:
        (chessboard distance in pixels to the nearest counted pixel of another class, at most `REACH`, - 0.5) / `REACH`,
        float32 [batch, height, width]; the boundary runs between pixels, so the smallest distance is half a pixel.
    """
    labels, counted = tf.cast(truth, tf.float32), truth < classes  # GPUs compute the minimum of floats only
    low, high = tf.where(counted, labels, float(classes)), tf.where(counted, labels, -1.0)
    distance = tf.fill(tf.shape(truth), 0.5)
    for _ in range(REACH - 1):
        low, high = _spread(low, tf.minimum), _spread(high, tf.maximum)
        alone = tf.logical_and(tf.equal(low, labels), tf.equal(high, labels))
        distance += tf.cast(alone, tf.float32)
    return distance / REACH


def _spread(values: Tensor, choose: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """The smallest or largest of the values in the 3 × 3 pixels around each one."""
    padded = tf.pad(values, [[0, 0], [1, 1], [1, 1]], "SYMMETRIC")
    rows = choose(choose(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
    return choose(choose(rows[:, :, :-2], rows[:, :, 1:-1]), rows[:, :, 2:])
