"""Terms of the loss as sums over pixels: the same code measures a batch and a whole subset."""

from typing import NamedTuple

import tensorflow as tf

from src.model.network.losses.focal import focal_terms
from src.model.network.losses.planes import class_planes, counted_pixels
from src.model.network.tensor import Tensor
from src.plan.class_weights import LossWeights


class LossSums(NamedTuple):
    """Sums over the counted pixels, float32. The sums of two sets of pixels add up to those of both together.

    Attributes:
        cross_entropy: scalar, with the natural logarithm; each pixel times the weight of its class. Of overlapping
            classes, each pixel has one of each class.
        weight: scalar, sum of the weights of the pixels; without weights, their number. With overlapping classes, it is
            the number of pixels times that of classes.
        overlap: [classes], probability on the true class.
        predicted: [classes], probability.
        true: [classes], pixels of the class.
        focal: scalar, focal loss of each pixel times the weight of its class; 0 if it has no weight in the loss.
    """

    cross_entropy: Tensor
    weight: Tensor
    overlap: Tensor
    predicted: Tensor
    true: Tensor
    focal: Tensor


class _Pixels(NamedTuple):
    """Values of each pixel, float32 [batch, height, width]; and the sums over them that Dice needs, [classes].

    Of overlapping classes, each pixel has a value for each class: [batch, height, width, classes].

    Attributes:
        entropy: negative logarithm of the probability of the true class; any finite number where it is ignored.
        weight: of the pixel's class; 0 where it is ignored.
    """

    entropy: Tensor
    weight: Tensor
    overlap: Tensor
    predicted: Tensor
    true: Tensor


def loss_sums(logits: Tensor, truth: Tensor, weights: LossWeights, *, overlap: bool = False) -> LossSums:
    """Sum what the loss is made of; in float32, and stable for logits of any size.

    Args:
        logits: [batch, height, width, n]; n = 1: the logit of the second of two classes (sigmoid); n > 1: one for each
            class (softmax; sigmoid of each if classes overlap).
        truth: labels [batch, height, width]; a pixel whose value is no label (IGNORE) is not counted.
        weights: which terms are computed, and what a pixel of each class counts.
        overlap: whether classes overlap; their weights are all equal.
    """
    logits, truth = tf.cast(logits, tf.float32), tf.cast(truth, tf.int32)
    if overlap:
        pixels = _overlapping(logits, truth)
    elif logits.shape[-1] == 1:
        pixels = _binary(logits[..., 0], truth, weights)
    else:
        pixels = _multiclass(logits, truth, weights)
    focal = focal_terms(pixels.entropy, weights.focal_gamma) if weights.focal else None
    return LossSums(
        _weighted_sum(pixels.entropy, pixels.weight),
        tf.reduce_sum(pixels.weight),
        pixels.overlap,
        pixels.predicted,
        pixels.true,
        _weighted_sum(focal, pixels.weight),
    )


def _weighted_sum(terms: Tensor | None, weight: Tensor) -> Tensor:
    return tf.zeros([]) if terms is None else tf.reduce_sum(terms * weight)


def _binary(logits: Tensor, truth: Tensor, weights: LossWeights) -> _Pixels:
    """Sum for the second class alone; the sums of the first follow from them, which halves the work."""
    counted, true = tf.cast(truth < 2, tf.float32), tf.cast(tf.equal(truth, 1), tf.float32)
    weight = counted
    if weights.classes:
        background, foreground = weights.classes
        weight = background * (counted - true) + foreground * true
    probability = tf.sigmoid(logits) * counted
    pixels, predicted, positive = (tf.reduce_sum(values) for values in (counted, probability, true))
    overlap = tf.reduce_sum(probability * true)
    return _Pixels(
        tf.nn.sigmoid_cross_entropy_with_logits(true, logits),
        weight,
        tf.stack([pixels - predicted - positive + overlap, overlap]),
        tf.stack([pixels - predicted, predicted]),
        tf.stack([pixels - positive, positive]),
    )


def _multiclass(logits: Tensor, truth: Tensor, weights: LossWeights) -> _Pixels:
    classes = logits.shape[-1]
    counted = tf.cast(truth < classes, tf.float32)
    labels = tf.one_hot(truth, classes)  # all zeros where ignored
    probabilities = tf.nn.softmax(logits)
    axes = [0, 1, 2]
    return _Pixels(
        tf.nn.softmax_cross_entropy_with_logits(labels, logits),
        tf.linalg.matvec(labels, tf.constant(weights.classes)) if weights.classes else counted,
        tf.reduce_sum(probabilities * labels, axes),
        tf.reduce_sum(probabilities * counted[..., None], axes),
        tf.reduce_sum(labels, axes),
    )


def _overlapping(logits: Tensor, truth: Tensor) -> _Pixels:
    """Each class is a binary problem of its own; the sums are those of the class, not of its absence."""
    classes = logits.shape[-1]
    counted, true = counted_pixels(truth, classes), class_planes(truth, classes)
    probabilities, axes = tf.sigmoid(logits) * counted, [0, 1, 2]
    return _Pixels(
        tf.nn.sigmoid_cross_entropy_with_logits(true, logits),
        counted * tf.ones_like(logits),
        tf.reduce_sum(probabilities * true, axes),
        tf.reduce_sum(probabilities, axes),
        tf.reduce_sum(true, axes),
    )
