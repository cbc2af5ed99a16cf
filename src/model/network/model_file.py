"""models/unet.keras: one file with everything that prediction needs. Equal models give equal bytes."""

import json
import re
import tempfile
import zipfile
from pathlib import Path

import keras
import numpy as np

from src.archive.ensemble import EnsembleArchive, read_archive
from src.archive.members import PROJECT, json_member, model_member, write_members
from src.archive.project import Project
from src.archive.validate_archive import NOT_OURS, Archive, validate_archive
from src.errors import UserError
from src.files import atomic
from src.model.network.device import global_precision
from src.model.network.unet import build_unet
from src.params import PlannedModel


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
        members["metadata.json"] = json_member(metadata)
        members["config.json"] = _renumber_shared_objects(members["config.json"])
        members[PROJECT] = json_member(project.model_dump())
        write_members(temporary, members)


def read_model(path: Path) -> tuple[keras.Model, Project]:
    """Read the file of a single model, which may come from anywhere.

    src/archive/validate_archive.py checks all of it first. Then the U-Net is built from the numbers in the file, and
    Keras loads the weights into it. Keras never builds a network from the file's config.

    Returns:
        The network in the precision of its training, and the meaning of its inputs and outputs.

    Raises:
        UserError: there is no such file, it is an ensemble, or this project did not save it.
    """
    archive = validate_archive(path)
    return _load(archive, path, str(path)), archive.project


def read_models(path: Path) -> list[tuple[keras.Model, Project]]:
    """Read a model file, or that of an ensemble, which may come from anywhere; see `read_model` and `load_models`.

    Raises:
        UserError: there is no such file, or this project did not save it.
    """
    return load_models(path, read_archive(path))


def load_models(path: Path, found: Archive | EnsembleArchive) -> list[tuple[keras.Model, Project]]:
    """Load the networks of a file that was checked.

    Args:
        path: the file of a model or an ensemble.
        found: what it holds.

    Returns:
        The networks, one or those of the ensemble, each with the meaning of its inputs and outputs. The decisions of an
        ensemble take the place of its members' own.

    Raises:
        UserError: the weights are not those of the network.
    """
    if isinstance(found, Archive):
        return [(_load(found, path, str(path)), found.project)]
    models = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.keras"  # Keras loads weights from files only
        for number, (archive, content) in enumerate(zip(found.archives, found.contents, strict=True)):
            file.write_bytes(content)
            model = _load(archive, file, f"{path}: {model_member(number)}")
            project = archive.project.model_copy(update={"decisions": found.ensemble.decisions})
            models.append((model, project))
    return models


def _load(archive: Archive, path: Path, place: str) -> keras.Model:
    """Build the network of a file that was checked, and load its weights; the message of an error names `place`."""
    network = archive.network
    with global_precision(network.precision):
        size = PlannedModel(encoder=network.encoder, filters=network.filters, depth=network.depth)
        model = build_unet(size, network.channels, network.outputs)
    if sorted(tuple(weight.shape) for weight in model.weights) != list(archive.stored):
        raise UserError(f"{place}: {NOT_OURS}: model.weights.h5 holds other arrays than {network.encoder} has")
    try:
        model.load_weights(path)
    except (OSError, LookupError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{place}: {NOT_OURS}: {error}") from None
    if not all(np.isfinite(weight).all() for weight in model.get_weights()):
        raise UserError(f"{place}: {NOT_OURS}: model.weights.h5 holds NaN or infinite values")
    return model


def _renumber_shared_objects(config: bytes) -> bytes:
    """Number shared objects by their first appearance; Keras numbers them by their addresses in memory."""
    numbers: dict[bytes, int] = {}

    def number(match: re.Match[bytes]) -> bytes:
        return b'"shared_object_id": %d' % numbers.setdefault(match[1], len(numbers) + 1)

    return re.sub(rb'"shared_object_id": (\d+)', number, config)
