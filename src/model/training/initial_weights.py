"""Fine-tuning: start a training from the weights of an earlier model."""

from pathlib import Path

import keras

from src.archive.layer_names import LOGITS_CONVOLUTION
from src.data.source.dataset import Dataset
from src.errors import UserError
from src.model.network.model_file import read_model


def load_initial_weights(model: keras.Model, path: Path, dataset: Dataset) -> tuple[str, list[str]]:
    """Copy the weights of an earlier model into a new one.

    The first convolution keeps its random weights if the number of channels differs. The last convolution keeps them
    if the names of the classes or their order differ, or if they overlap in one of the models only.

    Args:
        model: the new network, which is changed in place.
        path: model file of the earlier one.
        dataset: its classes are those of the new model.

    Returns:
        A line for the user: how many weights were copied, and which are new. And the paths of the new ones.

    Raises:
        UserError: the file is not a model of this project.
    """
    try:
        network, project = read_model(path)
    except UserError as error:
        raise UserError(f"train.initial: {error}") from None
    earlier, new = {weight.path: weight for weight in network.weights}, []
    specific_to_classes = {weight.path for weight in model.get_layer(LOGITS_CONVOLUTION).weights}
    same_classes = project.classes == dataset.names and project.overlap == dataset.overlap
    for weight in model.weights:
        fits = weight.path in earlier and weight.shape == earlier[weight.path].shape
        if fits and (same_classes or weight.path not in specific_to_classes):
            weight.assign(earlier[weight.path])
        else:
            new.append(weight.path)
    anew = f"; random, because channels or classes differ: {', '.join(new)}" if new else ""
    return f"{len(model.weights) - len(new)} of {len(model.weights)} weights from {path}{anew}", new
