"""Overlapping classes through all stages and tools, with a short training."""

import json

import cv2
import numpy as np
import pytest
import tifffile
from sklearn.metrics import f1_score, jaccard_score

from src.data.classes.label_format import LabelFormat
from src.data.store.store import Store
from src.data.store.subsets import read_subset
from src.files import read_csv, read_json
from tests.conftest import changed_params
from tests.overlapping import NAMES, write_overlapping
from tests.test_card import lock

SMALL = {
    "data.crop": 32,
    "split.validation": 0.35,  # more than five groups, so that decisions can be made
    "model.filters": 4,
    "model.depth": 2,
    "train.epochs": 1,
    "train.steps": 16,
    "train.batch": 8,
    "train.lr": 0.02,
    "train.precision": "float32",
    "train.supervision": 0,
    "train.decisions.mirror": False,
    "train.decisions.min_object": False,
    "train.decisions.fill_holes": False,
    "evaluate.resamples": 100,
    "report.panels": 1,
}
FORM = LabelFormat(2, overlap=True)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder in which all stages have run, with masks of all images in predicted/."""
    from stages import augment, evaluate, prepare, split, train, visualize
    from tools.predict import arguments, main

    folder = tmp_path_factory.mktemp("overlap")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        params = changed_params(**(SMALL | {"data.source": str(write_overlapping(folder / "data/set", 18))}))
        patch.setattr("src.evaluation.scoring.baseline.TREES", 5)
        for stage in (prepare, split, augment, train, evaluate, visualize):
            stage.main(params)
        lock(folder)
        main(arguments().parse_args(["data/set/images", "--out", "predicted", "--overlay", "--probabilities", "float"]))
    return folder


@pytest.fixture
def here(project, monkeypatch):
    monkeypatch.chdir(project)
    return project


@pytest.fixture(scope="module")
def predictor(project):
    from src.model.inference.predictor import load_predictor

    return load_predictor(project / "models/unet.keras")


def planes_in(folder, image):
    """The masks of an image in predicted/, bool [height, width, 2], which must hold 0 and 255 only."""
    read = [cv2.imread(str(folder / f"predicted/masks/{name}/{image}.png"), cv2.IMREAD_UNCHANGED) for name in NAMES]
    assert all(set(np.unique(mask)) <= {0, 255} and mask.ndim == 2 for mask in read)
    return np.stack(read, axis=-1) == 255


def test_scores_equal_those_of_the_written_masks_in_scikit_learn(project):
    store, test = Store(project / "data/prepared"), read_json(project / "metrics/test.json")
    subset = read_subset(project / "data/splits.csv", store, "test")
    true, found, dice = [], [], []
    for record, index in zip(subset.records, subset.indices, strict=True):
        counted = store.mask(index) < 4
        true.append(FORM.planes(store.mask(index))[counted])
        found.append(planes_in(project, record.id)[counted])
        pairs = zip(true[-1].T, found[-1].T, strict=True)
        dice.append([f1_score(*pair) if any(side.any() for side in pair) else np.nan for pair in pairs])
    for label, name in enumerate(NAMES):
        together = [np.concatenate(planes)[:, label] for planes in (true, found)]
        assert test["pooled"][name]["dice"] == pytest.approx(f1_score(*together), abs=1e-6)
        assert test["pooled"][name]["iou"] == pytest.approx(jaccard_score(*together), abs=1e-6)
        assert test["classes"][name]["dice"] == pytest.approx(np.nanmean(dice, axis=0)[label], abs=1e-6)
    assert test["dice"]["mean"] == pytest.approx(np.nanmean(dice, axis=0).mean(), abs=1e-6)
    assert test["dice"]["mean"] > 0.3
    assert test["accuracy"] == pytest.approx((np.concatenate(true) == np.concatenate(found)).mean(), abs=1e-6)


def test_probabilities_above_the_thresholds_are_the_masks(project, predictor):
    probabilities = tifffile.imread(project / "predicted/probabilities/case 0-0.tif")
    decided = probabilities > np.array(predictor.project.thresholds, np.float32)
    np.testing.assert_array_equal(decided, planes_in(project, "case 0-0"))
    assert (probabilities.sum(axis=-1) > 1.2).any()


def test_tables_pictures_and_page_show_each_class(project):
    confusion = read_csv(project / "data/evaluation/confusion.csv")
    assert [row["actual"] for row in confusion[:3]] == ["not disc", "not disc", "disc"]
    page = (project / "plots/report.html").read_text()
    assert "which may overlap" in page and "errors: stripe" in page and "threshold of disc" in page
    assert len(list((project / "plots/overlays").iterdir())) == 3
    assert len(list((project / "predicted/overlays").iterdir())) == 18


def test_the_card_says_that_classes_overlap(here):
    from tools.card import arguments, main

    main(arguments().parse_args([]))
    card = (here / "models/MODEL_CARD.md").read_text()
    assert "decides which of 2 classes every pixel of an image is of, which may be several or none" in card
    assert "expected calibration error, mean over the classes (15 bins)" in card and "threshold of stripe" in card
    (ignored,) = [line for line in card.splitlines() if line.startswith("| ignored |")]
    counted = sum(record.counted_pixels for record in Store(here / "data/prepared").records)
    pixels = sum(record.height * record.width for record in Store(here / "data/prepared").records)
    assert f" {1 - counted / pixels:.2%} " in ignored


def test_the_model_is_scored_on_a_folder_like_its_masks(here, monkeypatch):
    from tools.score import arguments, main

    monkeypatch.setattr("src.params.load", lambda: changed_params(**SMALL))
    for out, kind in (("masks", ["--prediction", "predicted/masks"]), ("model", ["--model", "models/unet.keras"])):
        main(arguments().parse_args(["--data", "data/set", "--out", f"logs/{out}", *kind]))
    masks, model = (read_json(here / f"logs/{out}/scores.json") for out in ("masks", "model"))
    assert masks == {key: value for key, value in model.items() if key != "calibration"}


def test_onnx_agrees_and_its_metadata_lead_to_the_masks(here, predictor):
    import onnxruntime

    from src.model.export.export import write_exports

    test = read_subset(here / "data/splits.csv", Store(here / "data/prepared"), "test")
    report = write_exports(here / "models/unet.keras", ["onnx"], here / "exports", test)
    assert not report.problems and report.agreements[-1].difference < 1e-5 and report.agreements[-1].changed == 0
    session = onnxruntime.InferenceSession(here / "exports/unet.onnx")
    about = json.loads(session.get_modelmeta().custom_metadata_map["project"])
    levels = ", ".join(f"{name}: {level}" for name, level in zip(NAMES, predictor.project.thresholds, strict=True))
    assert about["left_to_do"] == [f"take every class where its probability is above its threshold ({levels})"]
    assert about["overlap"] and "independent" in about["output"]["meaning"]
    image = cv2.imread("data/set/images/case 0-0.png")[..., ::-1]
    (found,) = session.run(None, {"image": image[None]})
    wanted = tifffile.imread("predicted/probabilities/case 0-0.tif")
    np.testing.assert_allclose(found[0], wanted, atol=1e-5)
