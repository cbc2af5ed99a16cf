"""One step of training: a batch in; the weights move, the loss and the confusions come out."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from src.model.network.losses import confusions
from src.model.network.replicas import joined_over_replicas, replicas
from src.model.network.supervision import deep_losses
from src.model.training.adam import Adam
from src.model.training.workers import Workers
from src.params import PlannedTrain

Step = Callable[[NDArray[np.float32], NDArray[np.uint8], float], tuple[float, NDArray[np.int64]]]


def training_step(
    model: keras.Model, adam: Adam, params: PlannedTrain, foreground: Sequence[int], workers: Workers
) -> Step:
    """(images, masks, learning rate) → the batch's loss and the confusion of each crop [batch, classes, classes].

    model: its first output are the logits; any others are supervised, too, and left out of the loss that is returned.
    images float32 [part, side, side, channels], masks uint8 [part, side, side]: the part of the batch that this process
    holds. The loss is that of the whole batch, whatever the number of replicas that share it.
    """

    def update(images: Any, masks: Any, rate: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            outputs = model(images, training=True)
            outputs = outputs if isinstance(outputs, list) else [outputs]
            learned, loss = deep_losses(outputs, masks, params.loss, foreground)
            # Every replica has the whole loss, and their gradients are added up: each brings its share.
            share = learned / replicas() * tf.convert_to_tensor(adam.scale)
        adam.apply(tape.gradient(share, adam.weights), rate)
        return loss, joined_over_replicas(confusions(outputs[0], masks))

    @tf.function(jit_compile=False, autograph=False)
    def everywhere(images: Any, masks: Any, rate: Any) -> tuple[Any, Any]:
        return workers.strategy.run(update, (images, masks, rate))

    def step(images: NDArray[np.float32], masks: NDArray[np.uint8], rate: float) -> tuple[float, NDArray[np.int64]]:
        loss, counts = everywhere(workers.placed(images), workers.placed(masks), tf.constant(rate, tf.float32))
        return float(workers.first(loss)), workers.first(counts).numpy()

    return step
