"""Small networks of different kinds that can be joined, made without training."""

import keras
import numpy as np

from src.archive.ensemble import Ensemble, EnsembleModel, write_ensemble
from src.archive.project import Decisions
from src.data.classes.label_format import LabelFormat
from src.model.inference.member import Member
from src.model.network.model_file import write_model
from src.model.network.unet import build_unet
from src.params import PlannedModel
from tests.test_predictor import NAMES, project


def member(seed, classes=2, channels=1, encoder="plain", **changes):
    """A network whose moving statistics and logits depend on the seed; changes: of its project."""
    keras.utils.set_random_seed(seed)
    described = {"mean": [10.0] * channels, "std": [4.0] * channels, "classes": NAMES[:classes], "encoder": encoder}
    told = project(**(described | changes))
    model = build_unet(
        PlannedModel(encoder=encoder, filters=2, depth=told.depth), channels, LabelFormat(classes).outputs
    )
    model(np.random.default_rng(seed).normal(size=(2, 32, 32, channels)), training=True)
    return Member(model, told)


def write_made(path, members, **changes):
    """Write an ensemble of these members, and the file of each beside it; changes: of ensemble.json.

    Returns:
        The paths of the members' files.
    """
    files = [path.with_name(f"member{number}.keras") for number in range(len(members))]
    for file, one in zip(files, members, strict=True):
        write_model(file, one.model, one.project)
    models = [EnsembleModel(name=file.stem, recorded=True) for file in files]
    content = {"models": models, "decisions": Decisions(), "decided": "Not fitted."} | changes
    write_ensemble(path, Ensemble(**content), [file.read_bytes() for file in files])
    return files
