"""One step of training: update the weights from a batch, and return its loss and confusion matrices."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from src.model.network.losses.confusions import confusions
from src.model.network.replicas import gather_over_replicas, replica_count
from src.model.network.supervision import deep_losses
from src.model.network.tensor import Tensor
from src.model.training.adam import Adam
from src.model.training.workers import Workers
from src.plan.class_weights import LossWeights

Images = NDArray[np.float32]  # [patches, side, side, channels]
Masks = NDArray[np.uint8]  # [patches, side, side]
Step = Callable[[Images, Masks, float], tuple[float, NDArray[np.int64]]]


def training_step(
    model: keras.Model, adam: Adam, weights: LossWeights, foreground: Sequence[int], workers: Workers
) -> Step:
    """Make the function that runs a step of training.

    Args:
        model: its first output is the logits; further outputs are supervised, too.
        adam: updates the weights of the model.
        weights: of the terms of the loss and of the classes.
        foreground: indices of the classes over which the loss averages Dice.
        workers: share the batch.

    Returns:
        A function (images, masks, learning rate) → (loss, confusions). Images are float32 [part, side, side, channels]
        and masks uint8 [part, side, side], where part is the share of the batch that this process holds. The loss is
        that of the first output over the whole batch, whatever the number of replicas. Confusions are int64 [batch,
        classes, classes], one matrix for each patch.
    """

    def update(images: Tensor, masks: Tensor, rate: Tensor) -> tuple[Tensor, Tensor]:
        with tf.GradientTape() as tape:
            outputs = model(images, training=True)
            outputs = outputs if isinstance(outputs, list) else [outputs]
            learned, loss = deep_losses(outputs, masks, weights, foreground)
            # Every replica has the loss of the whole batch, and their gradients are added up. So each takes its share.
            share = learned / replica_count() * tf.convert_to_tensor(adam.scale)
        adam.apply(tape.gradient(share, adam.weights), rate)
        return loss, gather_over_replicas(confusions(outputs[0], masks))

    @tf.function(jit_compile=False, autograph=False)
    def update_replicas(images: Tensor, masks: Tensor, rate: Tensor) -> tuple[Tensor, Tensor]:
        return workers.strategy.run(update, (images, masks, rate))

    def step(images: Images, masks: Masks, rate: float) -> tuple[float, NDArray[np.int64]]:
        rate_tensor = tf.constant(rate, tf.float32)
        loss, counts = update_replicas(workers.distribute(images), workers.distribute(masks), rate_tensor)
        return float(workers.first_replica(loss)), workers.first_replica(counts).numpy()

    return step
