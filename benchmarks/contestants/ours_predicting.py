"""This project's prediction: the network alone on images in memory, and all of it, from files to files."""

import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tensorflow as tf

from benchmarks.worker import CHANNELS, Setting, rate
from src.archive.project import Project
from src.data.predictions.inputs import find_inputs
from src.data.predictions.prediction_files import mask_values
from src.data.predictions.resume_log import ResumeLog
from src.model.inference.predict_files import Prediction, ResultFiles
from src.model.inference.predictor import Predictor
from src.model.network.device import fastest_precision, set_arithmetic
from src.model.network.layer_folding import fold_normalisation
from src.model.network.unet import build_unet
from src.params import PlannedModel


class Contestant:
    """`setting.store`: a folder in which images and results may lie."""

    def __init__(self, setting: Setting) -> None:
        self.setting, self.folder, self.precision = setting, Path(setting.store), fastest_precision()
        set_arithmetic(self.precision)
        self.model = build_unet(PlannedModel(filters=setting.filters, depth=setting.depth), CHANNELS, 1)
        network = fold_normalisation(self.model, self.precision)
        self.predictor = Predictor(network, project(setting.depth), setting.side)
        self.make_images()
        side = setting.side
        self.images = tf.random.stateless_normal((setting.batch, side, side, CHANNELS), (0, 0))
        self.network = tf.function(lambda image: network(image, training=False), jit_compile=False)

    def make_images(self) -> None:
        """As many as a round takes, smooth with a little noise, as photographs are."""
        rng, side = np.random.default_rng(0), self.setting.side
        (self.folder / "images").mkdir()
        for number in range(self.setting.images):
            smooth = cv2.resize(rng.integers(0, 200, (side // 32, side // 32, 3), dtype=np.uint8), (side, side))
            image = smooth + rng.integers(0, 8, smooth.shape, dtype=np.uint8)
            cv2.imwrite(str(self.folder / "images" / f"{number:03}.png"), image)

    def first_step(self) -> None:
        self.network(self.images)
        self.all_of_it()

    def facts(self) -> dict[str, Any]:
        return {"parameters": self.model.count_params(), "precision": self.precision}

    def rates(self) -> dict[str, float]:
        """Megapixels a second: `network` alone, and `files` to files."""
        megapixels = self.setting.images * self.setting.side**2 / 1e6
        return {
            "network": rate(megapixels, lambda: [self.network(self.images).numpy() for _ in range(self.setting.steps)]),
            "files": rate(megapixels, self.all_of_it),
        }

    def all_of_it(self) -> None:
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        inputs, _ = find_inputs([self.folder / "images"], out)
        prediction = Prediction(
            self.predictor, ResultFiles(out, {"masks": mask_values([0, 255], 2)}), ResumeLog(out, "")
        )
        prediction.run(inputs)
        assert not prediction.failed


def project(depth: int) -> Project:
    statistics = {"mean": [10.0] * CHANNELS, "std": [3.0] * CHANNELS, "normalise": "dataset"}
    classes = {"classes": ["background", "foreground"], "background": 0, "colors": {}}
    return Project.model_validate(statistics | classes | {"dtype": "uint8", "shorter_side": 0, "depth": depth})
