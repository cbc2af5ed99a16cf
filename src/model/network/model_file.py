"""models/unet.keras: one file with everything that prediction needs. Equal models give equal bytes."""

import json
import re
import zipfile
from pathlib import Path

import keras

from src.archive.members import PROJECT
from src.archive.network import Json
from src.archive.project import Project
from src.archive.validate_archive import NOT_OURS, validate_archive
from src.errors import UserError
from src.files import atomic
from src.model.network.device import global_precision
from src.model.network.unet import build_unet
from src.params import PlannedModel

DATE = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip file can hold


def write_model(path: Path, model: keras.Model, project: Project) -> None:
    """Write a model file. Equal models give equal files, whenever they are written.

    Args:
        path: ends with .keras; a file there is replaced.
        model: a network of `build_unet`.
        project: the meaning of its inputs and outputs.
    """
    with atomic(path) as temporary:
        model.save(temporary)
        with zipfile.ZipFile(temporary) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        metadata = json.loads(members["metadata.json"])
        metadata.pop("date_saved", None)
        members["metadata.json"] = _json(metadata)
        members["config.json"] = _renumber_shared_objects(members["config.json"])
        members[PROJECT] = _json(project.model_dump())
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for name in sorted(members):
                archive.writestr(zipfile.ZipInfo(name, DATE), members[name])


def read_model(path: Path) -> tuple[keras.Model, Project]:
    """Read a model file, which may come from anywhere.

    src/archive/validate_archive.py checks all of it first. Then the U-Net is built from the numbers in the file, and
    Keras loads the weights into it. Keras never builds a network from the file's config.

    Returns:
        The network in the precision of its training, and the meaning of its inputs and outputs.

    Raises:
        UserError: there is no such file, or this project did not save it.
    """
    if not path.exists():
        raise UserError(f"{path}: {NOT_OURS}: no such file; dvc repro makes it")
    archive = validate_archive(path)
    project, network = archive.project, archive.network
    with global_precision(network.precision):
        size = PlannedModel(encoder=network.encoder, filters=network.filters, depth=network.depth)
        model = build_unet(size, network.channels, len(project.classes))
    if sorted(tuple(weight.shape) for weight in model.weights) != list(archive.stored):
        raise UserError(f"{path}: {NOT_OURS}: model.weights.h5 holds other arrays than {network.encoder} has")
    try:
        model.load_weights(path)
    except (OSError, LookupError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: {NOT_OURS}: {error}") from None
    return model, project


def _renumber_shared_objects(config: bytes) -> bytes:
    """Number shared objects by their first appearance; Keras numbers them by their addresses in memory."""
    numbers: dict[bytes, int] = {}

    def number(match: re.Match[bytes]) -> bytes:
        return b'"shared_object_id": %d' % numbers.setdefault(match[1], len(numbers) + 1)

    return re.sub(rb'"shared_object_id": (\d+)', number, config)


def _json(content: Json) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
