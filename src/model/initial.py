"""Fine-tuning: the weights that a training begins from, taken over from an earlier model of this project."""

from pathlib import Path

import keras

from src.errors import UserError
from src.model.archive import load


def take_over(model: keras.Model, path: Path) -> str:
    """Give `model` the weights of the network saved at `path` where they have the same name and shape; in words.

    Others stay as they were drawn: those of the first convolution if the number of channels is another, those of the
    last if the number of classes is. `UserError` if the file is not a model of this project.
    """
    try:
        earlier = {weight.path: weight for weight in load(path)[0].weights}
    except UserError as error:
        raise UserError(f"train.initial: {error}") from None
    fitting = [weight for weight in model.weights if weight.path in earlier]
    fitting = [weight for weight in fitting if weight.shape == earlier[weight.path].shape]
    for weight in fitting:
        weight.assign(earlier[weight.path])
    new = [weight.path for weight in model.weights if all(weight is not taken for taken in fitting)]
    anew = f"; drawn anew, since their shapes differ: {', '.join(new)}" if new else ""
    return f"{len(fitting)} of {len(model.weights)} weights from {path}{anew}"
