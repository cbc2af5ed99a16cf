"""models/unet.keras: all that a prediction needs in one file, written so that equal models are equal bytes."""

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import keras

from src.archive.members import PROJECT
from src.archive.project import Project
from src.archive.validate_archive import NOT_OURS, checked
from src.errors import UserError
from src.files import atomic
from src.model.network.unet import FusedBatchNormalization

CUSTOM = {FusedBatchNormalization.__name__: FusedBatchNormalization}
DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can hold


def save(path: Path, model: keras.Model, project: Project) -> None:
    """Write the model and its project.json; an equal model gives an equal file, whenever it is written."""
    with atomic(path) as temporary:
        model.save(temporary)
        with zipfile.ZipFile(temporary) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        metadata = json.loads(members["metadata.json"])
        metadata.pop("date_saved", None)
        members["metadata.json"] = _json(metadata)
        members["config.json"] = _renumbered(members["config.json"])
        members[PROJECT] = _json(project.model_dump())
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for name in sorted(members):
                archive.writestr(zipfile.ZipInfo(name, DATE), members[name])


def load(path: Path) -> tuple[keras.Model, Project]:
    """The model, without running code from the file, and its project; `UserError` if the file is not one of ours.

    The file may come from anywhere: src/archive/validate_archive.py looks through all of it before Keras opens it.
    """
    if not path.exists():
        raise UserError(f"{path}: {NOT_OURS}: no such file; dvc repro makes it")
    project = checked(path)
    try:
        return keras.saving.load_model(path, custom_objects=CUSTOM, compile=False, safe_mode=True), project
    except (OSError, LookupError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: {NOT_OURS}: {error}") from None


def _renumbered(config: bytes) -> bytes:
    """Keras tells shared objects apart by their addresses in memory; number them by their first appearance instead."""
    numbers: dict[bytes, int] = {}

    def number(match: re.Match[bytes]) -> bytes:
        return b'"shared_object_id": %d' % numbers.setdefault(match[1], len(numbers) + 1)

    return re.sub(rb'"shared_object_id": (\d+)', number, config)


def _json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
