"""One step of training: a batch in; the weights move, the loss and the confusions come out."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from src.model.adam import Adam
from src.model.losses import confusions, loss_sums, total_loss
from src.model.replicas import joined_over_replicas, replicas, sum_over_replicas
from src.model.workers import Workers
from src.params import Train

Step = Callable[[NDArray[np.float32], NDArray[np.uint8], float], tuple[float, NDArray[np.int64]]]


def training_step(model: keras.Model, adam: Adam, params: Train, foreground: Sequence[int], workers: Workers) -> Step:
    """(images, masks, learning rate) → the batch's loss and the confusion of each crop [batch, classes, classes].

    images float32 [part, side, side, channels], masks uint8 [part, side, side]: the part of the batch that this process
    holds. The loss is that of the whole batch, whatever the number of replicas that share it.
    """

    def update(images: Any, masks: Any, rate: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            outs = (model._full or model)(images, training=True)
            outs = outs if isinstance(outs, list) else [outs]
            logits = outs[0]
            scale = [0.5**i for i in range(len(outs))]
            losses = [total_loss(sum_over_replicas(loss_sums(o, masks[:, :: 2**i, :: 2**i])), params.loss, foreground) for i, o in enumerate(outs)]
            loss = sum(w / sum(scale) * l for w, l in zip(scale, losses))
            # Every replica has the whole loss, and their gradients are added up: each brings its share.
            share = loss / replicas() * tf.convert_to_tensor(adam.scale)
        adam.apply(tape.gradient(share, adam.weights), rate)
        if params.average:
            done = tf.convert_to_tensor(adam.updates)
            keep = tf.minimum(params.average, (1 + done) / (10 + done))
            for weight, mean in zip(model.weights, adam.averaged):
                tf.raw_ops.AssignSubVariableOp(resource=mean.handle, value=(1 - keep) * (mean - tf.convert_to_tensor(weight.value)))
        return loss, joined_over_replicas(confusions(logits, masks))

    @tf.function(jit_compile=False, autograph=False)
    def everywhere(images: Any, masks: Any, rate: Any) -> tuple[Any, Any]:
        return workers.strategy.run(update, (images, masks, rate))

    def step(images: NDArray[np.float32], masks: NDArray[np.uint8], rate: float) -> tuple[float, NDArray[np.int64]]:
        loss, counts = everywhere(workers.placed(images), workers.placed(masks), tf.constant(rate, tf.float32))
        return float(workers.first(loss)), workers.first(counts).numpy()

    return step


def learning_rate(step: int, steps: int, params: Train) -> float:
    """The rate of a step (from 0) of `steps`: linear warm-up to params.lr, then half a cosine down to 0."""
    warmup = round(params.warmup * steps)
    if step < warmup:
        return params.lr * (step + 1) / (warmup + 1)
    return params.lr * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(steps - warmup, 1)))
