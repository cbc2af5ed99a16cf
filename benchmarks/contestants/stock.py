"""The same network and loss as Keras offers them: its own batch normalisation, `compile`, `fit` and `predict`."""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.flop import step_flop
from benchmarks.worker import CHANNELS, Setting, rate


def build(setting: Setting) -> keras.Model:
    """Images [batch, side, side, channels] → logits [batch, side, side, 1]."""
    inputs = x = keras.Input((setting.side, setting.side, CHANNELS))
    widths = [setting.filters * 2**level for level in range(setting.depth + 1)]
    skips = []
    for width in widths[:-1]:
        x = _block(x, width)
        skips.append(x)
        x = layers.MaxPooling2D(2)(x)
    x = _block(x, widths[-1])
    for width, skip in zip(widths[-2::-1], skips[::-1], strict=True):
        x = layers.Conv2DTranspose(width, 2, strides=2, use_bias=False)(x)
        x = _block(layers.Concatenate()([skip, x]), width)
    return keras.Model(inputs, layers.Conv2D(1, 1)(x))


def _block(x: Any, filters: int) -> Any:
    for _ in range(2):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    return x


def loss(truth: Any, logits: Any) -> Any:
    """Binary cross-entropy + 1 - Dice over the batch, as src/model/network/losses.py has it for two classes."""
    entropy = ops.mean(ops.binary_crossentropy(truth, logits, from_logits=True))
    foreground = ops.sigmoid(logits)
    dice = (2 * ops.sum(foreground * truth) + 1) / (ops.sum(foreground) + ops.sum(truth) + 1)
    return entropy + 1 - dice


class Contestant:
    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        keras.utils.set_random_seed(0)
        self.model = build(setting)
        self.model.compile(optimizer="adam", loss=loss)
        rng = np.random.default_rng(0)
        shape = (setting.images, setting.side, setting.side)
        self.images = rng.standard_normal((*shape, CHANNELS), dtype=np.float32)
        self.masks = (rng.random((*shape, 1), dtype=np.float32) > 0.8).astype(np.float32)

    def first_step(self) -> None:
        self._fit(self.setting.batch)

    def facts(self) -> dict[str, Any]:
        """`flop`: of a training step on one image, counted here, where the layers know the size of their images."""
        return {"parameters": self.model.count_params(), "precision": "float32", "flop": step_flop(self.model)}

    def rates(self) -> dict[str, float]:
        images = self.setting.images
        return {
            "train": rate(images, lambda: self._fit(images)),
            "predict": rate(images, lambda: self.model.predict(self.images, self.setting.batch, verbose=0)),
        }

    def _fit(self, images: int) -> None:
        self.model.fit(self.images[:images], self.masks[:images], self.setting.batch, verbose=0)
