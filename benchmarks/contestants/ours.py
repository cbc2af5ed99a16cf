"""This project's network and training step; on real crops too; and matrix products in the same precision.

A network with a pretrained encoder predicts with folded normalisations, as tools.predict does. The plain network
predicts as it was trained, like stock Keras, against which it is measured.
"""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from benchmarks.worker import CHANNELS, Setting, rate
from src import params
from src.data.crops.sampling import AHEAD, Patches
from src.data.source.dataset import Dataset
from src.data.store.store import Store
from src.data.store.subsets import Subset
from src.model.network.device import prepare_device
from src.model.network.layer_folding import fold_normalisation
from src.model.network.unet import build_unet
from src.model.training.adam import Adam
from src.model.training.step import training_step
from src.model.training.workers import choose_workers
from src.params import PlannedModel, Precision
from src.plan.class_weights import LossWeights
from src.plan.facts import Facts
from src.plan.plan import plan_network

SIDE, PRODUCTS = 2048, 10  # of the matrices, and how many products of them a round takes
RATE = 1e-3
CLASSES = Dataset(classes={0: "background", 1: "foreground"})


def network_and_step(setting: Setting) -> tuple[keras.Model, Callable[[Any, Any], float]]:
    """The network, and the step that trains it on images and masks: all that the benchmarks know of the training."""
    read = params.load()
    workers, arithmetic = choose_workers("single"), prepare_device(read.seed, read.train.precision)
    model = build_unet(planned(setting), CHANNELS, 1)
    adam = Adam(model.trainable_variables, arithmetic.scales_loss)
    step = training_step(model, adam, LossWeights(), CLASSES, workers)
    return model, lambda images, masks: step(images, masks, RATE)[0]


def planned(setting: Setting) -> PlannedModel:
    """The setting's network, with random weights."""
    chosen = {"encoder": setting.encoder, "filters": setting.filters, "depth": setting.depth}
    return PlannedModel.model_validate(chosen | {"weights": "none"})


def resident(setting: Setting) -> tuple[Any, Any]:
    """One batch of images and masks in memory; a fifth of the pixels are foreground."""
    shape = (setting.batch, setting.side, setting.side)
    return tf.random.normal((*shape, CHANNELS)), tf.cast(tf.random.uniform(shape) > 0.8, tf.uint8)


class Contestant:
    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.model, self.step = network_and_step(setting)
        self.images, self.masks = resident(setting)
        self.precision: Precision = keras.mixed_precision.dtype_policy().compute_dtype
        encoder = planned(setting).encoder
        predicts = self.model if encoder == "plain" else fold_normalisation(self.model, self.precision, encoder)
        self.network = tf.function(lambda images: predicts(images, training=False), jit_compile=False)
        self.matrix = tf.cast(tf.random.normal((SIDE, SIDE)), self.precision)
        self.product = tf.function(lambda matrix: matrix @ matrix)
        self.crops = batches(setting)

    def first_step(self) -> None:
        self.step(self.images, self.masks)

    def facts(self) -> dict[str, Any]:
        return {"parameters": self.model.count_params(), "precision": self.precision}

    def rates(self) -> dict[str, float]:
        """`crops`: images a second in training on real crops; `products`: GFLOP a second in matrix products."""
        images, steps = self.setting.images, range(self.setting.steps)
        rates = {"predict": rate(images, lambda: [self.network(self.images).numpy() for _ in steps])}
        flop = PRODUCTS * 2 * SIDE**3
        rates["products"] = rate(flop / 1e9, lambda: [self.product(self.matrix)[0, 0].numpy() for _ in range(PRODUCTS)])
        rates["train"] = rate(images, lambda: [self.step(self.images, self.masks) for _ in steps])
        for _ in range(AHEAD):  # made while others ran
            self.step_on_crops()
        rates["crops"] = rate(images, lambda: [self.step_on_crops() for _ in steps])
        return rates

    def step_on_crops(self) -> float:
        images, masks = next(self.crops)
        return self.step(images, masks)


def batches(setting: Setting) -> Iterator[tuple[Any, Any]]:
    """Batches as in training, epochs without end, augmented as params.yaml says."""
    read, store = params.load(), Store(Path(setting.store))
    everything = Subset.ungrouped(store, range(len(store)))
    facts, asked = Facts.of(everything, everything), {"resize": 0, "crop": setting.side, "oversample_rare": 0.5}
    seen = plan_network(
        facts, read.data.model_copy(update=asked), read.augment, planned(setting), read.train.memory_gib
    )
    patches = Patches(everything, seen.data, seen.augment, read.seed, encoder=seen.model.encoder)
    yield from patches.batches(((1, number) for number in count()), setting.batch)
