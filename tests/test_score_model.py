"""tools.score with a model on other folders: classes match by name or by order; other images are refused."""

import cv2
import numpy as np
import pytest

from src.errors import UserError
from src.files import read_csv, read_json, read_yaml, write_yaml
from tests.conftest import ROOT, write_data_set, write_pair
from tools.score import arguments, main


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A saved, untrained network of three classes. It predicts each class somewhere."""
    import keras

    from src.archive.project import Project
    from src.model.network.model_file import write_model
    from src.model.network.unet import build_unet
    from src.params import PlannedModel

    keras.utils.set_random_seed(0)
    network = build_unet(PlannedModel(filters=4, depth=1), 1, 3)
    path = tmp_path_factory.mktemp("model") / "unet.keras"
    names = ["background", "cell", "debris"]
    project = Project(
        classes=names,
        background=0,
        colors={name: colour for name, colour in zip(names, ("#000000", "#00FF00", "#0000FF"), strict=True)},
        mean=[10.0],
        std=[4.0],
        normalise="dataset",
        dtype="uint8",
        shorter_side=0,
        depth=1,
    )
    write_model(path, network, project)
    return path


def write_predictable(folder, model, values):
    """Images, and as masks what the model says of them but for the first column, which is all of its first class.

    values: of the stored masks, for each of the model's classes. Returns how many pixels the model then gets wrong.
    """
    from src.model.inference.predictor import load_predictor

    predictor, rng, wrong = load_predictor(model), np.random.default_rng(3), []
    for number in range(6):
        image = cv2.GaussianBlur(rng.integers(0, 255, (16, 16), np.uint8), (5, 5), 2)
        mask = predictor(image[..., None])
        wrong.append((mask[:, 0] != 0).sum())
        mask[:, 0] = 0
        assert set(np.unique(mask)) == {0, 1, 2}
        write_pair(folder, f"case{number}", image, np.array(values, np.uint8)[mask])
    return sum(wrong)


def score(folder, out, *more):
    """Run the tool in this process with the params.yaml of the project."""
    return main(arguments().parse_args(["--data", str(folder), "--out", str(out), *map(str, more)]))


@pytest.mark.parametrize(
    ("described", "values"),
    [
        ({"classes": {7: "debris", 5: "background", 6: "cell"}}, (5, 6, 7)),
        ({"classes": {0: "background", 100: "cell", 200: "debris", 250: "cell wall"}}, None),
        ({}, (0, 128, 200)),
    ],
)
def test_a_model_is_scored_on_another_folder(tmp_path, monkeypatch, capsys, model, described, values):
    monkeypatch.chdir(ROOT)
    wrong = write_predictable(tmp_path / "set", model, values or (0, 100, 200))
    write_yaml(tmp_path / "set/dataset.yaml", described | {"spacing": 0.5, "unit": "mm", "group": "^(case.)"})
    if values is None:
        with pytest.raises(UserError, match="the model does not know cell wall; its classes are background, cell"):
            score(tmp_path / "set", tmp_path / "out", "--model", model)
        assert {path.name for path in tmp_path.iterdir()} == {"set"}
        return
    score(tmp_path / "set", tmp_path / "out", "--model", model)
    scores, text = read_json(tmp_path / "out/scores.json"), capsys.readouterr().out
    assert list(scores["classes"]) == ["background", "cell", "debris"]
    confusion = {(r["actual"], r["predicted"]): int(r["pixels"]) for r in read_csv(tmp_path / "out/confusion.csv")}
    off = {pair: pixels for pair, pixels in confusion.items() if pair[0] != pair[1] and pixels}
    assert {actual for actual, _ in off} <= {"background"} and sum(off.values()) == wrong > 0
    assert scores["accuracy"] == pytest.approx(1 - wrong / (6 * 256), abs=1e-6)
    assert {"ece", "brier"} <= scores["calibration"].keys() and "baseline" not in scores
    assert scores["images"] == scores["groups"] == 6
    assert {row["method"] for row in read_csv(tmp_path / "out/scores.csv")} == {"unet"}
    written = read_yaml(tmp_path / "out/dataset.yaml")
    assert written["classes"] == {0: "background", 1: "cell", 2: "debris"} and written["background"] == "background"
    assert {"reliability.csv", "precision_recall.csv", "classes.csv"} < {p.name for p in (tmp_path / "out").iterdir()}
    assert ("matched by order" in text) == (not described) and "unit" in written and "mm." in text


def test_a_model_for_other_images_is_refused(tmp_path, monkeypatch, model):
    monkeypatch.chdir(ROOT)
    write_data_set(tmp_path / "set", classes=3)
    with pytest.raises(UserError, match=r"the image has 3 channel\(s\) of type uint8, the model was trained on 1"):
        score(tmp_path / "set", tmp_path / "out", "--model", model)
    with pytest.raises(UserError, match=r"nothing.keras: no such file"):
        score(tmp_path / "set", tmp_path / "out", "--model", tmp_path / "nothing.keras")


@pytest.mark.parametrize(
    ("values", "stored", "how"),
    [
        (
            [255, 0],
            (255, 0),
            "matched by stored value, because no dataset.yaml names them: 0 as background, 255 as cell",
        ),
        (
            [0, 255],
            (0, 255),
            "matched by stored value, because no dataset.yaml names them: 0 as cell, 255 as background",
        ),
        ([1, 0], (255, 0), "matched by order, because no dataset.yaml names them: 0 as background, 255 as cell"),
        ([0, 255], (0, 1), None),
    ],
)
def test_a_model_with_background_as_second_class_is_scored(tmp_path, monkeypatch, capsys, model, values, stored, how):
    """The model has the classes cell and background with these values. The folder has no dataset.yaml."""
    import keras

    from src.archive.project import Project
    from src.model.inference.predictor import load_predictor
    from src.model.network.model_file import write_model
    from src.model.network.unet import build_unet
    from src.params import PlannedModel

    monkeypatch.chdir(ROOT)
    keras.utils.set_random_seed(0)
    content = load_predictor(model).project.model_dump()
    content |= {"classes": ["cell", "background"], "background": 1, "values": values, "colors": {}}
    path = tmp_path / "unet.keras"
    write_model(path, build_unet(PlannedModel(filters=4, depth=1), 1, 1), Project.model_validate(content))
    predictor, rng = load_predictor(path), np.random.default_rng(3)
    for number in range(5):
        image = cv2.GaussianBlur(rng.integers(0, 255, (16, 16), np.uint8), (5, 5), 2)
        mask = predictor(image[..., None])
        assert len(np.unique(mask)) == 2
        write_pair(tmp_path / "set", f"case{number}", image, np.array(stored, np.uint8)[mask])
    if how is None:
        with pytest.raises(UserError, match=r"say which is which under classes in .*set/dataset\.yaml"):
            score(tmp_path / "set", tmp_path / "out", "--model", path)
        return
    score(tmp_path / "set", tmp_path / "out", "--model", path)
    scores = read_json(tmp_path / "out/scores.json")
    assert scores["classes"]["cell"]["dice"] == scores["dice"]["mean"] == scores["accuracy"] == 1
    assert how in capsys.readouterr().out
