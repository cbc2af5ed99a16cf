"""What did a run produce? The files that the report page and the model card both read."""

import json
from dataclasses import dataclass
from pathlib import Path

from src.archive.members import METADATA, read_members
from src.archive.project import Project
from src.archive.validate_archive import validate_archive
from src.data.splits.split_warnings import split_warning
from src.data.store.store import Store
from src.files import read_csv, read_json
from src.report.run.run_files import RunFiles
from src.report.text.format import Rows, Scores


@dataclass(frozen=True, kw_only=True)
class RunResults:
    """The content of a run's files.

    Attributes:
        files: Where the files are, relative to the root of the project.
        store: The prepared data set.
        project: The metadata in the model file.
        keras: Version of Keras that saved the model.
        train: Content of metrics/train.json.
        test: Content of metrics/test.json.
        classes: Rows of classes.csv: the scores of each class with their intervals.
        worst: Rows of worst.csv: the test images, lowest mean Dice first.
        findings: Rows of the table of the data set checks.
        splits: Rows of the table of subsets.
        warning: Warning that images of different groups depend on each other; "" if there is none.
    """

    files: RunFiles
    store: Store
    project: Project
    keras: str
    train: Scores
    test: Scores
    classes: Rows
    worst: Rows
    findings: Rows
    splits: Rows
    warning: str = ""


def read_results(files: RunFiles, root: Path = Path()) -> RunResults:
    """Read the files of a run.

    Args:
        files: Where the files are, relative to `root`.
        root: Root of the project.

    Raises:
        UserError: A file cannot be read, or the model file is not valid.
    """
    store, splits, model = Store(root / files.prepared), read_csv(root / files.splits), root / files.model
    return RunResults(
        files=files,
        store=store,
        project=validate_archive(model).project,
        keras=str(json.loads(read_members(model)[METADATA]).get("keras_version", "–")),
        train=read_json(root / files.train),
        test=read_json(root / files.test),
        classes=read_csv(root / files.classes),
        worst=read_csv(root / files.worst),
        findings=read_csv(root / files.checks),
        splits=splits,
        warning=split_warning(store.records, splits),
    )
