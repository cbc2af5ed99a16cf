"""Content of a run for tests of the report page, made without training."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from src.archive.project import Project
from src.data.source.dataset import Dataset
from src.data.store.store import Store
from src.evaluation.scoring.save_predictions import save_predictions
from src.report.page.sources import PageSources
from stages.visualize import run_files

HOSTILE = "</script><img src=x onerror=alert(1)>&amp;\u2028'\"{{ 7 * 7 }}"
CELL = "cell </script><img src=x onerror=alert(2)>"


def made_sources(
    folder: Path, images: int = 12, side: int = 32, classes: tuple[str, ...] = ("ground", CELL)
) -> PageSources:
    """Sources with `images` test images of noise. Later ones are predicted better; the first has a hostile name."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    ids = [HOSTILE, *(f"image {number:04d}" for number in range(1, images))]
    pixels = rng.integers(0, 255, (images, side, side, 1), np.uint8)
    truth = rng.integers(0, len(classes), (images, side, side)).astype(np.uint8)
    right = rng.random(truth.shape) < np.linspace(0.3, 0.9, images)[:, None, None]
    found = np.where(right, truth, 0).astype(np.uint8)
    store = SimpleNamespace(
        dataset=Dataset(classes=dict(enumerate(classes)), background=classes[0]),
        position={name: place for place, name in enumerate(ids)},
        image=lambda place: pixels[place],
        mask=lambda place: truth[place],
        release=lambda: None,
        records=[SimpleNamespace(id=name, thumbnail="") for name in ids],
    )
    for _ in save_predictions(folder / "predictions.npz", enumerate(found)):
        pass
    scores = [
        _score(image, name, truth[place] == label, found[place] == label)
        for place, image in enumerate(ids)
        for label, name in enumerate(classes)
    ]
    made = _tables(ids, classes, scores) | _rest(classes, images)
    paths = {"predictions": folder / "predictions.npz", "augmentation": folder / "none"}
    return PageSources(store=cast(Store, store), scores=scores, **paths, **made)


def _score(image: str, name: str, true: np.ndarray, found: np.ndarray) -> dict[str, str]:
    dice = 2 * int((true & found).sum()) / max(1, int(true.sum() + found.sum()))
    row = {"id": image, "group": image, "method": "unet", "class": name, "true": str(true.sum())}
    return row | {"dice": f"{dice:.6f}"}


def _tables(ids: Sequence[str], names: Sequence[str], scores: list[dict[str, str]]) -> dict[str, Any]:
    dice = {row["id"]: row["dice"] for row in scores if row["class"] == names[-1]}
    order = sorted(ids, key=lambda image: float(dice[image]))
    rates = ("loss", "dice", "iou", "accuracy")
    epochs = [
        {"epoch": str(epoch), "lr": "0.001"} | {f"{of}{rate}": "0.5" for of in ("", "val_") for rate in rates}
        for epoch in (1, 2, 3)
    ]
    return {
        "worst": [
            {"id": one, "group": one, "dice": dice[one], "worst_class": names[-1], "reasons": f"dark {HOSTILE}"}
            for one in order
        ],
        "classes": [{"class": name, "measure": "dice", "mean": "0.7", "low": "0.6", "high": "0.8"} for name in names],
        "confusion": [{"actual": a, "predicted": b, "pixels": "9"} for a in names for b in names],
        "reliability": [{"class": names[-1], "probability": "0.5", "frequency": "0.4", "pixels": "7"}],
        "history": epochs,
        "findings": [{"file": HOSTILE, "severity": "warning", "what": HOSTILE, "setting": ""}],
        "splits": [{"id": one, "group": one, "subset": "test"} for one in ids],
        "shares": [{"subset": "test", "class": name, "images": "9", "groups": "9", "share": "0.5"} for name in names],
    }


def _rest(names: Sequence[str], images: int) -> dict[str, Any]:
    dice = {"mean": 0.7, "low": 0.6, "high": 0.8}
    scored: Mapping[str, Any] = {name: {"dice": 0.7, "images": 9, "groups": 9} for name in names}
    test = {"dice": dice, "iou": {"mean": 0.6}, "classes": scored, "pooled": {}, "accuracy": 0.9}
    train = {"parameters": 1234, "images": {"train": 8, "validation": 2}, "best_epoch": 2, "epochs": 3}
    plan = {"train.lr": {"value": 0.001, "why": f"because {HOSTILE}"}}
    content = {"classes": list(names), "background": 0, "colors": {}, "mean": [0.5] * 3, "std": [0.1] * 3, "plan": plan}
    content |= {"normalise": "dataset", "dtype": "uint8", "shorter_side": 0, "depth": 2}
    return {
        "project": Project.model_validate(content),
        "train": train,
        "test": test | {"images": images, "groups": images, "baseline": {"dice": {"mean": 0.5}, "classes": {}}},
        "gain": {"difference": 0.2, "low": 0.1, "high": 0.3, "verdict": "better"},
        "settings": {"seed": 0, "train": {"initial": "none", "loss": {"dice": 1.0}}},
        "hashes": {"data/prepared": ("the images", "0" * 32)},
        "versions": {"python": "3.11"},
        "keras": "3",
        "files": run_files(),
    }
