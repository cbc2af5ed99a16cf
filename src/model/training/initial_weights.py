"""Fine-tuning: the weights that a training begins from, taken over from an earlier model of this project."""

from collections.abc import Sequence
from pathlib import Path

import keras

from src.errors import UserError
from src.model.network.model_file import load

LAST = "logits_conv/"  # the convolution that tells the classes apart


def take_over(model: keras.Model, path: Path, classes: Sequence[str]) -> str:
    """Give `model` the weights of the network saved at `path` that mean the same; in words.

    Others stay as they were drawn: those of the first convolution if the number of channels is another, those of the
    last if the classes are not these, in this order. `UserError` if the file is not a model of this project.
    """
    try:
        network, project = load(path)
    except UserError as error:
        raise UserError(f"train.initial: {error}") from None
    earlier, new = {weight.path: weight for weight in network.weights}, []
    for weight in model.weights:
        known = weight.path in earlier and weight.shape == earlier[weight.path].shape
        if known and (project.classes == list(classes) or not weight.path.startswith(LAST)):
            weight.assign(earlier[weight.path])
        else:
            new.append(weight.path)
    anew = f"; drawn anew, since channels or classes are others: {', '.join(new)}" if new else ""
    return f"{len(model.weights) - len(new)} of {len(model.weights)} weights from {path}{anew}"
