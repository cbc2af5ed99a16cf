"""All that the report is made of, read once."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from src.archive.members import METADATA, read_members
from src.archive.project import Project
from src.archive.validate_archive import checked
from src.data.splits.split_warnings import split_warning
from src.data.store.store import Store
from src.files import read_csv, read_json
from src.reproduction.history.provenance import hash_of, versions

Rows = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Sources:
    """The files of one run, below `root`, by the names that its stages give them.

    store, project: the prepared data and what the model says of itself; keras: the version that saved it; train, test:
    the metrics; beside: see src/evaluation/scoring/baseline_gain.py; settings: all of
    params.yaml, section by section. The rest are the rows of tables: scores, worst, classes, confusion, reliability of
    the evaluation, history of the training, findings, splits and shares of the data. augmentation: a folder of
    pictures; predictions: of the test images. warning: what limits the intervals, "" if nothing does.
    """

    store: Store
    project: Project
    train: Mapping[str, Any]
    test: Mapping[str, Any]
    beside: Mapping[str, Any]
    settings: Mapping[str, Any]
    scores: Rows
    worst: Rows
    classes: Rows
    confusion: Rows
    reliability: Rows
    history: Rows
    findings: Rows
    splits: Rows
    shares: Rows
    augmentation: Path
    predictions: Path
    hashes: Mapping[str, tuple[str, str]]
    versions: Mapping[str, str]
    warning: str = ""

    @classmethod
    def read(cls, root: Path, store: Store, beside: Mapping[str, Any], settings: Mapping[str, Any]) -> "Sources":
        evaluation, plots, model = root / "data/evaluation", root / "plots", root / "models/unet.keras"
        tables = {name: f"data/evaluation/{name}.csv" for name in ("scores", "worst", "classes", "confusion")}
        tables |= {"findings": "data/checks.csv", "history": "plots/history.csv"}
        reliability = evaluation / "reliability.csv"
        splits = read_csv(root / "data/splits.csv")
        keras = str(json.loads(read_members(model)[METADATA]).get("keras_version", "–"))
        return cls(
            store=store,
            project=checked(model),
            train=read_json(root / "metrics/train.json"),
            test=read_json(root / "metrics/test.json"),
            beside=beside,
            settings=settings,
            **{name: read_csv(root / path) for name, path in tables.items()},
            splits=splits,
            warning=split_warning(store.records, splits),
            reliability=read_csv(reliability) if reliability.exists() else [],
            shares=read_csv(plots / "splits.csv"),
            augmentation=plots / "augmentation",
            predictions=evaluation / "predictions.npz",
            hashes={path: (what, hash_of(root / path)) for path, what in HASHED.items()},
            versions=versions() | {"Keras that saved the model": keras},
        )

    @property
    def unit(self) -> str:
        return self.store.dataset.length_unit

    @cached_property
    def network(self) -> Rows:
        """The network's rows of the scores."""
        return [row for row in self.scores if row["method"] == "unet"]


HASHED = {
    "data/prepared": "the images and masks, read and checked",
    "data/splits.csv": "which of them were trained on, validated on and tested",
    "models/unet.keras": "the model",
    "data/evaluation": "its scores and predictions",
}
