"""Small made data sets and parameters that the tests share."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from src.data.checks.dataset_checks import CheckResult
from src.data.checks.findings import stop_on_errors, write_findings
from src.data.store.prepare import prepare
from src.data.store.store import Store
from src.data.store.subsets import Subset
from src.files import read_yaml
from src.params import Data, Params
from src.plan.facts import Facts
from src.plan.plan import Plan, plan_training

ROOT = Path(__file__).parent.parent


def make_pair(rng: np.random.Generator, height: int, width: int, classes: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """A noisy RGB image and its mask of class indices: a disc of every class but the first, in a grey of its own."""
    rows, columns = np.mgrid[:height, :width]
    mask = np.zeros((height, width), np.uint8)
    for label in range(1, classes):
        centre = rng.uniform(0.25, 0.75, 2) * [height, width]
        mask[np.hypot(rows - centre[0], columns - centre[1]) < min(height, width) / 5] = label
    image = 40 + 80 * mask[..., None] + rng.normal(0, 12, (height, width, 3))
    return image.clip(0, 255).astype(np.uint8), mask


def write_pair(folder: Path, stem: str, image: NDArray[Any], mask: NDArray[Any]) -> None:
    """The image as images/STEM.png, the mask as masks/STEM.png."""
    for name, pixels in (("images", image[..., ::-1] if image.ndim == 3 else image), ("masks", mask)):
        path = folder / name / f"{stem}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


def write_data_set(folder: Path, count: int = 12, classes: int = 2, values: Any = None) -> Path:
    """`count` pairs of mixed sizes; `values` translates class indices to stored mask values."""
    rng = np.random.default_rng(classes)
    lookup = np.arange(classes, dtype=np.uint8) if values is None else np.array(values, np.uint8)
    for number in range(count):
        image, mask = make_pair(rng, *([48, 64], [70, 50], [64, 64])[number % 3], classes)
        write_pair(folder, f"case {number // 2}-{number}", image, lookup[mask])
    return folder


def data_section(source: Path, **changes: Any) -> Data:
    """The section data of the project's own params.yaml, for the data set at `source`."""
    content = read_yaml(ROOT / "params.yaml")["data"] | {"source": str(source)} | changes
    return Data.model_validate(content)


def prepared(source: Path, folder: Path, **changes: Any) -> Store:
    """The data set prepared into `folder`/prepared, findings in `folder`/checks.csv; `changes`: to section data."""

    def report(result: CheckResult) -> None:
        write_findings(folder / "checks.csv", result)
        stop_on_errors(result, folder / "checks.csv")

    return prepare(data_section(source, **changes), folder / "prepared", report)


NUMBERS = {
    "data.normalise": "dataset",
    "data.resize": 0,
    "data.crop": 128,
    "data.oversample_rare": 0.5,
    "augment.flip": "both",
}
NUMBERS |= {
    "model.filters": 16,
    "model.depth": 4,
    "train.steps": 1600,
    "train.validation_images": 1000,
    "train.epochs": 20,
}
NUMBERS |= {"train.batch": 8, "train.lr": 2e-3, "train.warmup": 0.05, "train.loss.class_weights": "none"}


def changed_params(**changes: Any) -> Params:
    """The project's own params.yaml with some keys changed, and nothing auto: changed_params(**{"train.lr": 1e-4})."""
    content = read_yaml(ROOT / "params.yaml")
    for key, value in (NUMBERS | changes).items():
        *sections, name = key.split(".")
        place = content
        for section in sections:
            place = place[section]
        place[name] = value
    return Params.model_validate(content)


def planned(params: Params, trained: Subset, validated: Subset) -> Plan:
    """The plan of a training on these images."""
    facts = Facts.of(trained, validated, params.train.initial)
    return plan_training(facts, params.data, params.augment, params.model, params.train)


@pytest.fixture
def params() -> Callable[..., Params]:
    return changed_params


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A prepared three-class data set of 12 images."""
    source = write_data_set(tmp_path / "three classes", classes=3)
    return prepared(source, tmp_path)


@pytest.fixture(scope="session")
def members(tmp_path_factory):
    """Name → content, of an honest model file: 3 channels, 3 classes, 4 filters, depth 2."""
    from src.model.network.model_file import write_model
    from src.model.network.unet import build_unet
    from src.params import PlannedModel
    from tests.test_predictor import project

    path = tmp_path_factory.mktemp("honest") / "unet.keras"
    kind = {"classes": ["a", "b", "c"], "background": None, "values": [0, 7, 255], "mean": [1.0] * 3, "std": [1.0] * 3}
    write_model(path, build_unet(PlannedModel(filters=4, depth=2), 3, 3), project(**kind, colors={"a": "#FF0000"}))
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def hostile(tmp_path, members):
    """Write a model file with some members changed (None: left out) and others added."""

    def write(changes=None, compression=zipfile.ZIP_STORED):
        path = tmp_path / "hostile.keras"
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, content in (members | (changes or {})).items():
                if content is not None:
                    archive.writestr(name, content)
        return path

    return write
