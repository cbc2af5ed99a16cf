"""Export a model file to several formats. An export that does not agree with the model is not written."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras

from src.archive.ensemble import Ensemble, EnsembleArchive, read_archive
from src.archive.project import Project
from src.data.store.subsets import Subset
from src.errors import UserError
from src.files import atomic
from src.model.export.agreement import SIDE, Agreement, AgreementCheck
from src.model.export.exported_model import Export
from src.model.export.formats import FORMATS, Format
from src.model.inference.member import Member
from src.model.inference.predictor import Predictor
from src.model.network.device import set_arithmetic
from src.model.network.layer_folding import compute_precision, fold_normalisation
from src.model.network.model_file import load_models
from src.plan.tiles import TILE


@dataclass(frozen=True)
class ExportReport:
    """What came of an export.

    Attributes:
        agreements: of the Keras model, which comes first, and of each export that was written.
        notes: how the agreements were measured.
        problems: a line for each format that failed.
        ensemble: the content of the file's ensemble.json; None if the file is that of a single model.
    """

    agreements: list[Agreement]
    notes: list[str]
    problems: list[str]
    ensemble: Ensemble | None


def write_exports(path: Path, formats: Sequence[str], out: Path, images: Subset) -> ExportReport:
    """Export a model and check each export. A format that fails does not stop the others.

    Args:
        path: the file of a model or an ensemble.
        formats: names from `FORMATS`.
        out: folder of the exports.
        images: test images to compare on.

    Raises:
        UserError: the model cannot be exported, or the images have other classes.
    """
    set_arithmetic("float32")
    models, ensemble = _read(path)
    project = models[0][1]
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".tmp-export-", dir=out) as work:
        # An export sees images as a whole, and so must the Keras model: blended tiles of an encoder differ a little.
        tile = max(TILE, project.shorter_side)
        folded = [Member(fold_normalisation(model, "float32", own.encoder), own) for model, own in models]
        predictor = Predictor.of_members(folded, tile)
        check = AgreementCheck(predictor, images, Path(work))
        export = Export.of(predictor)
        print(f"{path}: predicts {len(images)} test images in float32", flush=True)
        agreements, problems = [check.check_reference(path)], []
        precisions = list(dict.fromkeys(compute_precision(model) for model, _ in models))
        if precisions != ["float32"]:
            saved = Predictor.of_members([Member(model, own) for model, own in models], tile)
            agreements.append(check.check_saved(saved, " and ".join(precisions), path))
        for kind in (FORMATS[name] for name in dict.fromkeys(formats)):
            target = out / kind.place.format(name=path.stem)
            print(f"{kind.title}: writes {target} and compares it", flush=True)
            try:
                agreements.append(_write_checked(kind, export, target, check))
            except Exception as error:  # each converter has its own errors; the other formats are still wanted
                problems.append(_problem(kind, target, error))
    return ExportReport(agreements, _notes(check), problems, ensemble)


def _read(path: Path) -> tuple[list[tuple[keras.Model, Project]], Ensemble | None]:
    """Read a file once: its networks, and its ensemble.json if it has one. The bytes of the file are then freed."""
    found = read_archive(path)
    return load_models(path, found), found.ensemble if isinstance(found, EnsembleArchive) else None


def _write_checked(kind: Format, export: Export, target: Path, check: AgreementCheck) -> Agreement:
    """Write an export under a temporary name; it gets its own name if it agrees with the model."""
    with atomic(target) as temporary:
        kind.write(export, temporary)
        return check.check_export(kind.title, kind.run(temporary), temporary)


def _problem(kind: Format, target: Path, error: Exception) -> str:
    reason = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
    earlier = f"; {target} is an earlier one" if target.exists() else ""
    return f"{kind.title} is not written: {reason}{earlier}"


def _notes(check: AgreementCheck) -> list[str]:
    side = check.predictor.project.shorter_side
    scaled = f", scaled to a shorter side of {side}" if side else ""
    part = f", at most {max(SIDE, side)} × {max(SIDE, side)} pixels from the centre of each{scaled}"
    return [
        f"On {len(check.images)} test images{part}; all in float32 unless stated.",
        "Dice is the mean over the foreground classes of the means over images, before small objects are removed and "
        "holes are filled.",
    ]
