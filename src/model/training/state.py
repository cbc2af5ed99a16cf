"""The state of a training, which a checkpoint saves and restores."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from src.archive.project import Project
from src.evaluation.metrics.running_scores import RunningScores
from src.model.network.device import Arithmetic
from src.model.training.adam import Adam
from src.model.training.checkpoints import Checkpoint
from src.model.training.schedule import Schedule
from src.model.training.workers import Workers
from src.params import PlannedTrain
from src.plan.class_weights import LossWeights

Row = dict[str, float]
MEASURES = ("loss", "dice", "iou", "accuracy")
HISTORY = ["epoch", "lr", *(prefix + name for name in MEASURES for prefix in ("", "val_"))]


@dataclass
class Training:
    """A model in training, and how far it has come.

    Attributes:
        model: the network that is saved in the end.
        network: the model with its supervised outputs, if any (src/model/network/supervision.py).
        project: the meaning of the model's inputs and outputs.
        adam: the optimiser.
        arithmetic: precision and devices.
        workers: who shares each batch.
        checkpoint: where the state is saved.
        loss: weights of the loss.
        step: steps that are done, in all epochs.
        shortened_after: steps after which the training was shortened; 0: it was not.
        shortened_by: train.finish_after, train.patience or tools.finish; empty if it was not shortened.
        losses: of the steps of the current epoch.
        history: a row with the columns `HISTORY` for each finished epoch.
        best_weights: of the model after the best epoch.
        seconds: that the steps took in this process; a checkpoint does not hold it.
        timed_steps: steps in this process; a checkpoint does not hold it.
        tally: running scores of the current epoch's patches.
    """

    model: keras.Model
    network: keras.Model
    project: Project
    adam: Adam
    arithmetic: Arithmetic
    workers: Workers
    checkpoint: Checkpoint
    loss: LossWeights
    step: int = 0
    shortened_after: int = 0
    shortened_by: str = ""
    losses: list[float] = field(default_factory=list)
    history: list[Row] = field(default_factory=list)
    best_weights: list[NDArray[np.generic]] = field(default_factory=list)
    seconds: float = 0.0
    timed_steps: int = 0
    tally: RunningScores = field(init=False)

    def __post_init__(self) -> None:
        self.tally = RunningScores(len(self.project.classes))

    def schedule(self, params: PlannedTrain) -> Schedule:
        """Return the schedule, given the settings of the training."""
        return Schedule(params, self.shortened_after)

    @property
    def best(self) -> Row:
        """The row of the epoch with the highest validation Dice; the first if there is a tie."""
        return max(self.history, key=lambda row: row["val_dice"])

    def finish_epoch(self, row: Row) -> bool:
        """Add an epoch to the history; keep its weights and return True if it is the best so far."""
        self.history.append(row)
        self.losses, self.tally = [], RunningScores(len(self.project.classes))
        better = self.best is row
        if better:
            self.best_weights = self.model.get_weights()
        return better

    def to_bytes(self) -> bytes:
        """The state as an .npz file; the history is JSON in one of its arrays."""
        arrays: dict[str, NDArray[np.generic]] = {
            "step": np.array(self.step),
            "shortened_after": np.array(self.shortened_after),
            "shortened_by": np.array(self.shortened_by),
            "losses": np.array(self.losses),
            "counts": self.tally.counts,
            "sums": self.tally.sums,
        }
        arrays["history"] = np.array(json.dumps(self.history))
        arrays |= {f"variable-{index}": variable.numpy() for index, variable in enumerate(self._variables())}
        arrays |= {f"best-{index}": weight for index, weight in enumerate(self.best_weights)}
        file = io.BytesIO()
        np.savez(file, **arrays)  # type: ignore[arg-type]
        return file.getvalue()

    def restore(self, content: bytes) -> None:
        """Return to the state in which `to_bytes` made this content, bit for bit."""
        arrays = np.load(io.BytesIO(content), allow_pickle=False)
        self.step, self.losses = int(arrays["step"]), arrays["losses"].tolist()
        self.shortened_after, self.shortened_by = int(arrays["shortened_after"]), str(arrays["shortened_by"])
        self.tally.counts, self.tally.sums = arrays["counts"], arrays["sums"]
        self.history = json.loads(str(arrays["history"]))
        for index, variable in enumerate(self._variables()):
            variable.assign(arrays[f"variable-{index}"])
        self.best_weights = [arrays[f"best-{index}"] for index in range(len(self.model.weights)) if self.history]

    def metrics(self, images: Mapping[str, int]) -> dict[str, object]:
        """The content of metrics/train.json; images: subset → how many images it has."""
        best = self.best
        shortened = {"shortened_after": self.shortened_after, "shortened_by": self.shortened_by}
        return {
            "best_epoch": int(best["epoch"]),
            "epochs": len(self.history),
            "train": {name: round(best[name], 6) for name in MEASURES},
            "validation": {name: round(best[f"val_{name}"], 6) for name in MEASURES},
            "images": dict(images),
            "parameters": int(self.model.count_params()),
            "precision": self.arithmetic.precision,
            "replicas": self.workers.replicas,
            **(shortened if self.shortened_after else {}),
        }

    def _variables(self) -> list[tf.Variable]:
        return [*(weight.value for weight in self.network.weights), *self.adam.state]
