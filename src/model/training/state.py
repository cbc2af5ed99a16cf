"""Where a training stands: all that its end depends on, to be kept and taken up again."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from src.archive.project import Project
from src.evaluation.metrics.running_scores import RunningScores
from src.model.network.device import Arithmetic
from src.model.training.adam import Adam
from src.model.training.checkpoints import Checkpoint
from src.model.training.workers import Workers

Row = dict[str, float]
MEASURES = ("loss", "dice", "iou", "accuracy")
HISTORY = ["epoch", "lr", *(prefix + name for name in MEASURES for prefix in ("", "val_"))]


@dataclass
class Training:
    """A model, what it is for, how it is trained, and where that stands.

    network: the model with the further outputs that it is supervised by, if any (see src/model/network/supervision.py).
    step: how many are done; losses, tally: of the steps of the epoch in work, and of their crops.
    history: a row of `HISTORY` for each epoch that is done; weights: the model's after the best of them.
    seconds, timed: of training steps in this process, and how many they were; a checkpoint does not hold them.
    """

    model: keras.Model
    network: keras.Model
    project: Project
    adam: Adam
    arithmetic: Arithmetic
    workers: Workers
    checkpoint: Checkpoint
    step: int = 0
    losses: list[float] = field(default_factory=list)
    history: list[Row] = field(default_factory=list)
    weights: list[NDArray[Any]] = field(default_factory=list)
    seconds: float = 0.0
    timed: int = 0
    tally: RunningScores = field(init=False)

    def __post_init__(self) -> None:
        self.tally = RunningScores(len(self.project.classes))

    @property
    def best(self) -> Row:
        """The epoch with the highest validation Dice; of equal ones the first."""
        return max(self.history, key=lambda row: row["val_dice"])

    def add(self, row: Row) -> bool:
        """Note an epoch, and keep its weights if it is the best yet."""
        self.history.append(row)
        self.losses, self.tally = [], RunningScores(len(self.project.classes))
        better = self.best is row
        if better:
            self.weights = self.model.get_weights()
        return better

    def content(self) -> bytes:
        """Where the training stands, for a checkpoint: arrays as an .npz file, the history as JSON in one of them."""
        arrays: dict[str, Any] = {
            "step": np.array(self.step),
            "losses": np.array(self.losses),
            "pooled": self.tally.pooled,
            "sums": self.tally.sums,
        }
        arrays["history"] = np.array(json.dumps(self.history))
        arrays |= {f"variable-{index}": variable.numpy() for index, variable in enumerate(self._variables())}
        arrays |= {f"best-{index}": weight for index, weight in enumerate(self.weights)}
        file = io.BytesIO()
        np.savez(file, **arrays)
        return file.getvalue()

    def restore(self, content: bytes) -> None:
        """Go to where `content` was made, bit for bit."""
        arrays = np.load(io.BytesIO(content), allow_pickle=False)
        self.step, self.losses = int(arrays["step"]), arrays["losses"].tolist()
        self.tally.pooled, self.tally.sums = arrays["pooled"], arrays["sums"]
        self.history = json.loads(str(arrays["history"]))
        for index, variable in enumerate(self._variables()):
            variable.assign(arrays[f"variable-{index}"])
        self.weights = [arrays[f"best-{index}"] for index in range(len(self.model.weights)) if self.history]

    def metrics(self, images: Mapping[str, int]) -> dict[str, Any]:
        """metrics/train.json: the best epoch's measures, the sizes of what was trained, and the arithmetic."""
        best = self.best
        return {
            "best_epoch": int(best["epoch"]),
            "epochs": len(self.history),
            "train": {name: round(best[name], 6) for name in MEASURES},
            "validation": {name: round(best[f"val_{name}"], 6) for name in MEASURES},
            "images": dict(images),
            "parameters": int(self.model.count_params()),
            "precision": self.arithmetic.precision,
            "replicas": self.workers.replicas,
        }

    def _variables(self) -> list[Any]:
        return [*(weight.value for weight in self.network.weights), *self.adam.state]
