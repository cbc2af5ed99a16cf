"""Read the model, the split and the prepared data set of a revision or an experiment of DVC without checking it out."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dvc.api import DVCFileSystem

from src.errors import UserError
from src.reproduction.history.experiments import UNREADABLE
from src.reproduction.history.provenance import hash_of


@dataclass(frozen=True)
class RunPaths:
    """Where a project keeps the files of a training, as paths relative to it.

    Attributes:
        model: The model file.
        splits: The table that assigns each image to a subset.
        prepared: The folder of the prepared data set.
    """

    model: PurePosixPath
    splits: PurePosixPath
    prepared: PurePosixPath


@dataclass(frozen=True)
class TrainedRun:
    """Files of a training that can be read here.

    Attributes:
        model: The model file.
        splits: The table that assigns each image to a subset.
        prepared: The folder of the prepared data set: the project's own one if that is equal.
    """

    model: Path
    splits: Path
    prepared: Path


def read_trained_run(name: str, paths: RunPaths, work: Path) -> TrainedRun:
    """Copy the files of a training out of the cache of DVC.

    Args:
        name: A Git revision or an experiment.
        paths: Where runs keep their files.
        work: A folder for the copies. Runs with equal prepared data sets share one copy.

    Raises:
        UserError: There is no such revision, its files are not in the cache, or DVC does not track its data set.
    """
    try:
        files = DVCFileSystem(rev=name)
        copy = work / f"run{len(list(work.glob('run*')))}"
        copy.mkdir(parents=True)
        for path in (paths.model, paths.splits):
            files.get(str(path), str(copy / path.name))
        return TrainedRun(copy / paths.model.name, copy / paths.splits.name, _prepared(files, paths.prepared, work))
    except (UserError, *UNREADABLE) as error:
        raise UserError(f"{name}: {error}") from None


def _prepared(files: DVCFileSystem, path: PurePosixPath, work: Path) -> Path:
    """The prepared data set of a revision, in the project itself or as a copy."""
    if not (digest := files.info(str(path)).get("md5")):
        raise UserError(f"{path}: DVC has no hash of it at this revision; run `dvc repro` and commit dvc.lock")
    copy = work / f"prepared-{digest}"
    if copy.exists():
        return copy
    if hash_of(Path(path)) == digest:
        return Path(path)
    files.get(str(path), str(copy), recursive=True)
    return copy
