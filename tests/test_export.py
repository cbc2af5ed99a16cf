"""Exports: every format says what the Keras model says, carries what is known of it, and needs no TensorFlow."""

import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from PIL import Image
from scipy.special import softmax
from sklearn.metrics import f1_score

from src.archive.project import Decisions, Project
from src.data.classes.label_format import LabelFormat
from src.data.store.subsets import Subset, write_splits
from src.encoders import ENCODERS
from src.errors import UserError
from src.files import read_json
from src.model.export import agreement
from src.model.export import export as exporting
from src.model.export.agreement import TOLERANCE, AgreementCheck, centre_window, megabytes, predict_with_export
from src.model.export.export import write_exports
from src.model.export.exported_model import Export
from src.model.export.formats import FORMATS, Format
from src.model.inference.predictor import Predictor
from src.model.network.model_file import write_model
from src.model.network.unet import build_unet
from src.params import PlannedModel
from tests.conftest import prepared, write_data_set
from tools.export import FORMATS as NAMED
from tools.export import ONNX_EXAMPLE, arguments, main

NAMES = ["class_0", "class_1", "class_2"]  # as the sets of conftest.py name them
WITHOUT = "import sys; sys.modules.update(dict.fromkeys(('tensorflow', 'keras', 'src')))\n"  # importing them fails
SIZES = ((37, 53), (1, 1), (3, 40), (64, 64))


def project(count, channels, **changes) -> Project:
    base = {
        "classes": NAMES[:count],
        "background": 0,
        "colors": {},
        "normalise": "dataset",
        "shorter_side": 0,
        "depth": 2,
    }
    moments = {"mean": [9.0, 10.0, 8.0][:channels], "std": [4.0, 3.0, 5.0][:channels], "dtype": "uint8"}
    return Project(**(base | moments | changes))


def network(classes, channels, policy="float32") -> keras.Model:
    """A small network whose statistics are not those of a fresh one, and whose logits are far apart."""
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_global_policy(policy)
    try:
        keras.utils.set_random_seed(classes)
        model = build_unet(PlannedModel(filters=4, depth=2), channels, LabelFormat(classes).outputs)
        model(np.random.default_rng(0).normal(size=(4, 32, 32, channels)), training=True)
        return model
    finally:
        keras.mixed_precision.set_global_policy(before)


@dataclass(frozen=True)
class Case:
    """A model, and its exports in a folder."""

    predictor: Predictor
    export: Export
    folder: Path

    def path(self, name) -> Path:
        return self.folder / FORMATS[name].place.format(name="unet")

    def images(self, count, *size):
        """Of the number type that the model was trained on, unlike each other."""
        told, rng = self.predictor.project, np.random.default_rng(1)
        pixels = (
            rng.uniform(0, 1, (count, *size, self.predictor.channels)) ** np.arange(1, count + 1)[:, None, None, None]
        )
        return (pixels * {"uint8": 255, "uint16": 40_000, "float32": 30}[told.dtype]).astype(told.dtype)

    def said(self, images):
        """By the project's own prediction."""
        return np.stack([self.predictor.probabilities(image) for image in images])


CASES = {  # classes, channels, project
    "two classes of RGB": (2, 3, {"decisions": Decisions(temperature=1.7, threshold=0.3, min_object=8)}),
    "16 bits, each image by itself, mirrored": (
        3,
        1,
        {"dtype": "uint16", "normalise": "image", "decisions": Decisions(mirror="both")},
    ),
    "mirrored horizontally": (2, 1, {"decisions": Decisions(mirror="horizontal")}),
    "mirrored vertically": (3, 1, {"decisions": Decisions(mirror="vertical")}),
    "floats, scaled": (3, 2, {"dtype": "float32", "shorter_side": 32, "decisions": Decisions(temperature=0.6)}),
    "two classes, scaled, mirrored": (
        2,
        3,
        {"shorter_side": 50, "decisions": Decisions(mirror="both", temperature=2.0)},
    ),
}


RGB = pytest.mark.parametrize("case", ["two classes of RGB"], indirect=True)


@pytest.fixture(scope="module", params=CASES)
def case(request, tmp_path_factory):
    classes, channels, changes = CASES[request.param]
    told, folder = project(classes, channels, **changes), tmp_path_factory.mktemp("exports")
    model = network(classes, channels)
    made = Case(Predictor(model, told), Export.of(Predictor(model, told)), folder)
    for name, kind in FORMATS.items():
        made.path(name).parent.mkdir(exist_ok=True)
        kind.write(made.export, made.path(name))
    return made


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """A prepared set of three classes, images of 48 × 64, 70 × 50 and 64 × 64 pixels."""
    folder = tmp_path_factory.mktemp("labelled")
    return prepared(write_data_set(folder / "set", count=6, classes=3), folder)


@pytest.mark.parametrize("name", FORMATS)
def test_exports_predict_what_the_project_predicts(case, name):
    run = FORMATS[name].run(case.path(name))
    told = case.predictor.project  # a scaled model has no temperature inside, and takes what is scaled already
    unscaled = Predictor(case.predictor.model, told.model_copy(update={"shorter_side": 0}))
    case = replace(case, predictor=unscaled.with_decisions(temperature=1.0) if told.shorter_side else case.predictor)
    for size in SIZES:
        images = case.images(2, *size)
        said, expected = run(images), case.said(images)
        assert said.dtype == np.float32
        np.testing.assert_allclose(said, expected, atol=2e-5)
        np.testing.assert_allclose(said.sum(axis=-1), 1, atol=1e-5)
        if size != (1, 1):
            assert np.ptp(expected[..., 0]) > 0.05 and np.abs(expected[0] - expected[1]).max() > 0.01  # it could fail


@pytest.fixture(scope="module", params=ENCODERS)
def encoder_case(request, tmp_path_factory):
    """A small network with a pretrained encoder, whose statistics are not those of a fresh one; no export yet."""
    keras.utils.set_random_seed(0)
    model = build_unet(PlannedModel(encoder=request.param, filters=4, depth=2), 3, 3)
    model(np.random.default_rng(0).normal(size=(4, 32, 32, 3)), training=True)
    told = project(3, 3, encoder=request.param, normalise="encoder")
    return Case(Predictor(model, told), Export.of(Predictor(model, told)), tmp_path_factory.mktemp("encoder"))


@pytest.mark.parametrize("name", FORMATS)
def test_exports_of_encoders_predict_what_the_project_predicts(encoder_case, name):
    path, images = encoder_case.path(name), encoder_case.images(2, 37, 53)
    path.parent.mkdir(exist_ok=True)
    FORMATS[name].write(encoder_case.export, path)
    expected = encoder_case.said(images)
    np.testing.assert_allclose(FORMATS[name].run(path)(images), expected, atol=2e-5)
    assert np.ptp(expected[..., 0]) > 0.05 and np.abs(expected[0] - expected[1]).max() > 0.01  # it could fail


@pytest.mark.parametrize("name", FORMATS)
def test_an_image_that_never_varies(case, name):
    image = np.full_like(case.images(1, 20, 20)[0], 7)
    said = predict_with_export(FORMATS[name].run(case.path(name)), case.predictor.project)(image)
    np.testing.assert_allclose(said, case.said([image])[0], atol=2e-5)


@pytest.mark.parametrize("name", FORMATS)
def test_images_are_scaled_around_an_export_as_in_prediction(case, name):
    """Down, up, not at all, and long ones."""
    predict = predict_with_export(FORMATS[name].run(case.path(name)), case.predictor.project)
    for size in ((61, 70), (21, 30), (32, 41), (20, 200)):
        image = case.images(1, *size)[0]
        np.testing.assert_allclose(predict(image), case.said([image])[0], atol=2e-5)


@pytest.mark.parametrize("case", [name for name in CASES if "scaled" in name], indirect=True)
@pytest.mark.parametrize("size", [(61, 70), (21, 30)])
def test_the_steps_that_the_metadata_describe_lead_to_the_prediction(case, size):
    """Followed with OpenCV, as a program without this project would."""
    image, about = case.images(1, *size)[0], FORMATS["onnx"].metadata(case.path("onnx"))
    before, after, warmed, *_ = about["left_to_do"]
    side, temperature = about["shorter_side"], about["temperature"]
    assert f"shorter side of {side} pixels" in before and f"by {temperature}" in warmed
    for step, words in ((before, ("INTER_AREA", "INTER_CUBIC")), (after, ("INTER_AREA", "INTER_LINEAR"))):
        assert all(word in step for word in words)
    height, width = (int(length * side / min(size) + 0.5) for length in size)
    smaller = height < size[0]
    scaled = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
    if image.dtype == np.float32:
        scaled = scaled.clip(image.min(axis=(0, 1)), image.max(axis=(0, 1)))
    predicted = FORMATS["onnx"].run(case.path("onnx"))(scaled[None])[0]
    resampled = cv2.resize(predicted, size[::-1], interpolation=cv2.INTER_LINEAR if smaller else cv2.INTER_AREA)
    np.testing.assert_allclose(softmax(np.log(resampled) / temperature, axis=2), case.said([image])[0], atol=1e-4)


@pytest.mark.parametrize("name", FORMATS)
def test_the_metadata_is_in_the_file(case, name):
    told, about = case.predictor.project, FORMATS[name].metadata(case.path(name))
    assert about == case.export.metadata
    assert about["input"]["shape"] == ["n", "height", "width", case.predictor.channels]
    assert about["output"]["shape"] == ["n", "height", "width", len(told.classes)]
    for key in ("classes", "background", "values", "channels", "dtype", "shorter_side", "mean", "normalise"):
        assert about[key] == getattr(told, key)
    for key, value in told.decisions.model_dump().items():
        assert about[key] == value
    assert any("0.3" in step for step in about["left_to_do"]) == (told.decisions.threshold == 0.3)
    assert any("resample" in step for step in about["left_to_do"]) == bool(told.shorter_side)
    assert any("logarithms" in step for step in about["left_to_do"]) == bool(told.shorter_side)
    assert ("temperature of 1" in about["output"]["meaning"]) == bool(told.shorter_side)


def test_names_and_free_sizes(case):
    import onnxruntime
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    inside, outside = case.export.metadata["input"], case.export.metadata["output"]
    session = onnxruntime.InferenceSession(case.path("onnx"))
    for value, told in ((session.get_inputs()[0], inside), (session.get_outputs()[0], outside)):
        assert (value.name, value.shape) == (told["name"], told["shape"])
    signature = tf.saved_model.load(case.path("savedmodel")).signatures["serving_default"]
    free = [None if isinstance(size, str) else size for size in inside["shape"]]
    assert signature.structured_input_signature[1] == {"image": tf.TensorSpec(free, inside["dtype"], "image")}
    assert list(signature.structured_outputs) == ["probabilities"]
    found = Interpreter(str(case.path("litert"))).get_signature_list()
    assert found == {"serving_default": {"inputs": ["image"], "outputs": ["probabilities"]}}


def run_without_tensorflow(code, folder):
    """What it prints, by an interpreter that finds neither TensorFlow nor this project."""
    found = subprocess.run([sys.executable, "-c", WITHOUT + code], cwd=folder, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    return found.stdout


def rgb_exports(case, folder):
    """The image and the exports of the case of RGB, in `folder` as the documented example expects them."""
    shutil.copytree(case.folder, folder / "exports")
    image = case.images(1, 37, 53)[0]
    Image.fromarray(image).save(folder / "image.png")
    return image


@RGB
def test_the_documented_example_needs_no_tensorflow(case, tmp_path):
    image = rgb_exports(case, tmp_path)
    code = ONNX_EXAMPLE.strip().removeprefix('python -c "').removesuffix('"')
    printed = run_without_tensorflow(f"{code}\nnp.save('said.npy', probabilities)", tmp_path)
    assert printed == f"{NAMES[:2]}\n"
    said = np.load(tmp_path / "said.npy")
    np.testing.assert_allclose(said, case.said([image])[0], atol=2e-5)
    classes = np.asarray(Image.open(tmp_path / "classes.png"))
    expected = case.predictor.outputs.decide(case.predictor.logits(image))
    assert (classes != expected).mean() < 1e-3 and set(np.unique(expected)) == {0, 1}


@RGB
def test_litert_needs_no_tensorflow(case, tmp_path):
    image = rgb_exports(case, tmp_path)
    code = """
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image
model = Interpreter("exports/unet.tflite").get_signature_runner()
np.save("said.npy", model(image=np.asarray(Image.open("image.png"))[None])["probabilities"][0])
"""
    run_without_tensorflow(code, tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / "said.npy"), case.said([image])[0], atol=2e-5)


def test_a_model_that_cannot_be_exported_is_refused():
    told = project(3, 3, shorter_side=32, normalise="image")
    with pytest.raises(UserError, match=r"cannot be exported: .* train with data.normalise: dataset"):
        Export.of(Predictor(network(3, 3), told))


def answers(store, index):
    """Probabilities that are right everywhere: 0.8 of the true class."""
    return np.where(np.eye(3, dtype=bool)[store.mask(index)], 0.8, 0.1).astype(np.float32)


def test_agreement_equals_a_hand_calculation(labelled, tmp_path, monkeypatch):
    """A format that is right everywhere, beside a network that is not."""
    predictor, indices = Predictor(network(3, 3), project(3, 3)), [0, 1, 4]
    check = AgreementCheck(predictor, Subset.ungrouped(labelled, indices), tmp_path)
    expected = [predictor.probabilities(labelled.image(index)) for index in indices]
    given, truth = [answers(labelled, index) for index in indices], [labelled.mask(index) for index in indices]
    (tmp_path / "file").write_bytes(bytes(2_500_000))
    reference = check.check_reference(tmp_path / "file")
    dice = [f1_score(t.ravel(), e.argmax(-1).ravel(), average=None) for t, e in zip(truth, expected, strict=True)]
    assert reference.dice == pytest.approx(np.mean(dice))
    assert (reference.difference, reference.changed, reference.megabytes) == (0, 0, 2.5) and reference.pace > 0

    said = iter([given[0], *given])  # the first image is run twice, for its time
    monkeypatch.setattr(agreement, "TOLERANCE", 1.0)
    found = check.check_export("made", lambda images: next(said)[None], tmp_path / "file")
    assert found.dice == 1
    assert found.difference == pytest.approx(max(np.abs(g - e).max() for g, e in zip(given, expected, strict=True)))
    changed = sum((t != e.argmax(-1)).sum() for t, e in zip(truth, expected, strict=True))
    assert found.changed == pytest.approx(changed / sum(t.size for t in truth)) and found.changed > 0


def test_the_threshold_counts_for_two_classes(tmp_path):
    store = prepared(write_data_set(tmp_path / "set", count=2), tmp_path)
    told = project(2, 3, classes=store.dataset.names, decisions=Decisions(threshold=0.9))
    check = AgreementCheck(Predictor(network(2, 3), told), Subset.ungrouped(store, [0]), tmp_path)
    np.testing.assert_array_equal(check._classes(np.array([[[0.2, 0.8], [0.05, 0.95]]], np.float32)), [[0, 1]])


@pytest.mark.parametrize("error", [2 * TOLERANCE, float("nan")])
def test_an_export_that_differs_is_refused(labelled, tmp_path, error):
    predictor = Predictor(network(3, 3), project(3, 3))
    check = AgreementCheck(predictor, Subset.ungrouped(labelled, [0]), tmp_path)
    check.check_reference(tmp_path)
    right = predictor.probabilities(labelled.image(0))[None]
    assert check.check_export("made", lambda images: right + np.float32(TOLERANCE / 2), tmp_path).changed == 0
    wrong = right.copy()
    wrong[0, 40, 3, 1] += error
    with pytest.raises(UserError, match=r"differ from the Keras model's by up to (0\.002|nan), more than 0\.001"):
        check.check_export("made", lambda images: wrong, tmp_path)


def test_only_the_middle_of_large_images_is_compared(labelled, tmp_path, monkeypatch):
    assert centre_window(1501, 512) == (slice(494, 1006), slice(0, 512))
    assert centre_window(1501, 512, shorter_side=512) == (slice(494, 1006), slice(0, 512))
    assert centre_window(400, 3000, shorter_side=200) == (slice(0, 1024), slice(988, 2012))  # scaled: 200 × 512
    assert centre_window(9000, 3000, shorter_side=1000) == (slice(3000, 6000), slice(0, 3000))  # scaled: 1000 × 1000
    monkeypatch.setattr(agreement, "SIDE", 40)
    check = AgreementCheck(Predictor(network(3, 3), project(3, 3)), Subset.ungrouped(labelled, range(6)), tmp_path)
    for index, (image, truth) in enumerate(check._images("")):
        assert image.shape == (40, 40, 3) and truth.shape == (40, 40)
        height, width = labelled.mask(index).shape
        top, left = (height - 40) // 2, (width - 40) // 2
        np.testing.assert_array_equal(truth, labelled.mask(index)[top : top + 40, left : left + 40])


def test_other_classes_are_refused(labelled, tmp_path):
    told = project(3, 3, classes=["sky", "sea", "land"])
    with pytest.raises(UserError, match=r"has the classes .*, the model sky, sea, land: run `dvc repro`"):
        AgreementCheck(Predictor(network(3, 3), told), Subset.ungrouped(labelled, [0]), tmp_path)


@pytest.fixture
def here(labelled, tmp_path, monkeypatch):
    """A project folder with prepared images, a split and a model that computes in bfloat16."""
    shutil.copytree(labelled.folder, tmp_path / "data/prepared")
    rows = [{"id": record.id, "group": record.id, "subset": "test", "fold": ""} for record in labelled.records]
    write_splits(tmp_path / "data/splits.csv", [rows[0] | {"subset": "train"}, *rows[1:]])
    told = project(3, 3)
    write_model(tmp_path / "models/unet.keras", network(3, 3, "mixed_bfloat16"), told)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_tool_writes_all_formats_and_prints_the_table(here, capsys):
    assert main(arguments().parse_args([])) == 0
    table = (here / "exports/export.md").read_text()
    assert table in capsys.readouterr().out
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("| ")]
    rows = {name: values for name, *values in cells[2:]}
    assert list(rows) == ["Keras, float32", "Keras as saved, bfloat16", *(kind.title for kind in FORMATS.values())]
    assert rows["Keras, float32"][:2] == ["–", "–"]
    assert float(rows["Keras as saved, bfloat16"][0]) > TOLERANCE
    for kind in FORMATS.values():
        assert float(rows[kind.title][0]) < 1e-5 and rows[kind.title][1] == "none"
        assert rows[kind.title][2] == rows["Keras, float32"][2]
        assert float(rows[kind.title][3]) == round(megabytes(here / "exports" / kind.place.format(name="unet")), 1)
    assert "On 5 test images" in table
    assert {path.name for path in (here / "exports").iterdir()} == {"unet", "unet.onnx", "unet.tflite", "export.md"}
    assert [path.name for path in (here / "exports/unet").iterdir()] == ["1"]


def test_one_failing_format_leaves_the_others(here, capsys, monkeypatch):
    (here / "exports").mkdir()
    (here / "exports/wrong.bin").write_text("earlier")

    def broken(export, path):
        path.write_text("half")
        raise RuntimeError("no such operation")

    uniform = lambda images: np.full((*images.shape[:3], 3), 1 / 3, np.float32)  # noqa: E731
    kinds = {
        "savedmodel": Format("Broken", "broken.bin", broken, None, None),
        "onnx": Format("Wrong", "wrong.bin", lambda export, path: path.write_text("new"), lambda path: uniform, None),
        "litert": FORMATS["litert"],
    }
    monkeypatch.setattr(exporting, "FORMATS", kinds)
    assert main(arguments().parse_args(["--format", "savedmodel", "onnx", "litert", "onnx"])) == 1
    printed = capsys.readouterr().out
    assert "- Broken is not written: RuntimeError: no such operation\n" in printed
    assert printed.count("- Wrong is not written: its probabilities differ from the Keras model's by up to") == 1
    assert "wrong.bin is an earlier one\n" in printed
    assert {path.name for path in (here / "exports").iterdir()} == {"wrong.bin", "unet.tflite", "export.md"}
    assert (here / "exports/wrong.bin").read_text() == "earlier"


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        ("data/prepared/index.json", "not prepared yet; run `dvc repro`"),
        ("data/splits.csv", "there is no split yet; run `dvc repro`"),
        ("models/unet.keras", "no such file; dvc repro makes it"),
    ],
)
def test_missing_files_are_reported_before_anything_is_exported(here, gone, words):
    (here / gone).unlink()
    with pytest.raises(UserError, match=words):
        main(arguments().parse_args([]))
    assert not (here / "exports").exists()


def test_a_split_without_test_images_is_refused(here):
    text = (here / "data/splits.csv").read_text()
    (here / "data/splits.csv").write_text(text.replace(",test,", ",train,"))
    with pytest.raises(UserError, match="has no test images, which are needed to check an export"):
        main(arguments().parse_args([]))


def test_formats_are_those_that_are_named(capsys):
    assert list(FORMATS) == list(NAMED)
    with pytest.raises(SystemExit):
        arguments().parse_args(["--format", "torch"])
    assert "choose from" in capsys.readouterr().err


def test_savedmodel_keeps_other_versions(here):
    """TensorFlow Serving's folder may hold more than this one."""
    (here / "exports/unet/2").mkdir(parents=True)
    store = prepared_store(here)
    for _ in range(2):
        write_exports(here / "models/unet.keras", ["savedmodel"], here / "exports", Subset.ungrouped(store, [1]))
    assert sorted(path.name for path in (here / "exports/unet").iterdir()) == ["1", "2"]
    assert read_json(here / "exports/unet/1/assets.extra/project.json")["classes"] == store.dataset.names


def prepared_store(folder):
    from src.data.store.store import Store

    return Store(folder / "data/prepared")
