"""A whole run in a folder, with predictions that a test chooses, made without training."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np

from src.archive.project import Project
from src.data.classes.label_format import LabelFormat
from src.data.store.subsets import write_splits
from src.evaluation.metrics.outputs import Outputs
from src.files import write_csv, write_json
from src.model.network.model_file import write_model
from src.model.network.unet import build_unet
from src.model.training.state import HISTORY
from src.params import PlannedModel
from tests.conftest import changed_params, prepared, write_pair
from tests.test_card import lock

TRAIN = {
    "parameters": 1234,
    "images": {"train": 8, "validation": 2},
    "best_epoch": 1,
    "epochs": 2,
    "precision": "float32",
    "replicas": 1,
    "decisions": {},
    "train": {"dice": 0.5},
    "validation": {"dice": 0.5},
}


def make_run(folder: Path, test: Mapping[str, Any], monkeypatch: Any, **changes: Any) -> Any:
    """Run evaluate and visualize in this process. There are eight training and two validation images besides.

    Args:
        folder: Where the run is written; it becomes the current directory.
        test: Id of a test image → its true class indices, and the prediction.
        monkeypatch: Pytest's fixture.
        changes: Changes of dataset.yaml.

    Returns:
        The parameters.
    """
    from src.files import write_yaml
    from stages import evaluate, visualize

    rng, source = np.random.default_rng(0), folder / "data/set"
    content = {"classes": {0: "background", 1: "cell"}, "ignore": 255} | changes
    names, side = list(content["classes"].values()), next(iter(test.values()))[0].shape[0]
    trained = {f"train{number}": rng.integers(0, len(names), (side, side)) for number in range(10)}
    for name, mask in (trained | {name: true for name, (true, _) in test.items()}).items():
        write_pair(source, name, rng.integers(0, 255, (*mask.shape, 3), np.uint8), np.asarray(mask, np.uint8))
    write_yaml(source / "dataset.yaml", content)
    monkeypatch.chdir(folder)
    store = prepared(source, folder / "data")
    subsets = {name: "test" if name in test else "train" for name in store.position}
    subsets |= {f"train{number}": "validation" for number in (8, 9)}
    write_splits(Path("data/splits.csv"), [{"id": i, "group": i, "subset": s, "fold": ""} for i, s in subsets.items()])
    write_rest(store, names)
    answers = {store.position[name]: np.asarray(answer, np.uint8) for name, (_, answer) in test.items()}
    monkeypatch.setattr(
        "src.model.inference.predictor.load_predictor", lambda path: network(store, answers, len(names))
    )
    params = changed_params(**{"evaluate.resamples": 200, "report.panels": 2})
    evaluate.main(params)
    visualize.main(params)
    lock(folder)
    return params


def network(store: Any, answers: Mapping[int, Any], classes: int) -> Any:
    """A stand-in for the predictor: it knows the prediction of an image by the image's pixels."""
    known = {store.image(place).tobytes(): answer for place, answer in answers.items()}

    def predict(image: Any, on_window: Any = None) -> Any:
        answer = known[np.ascontiguousarray(image).tobytes()]
        if on_window:
            logits = 8 * (answer[..., None] == range(classes)).astype(np.float32) - 4
            on_window((slice(None), slice(None)), logits[..., 1:] if classes == 2 else logits)
        return answer

    class Network:
        outputs = Outputs(LabelFormat(classes))
        project = SimpleNamespace(decisions=SimpleNamespace(temperature=1.0))
        changed_decisions = {"threshold": 0.4}  # noqa: RUF012
        __call__ = staticmethod(predict)

        def with_default_decisions(self) -> Any:
            return self

    return Network()


def write_rest(store: Any, names: list[str]) -> None:
    """Write the other files of prepare, split and train."""
    from src.data.splits.divide import subset_table
    from src.files import read_csv

    dataset = store.dataset
    for name in ("metrics", "plots/augmentation", "models"):
        Path(name).mkdir(parents=True)
    rows = subset_table(store, read_csv(Path("data/splits.csv")))
    write_csv(Path("plots/splits.csv"), rows, list(rows[0]))
    epochs = [dict.fromkeys(HISTORY, 0.5) | {"epoch": epoch, "lr": 0.001} for epoch in (1, 2)]
    write_csv(Path("plots/history.csv"), epochs, HISTORY)
    write_json(Path("metrics/train.json"), TRAIN)
    project = Project(
        classes=names,
        background=dataset.background_index,
        colors=dataset.class_colours,
        mean=[10.0] * 3,
        std=[4.0] * 3,
        normalise="dataset",
        dtype="uint8",
        shorter_side=0,
        depth=1,
    )
    keras.utils.set_random_seed(0)
    write_model(
        Path("models/unet.keras"),
        build_unet(PlannedModel(filters=2, depth=1), 3, LabelFormat(len(names)).outputs),
        project,
    )
