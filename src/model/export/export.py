"""Exports of a model file, one format after the other: each is written whole and agrees, or is not written at all."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from src.data.store.subsets import Subset
from src.errors import UserError
from src.files import atomic
from src.model.export.agreement import SIDE, Agreement, Check
from src.model.export.exported_model import Export
from src.model.export.formats import FORMATS, Format
from src.model.inference.predictor import Predictor
from src.model.network.device import set_arithmetic
from src.model.network.layer_folding import folded, precision_of
from src.model.network.model_file import load


def write_exports(
    path: Path, formats: Sequence[str], out: Path, images: Subset
) -> tuple[list[Agreement], list[str], list[str]]:
    """Exports of the model at `path` into the folder `out`, checked on `images`.

    Returns how the Keras model and each export agree with the Keras model in float32, which comes first, notes on how
    that was found, and a line for each format that failed. `UserError` if there is nothing to export or to check on.
    """
    set_arithmetic("float32")
    model, project = load(path)
    plain = folded(model, "float32")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".tmp-export-", dir=out) as work:
        check = Check(Predictor(plain, project), images, Path(work))
        export = Export.of(plain, project)
        _say(f"{path}: what it says in float32 of {len(images)} test images")
        rows, problems = [check.of_keras(path)], []
        if (precision := precision_of(model)) != "float32":
            rows.append(check.of_saved(Predictor(model, project), precision, path))
        for kind in (FORMATS[name] for name in dict.fromkeys(formats)):
            place = out / kind.place.format(name=path.stem)
            _say(f"{kind.title}: writes {place} and compares it")
            try:
                rows.append(write_checked(kind, export, place, check))
            except Exception as error:  # each converter has its own kinds; the other formats are still wanted
                problems.append(_problem(kind, place, error))
    return rows, _notes(check), problems


def write_checked(kind: Format, export: Export, place: Path, check: Check) -> Agreement:
    """Write an export and see that it agrees, else it does not take its name; `UserError` if it does not."""
    with atomic(place) as temporary:
        kind.write(export, temporary)
        return check.of_export(kind.title, kind.run(temporary), temporary)


def _problem(kind: Format, place: Path, error: Exception) -> str:
    reason = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
    earlier = f"; {place} is an earlier one" if place.exists() else ""
    return f"{kind.title} is not written: {reason}{earlier}"


def _notes(check: Check) -> list[str]:
    """What the numbers are of."""
    part = "" if check.predictor.project.resize else f", at most {SIDE} × {SIDE} pixels from the middle of each"
    left_out = "without what is done to small objects and holes afterwards"
    return [
        f"On {len(check.images)} test images{part}; all in float32 unless said.",
        f"Dice is the mean over the foreground classes of the means over images, {left_out}.",
    ]


def _say(line: str) -> None:
    print(line, flush=True)
