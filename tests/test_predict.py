"""tools.predict: every readable image gets a mask; repeated, in shards, and after an interruption."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tifffile
from PIL import Image

import src.model.inference.predict_files as predict
from src.archive.project import Decisions, Project
from src.data.predictions.inputs import find_inputs
from src.data.predictions.prediction_files import mask_values
from src.data.predictions.resume_log import ResumeLog
from src.errors import UserError
from src.files import read_csv
from src.model.inference.predict_files import Prediction, ResultFiles
from src.model.inference.predictor import Predictor, load_predictor
from src.model.network.model_file import write_model
from src.model.network.unet import build_unet
from src.params import PlannedModel
from src.report.figures.overlay import write_overlay
from tests.closure import ROOT

BAD = ["damaged.png", "grey.png"]

PROJECT = {
    "classes": ["background", "cell"],
    "background": 0,
    "values": [0, 255],
    "colors": {"cell": "#FF0000"},
    "mean": [10.0] * 3,
    "std": [4.0] * 3,
    "normalise": "dataset",
    "dtype": "uint8",
    "shorter_side": 0,
    "depth": 2,
}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """The file of a small network that predicts several classes."""
    keras.utils.set_random_seed(1)
    network = build_unet(PlannedModel(filters=4, depth=2), 3, 1)
    network(np.random.default_rng(0).normal(size=(4, 32, 32, 3)), training=True)
    path = tmp_path_factory.mktemp("model") / "unet.keras"
    write_model(path, network, Project(**PROJECT, decisions=Decisions(temperature=2.0, threshold=0.4)))
    return path


@pytest.fixture(scope="module")
def predictor(model) -> Predictor:
    return load_predictor(model)


@pytest.fixture
def images(tmp_path) -> Path:
    """Three good images of different sizes and formats, two bad ones."""
    rng, folder = np.random.default_rng(0), tmp_path / "images"
    (folder / "sub").mkdir(parents=True)
    Image.fromarray(rng.integers(0, 256, (40, 61, 3), dtype=np.uint8)).save(folder / "a.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # viewers rotate it by 90°
    Image.fromarray(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(folder / "sub/b.jpg", exif=exif)
    tifffile.imwrite(folder / "c.tif", rng.integers(0, 256, (100, 90, 3), dtype=np.uint8), photometric="rgb")
    (folder / "damaged.png").write_bytes((folder / "a.png").read_bytes()[:200])
    Image.fromarray(rng.integers(0, 256, (9, 9), dtype=np.uint8)).save(folder / "grey.png")
    return folder


def run(predictor, images, out, **wanted) -> Prediction:
    inputs, _ = find_inputs([images], out)
    outputs, finished = ResultFiles(out, {"masks": mask_values([0, 255], 2)}, **wanted), ResumeLog(out, "model")
    prediction = Prediction(predictor, outputs, finished)
    prediction.run([one for one in inputs if not finished.is_finished(one, outputs.kinds)])
    return prediction


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix not in (".jsonl", ".csv"))
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_every_good_image_gets_a_mask_and_every_bad_one_a_reason(predictor, images, tmp_path):
    prediction = run(predictor, images, tmp_path / "out")
    masks = {"a.png": (40, 61), "c.tif": (100, 90), "sub/b.png": (30, 20)}  # as viewers show it
    assert digests(tmp_path / "out").keys() == {f"masks/{name}" for name in masks}
    for name, size in masks.items():
        mask = np.array(Image.open(tmp_path / "out/masks" / name))
        assert mask.shape == size and mask.dtype == np.uint8 and set(np.unique(mask)) == {0, 255}
    with Image.open(images / "a.png") as image:
        expected = predictor(np.array(image)) * 255
    assert (np.array(Image.open(tmp_path / "out/masks/a.png")) == expected).all()
    reasons = {Path(finding.file).name: finding.what for finding in prediction.failed}
    assert reasons.keys() == {"damaged.png", "grey.png"}
    assert "cut off" in reasons["damaged.png"] and "1 channel(s)" in reasons["grey.png"]


@pytest.mark.parametrize(("kind", "one"), [("float32", 1), ("uint8", 255)])
def test_probabilities_and_overlays_beside_the_masks(predictor, images, tmp_path, kind, one):
    out = tmp_path / "out"
    run(predictor, images, out, probability_type=kind, draw=write_overlay)
    stored = tifffile.imread(out / "probabilities/a.tif")
    with Image.open(images / "a.png") as image:
        picture = np.array(image)
    expected = predictor.probabilities(picture)[..., 1]
    assert stored.dtype == kind and np.abs(stored / one - expected).max() <= 0.5 / 255
    overlay, mask = np.array(Image.open(out / "overlays/a.png")), np.array(Image.open(out / "masks/a.png"))
    assert (overlay[mask == 0] == picture[mask == 0]).all() and (overlay[mask > 0] != picture[mask > 0]).any()
    assert ((stored > 0.4 * one) == (mask > 0)).mean() > 0.99  # except for rounding to 8 bits


def test_finished_images_are_not_predicted_again_unless_they_changed(predictor, images, tmp_path):
    out = tmp_path / "out"
    run(predictor, images, out)
    made = {path: path.stat().st_mtime_ns for path in (out / "masks").rglob("*.*")}
    run(predictor, images, out)
    assert {path: path.stat().st_mtime_ns for path in made} == made
    (out / "masks/sub/b.png").unlink()
    earlier = (images / "a.png").stat().st_mtime - 5000
    Image.new("RGB", (33, 22)).save(images / "a.png")
    os.utime(images / "a.png", (earlier, earlier))  # an older image replaces it
    run(predictor, images, out)
    changed = {path.name for path, when in made.items() if path.stat().st_mtime_ns != when}
    assert changed == {"a.png", "b.png"} and np.array(Image.open(out / "masks/a.png")).shape == (22, 33)
    run(predictor, images, out, probability_type="uint8")
    assert len(list((out / "probabilities").rglob("*.tif"))) == 3
    run(predictor, images, out, probability_type="float32")  # another number type is predicted again
    assert tifffile.imread(out / "probabilities/a.tif").dtype == np.float32


def test_masks_of_no_prediction_are_not_overwritten(tmp_path):
    (tmp_path / "set/masks").mkdir(parents=True)
    with pytest.raises(UserError, match=r"that tools\.predict did not write: choose another folder"):
        ResumeLog(tmp_path / "set", "model")
    (tmp_path / "set/finished.jsonl").write_text("")
    ResumeLog(tmp_path / "set", "model")


def test_an_image_whose_log_line_is_cut_off_is_predicted_again(predictor, images, tmp_path):
    run(predictor, images, tmp_path / "out")
    path = tmp_path / "out/finished.jsonl"
    path.write_text(path.read_text()[:-30] + "\n[]\n{}\n")
    inputs, _ = find_inputs([images], tmp_path / "out")
    finished = ResumeLog(tmp_path / "out", "model")
    assert [one.name.as_posix() for one in inputs if finished.is_finished(one, ["masks"])] == ["a", "c"]


def test_a_result_that_cannot_be_written_does_not_stop_the_others(predictor, images, tmp_path):
    picture = (images / "a.png").read_bytes()
    (images / f"{'n' * 250}.png").write_bytes(picture)  # as long as names may be
    (images / "d.jpg").write_bytes(picture)
    (images / "d.png").mkdir()
    (images / "d.png/e.png").write_bytes(picture)
    prediction = run(predictor, images, tmp_path / "out", probability_type="uint8")
    failed = {Path(finding.file).name for finding in prediction.failed}
    assert failed >= {"damaged.png", "grey.png"} and len(failed) == 3
    assert (tmp_path / f"out/masks/{'n' * 250}.png").exists()
    assert failed & {"d.jpg", "e.png"}  # the mask of one would have the path of the other's folder


def test_an_image_with_nan_is_refused(model):
    floats = Predictor(load_predictor(model).model, Project(**PROJECT | {"dtype": "float32", "normalise": "image"}))
    image = np.random.default_rng(0).random((20, 30, 3), np.float32)
    image[3, 4, 0] = np.nan
    with pytest.raises(UserError, match="holds NaN"):
        floats(image)
    with pytest.raises(UserError, match=r"has the shape \(20, 30\)"):
        floats(image[..., 0])


def test_an_image_too_long_for_the_scale_of_the_model_does_not_stop_the_others(predictor, images, tmp_path):
    Image.fromarray(np.zeros((1, 3000, 3), np.uint8)).save(images / "line.png")
    scaling = predictor.with_decisions()
    scaling.project = scaling.project.model_copy(update={"shorter_side": 512})
    prediction = run(scaling, images, tmp_path / "out")
    assert len(digests(tmp_path / "out")) == 3
    failed = {Path(finding.file).name: finding for finding in prediction.failed}
    assert failed.keys() == {*BAD, "line.png"} and "too long" in failed["line.png"].what
    assert failed["line.png"].setting == "cut it, or train with a lower data.resize"


def test_a_full_disk_stops_the_run_and_keeps_finished_results(predictor, images, tmp_path, monkeypatch):
    def full(path, *rest):
        if path.name == "c.tif":
            raise OSError(28, "No space left on device", str(path))
        write_mask(path, *rest)

    write_mask = predict.write_mask
    monkeypatch.setattr(predict, "write_mask", full)
    with pytest.raises(OSError, match="No space left"):
        run(predictor, images, tmp_path / "out")
    assert digests(tmp_path / "out").keys() == {"masks/a.png"}


def test_no_result_is_written_through_a_link(predictor, images, tmp_path):
    (tmp_path / "out/masks").mkdir(parents=True)
    (tmp_path / "out/finished.jsonl").write_text("")
    (tmp_path / "out/masks/sub").symlink_to(tmp_path)
    with pytest.raises(UserError, match="leads out of"):
        run(predictor, images, tmp_path / "out")


def tool(*arguments, cwd=ROOT) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "tools.predict", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def test_images_in_another_range_than_the_training_images_are_named(model, tmp_path):
    """Another bit depth or scale, as 10 bits in place of 16 (aiff22/PyNET#2)."""
    rng, folder = np.random.default_rng(0), tmp_path / "images"
    folder.mkdir()
    for name, highest in (("usual", 255), ("dark", 6)):
        Image.fromarray(rng.integers(0, highest, (40, 40, 3), dtype=np.uint8)).save(folder / f"{name}.png")
    found = tool(folder, "--model", model, "--out", tmp_path / "out")
    assert found.returncode == 0 and (tmp_path / "out/masks/dark.png").exists()
    (line,) = [
        line for line in found.stdout.splitlines() if "8 times darker or brighter than the training images" in line
    ]
    assert line.startswith("1 image(s) are at least") and line.endswith("dark.png") and "usual.png" not in line


def test_tool_predicts_all_images_in_shards(model, images, tmp_path):
    """Two shards together equal a single run, byte for byte. Results of another model are refused."""
    whole = tool(images, "--model", model, "--out", tmp_path / "whole", "--overlay")
    assert whole.returncode == 1 and "2 could not be predicted" in whole.stdout
    assert all(name in whole.stdout for name in ("damaged.png", "grey.png")) and "Traceback" not in whole.stderr
    for part in ("1/2", "2/2"):
        tool(images, "--model", model, "--out", tmp_path / "parts", "--overlay", "--shard", part)
    assert digests(tmp_path / "parts") == digests(tmp_path / "whole")
    lines = [json.loads(line) for line in (tmp_path / "whole/finished.jsonl").read_text().splitlines()]
    parted = [line for file in (tmp_path / "parts").glob("*.jsonl") for line in file.read_text().splitlines()]
    assert sorted(map(json.loads, parted), key=lambda line: line["name"]) == lines
    assert [row["file"] for row in read_csv(tmp_path / "whole/failed.csv")] == [str(images / name) for name in BAD]
    (tmp_path / "whole/finished.jsonl").write_text(json.dumps(lines[0] | {"model": "another"}))
    refused = tool(images / "a.png", "--model", model, "--out", tmp_path / "whole")
    assert refused.returncode == 1 and "holds results of another model" in refused.stderr


def test_an_interrupted_run_continues(model, tmp_path):
    rng, images, out = np.random.default_rng(0), tmp_path / "images", tmp_path / "out"
    images.mkdir()
    for number in range(12):
        tifffile.imwrite(images / f"{number:02}.tif", rng.integers(0, 256, (900, 900, 3), dtype=np.uint8))
    command = [sys.executable, "-m", "tools.predict", images, "--model", model, "--out", out]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None and len(list(out.rglob("*.tif"))) < 2:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate()
    finished = [path for path in out.rglob("*.*") if path.suffix == ".tif"]
    assert process.returncode != 0 and "terminated" in said and 2 <= len(finished) < 12
    assert not list(out.rglob(".tmp-*"))
    again = tool(images, "--model", model, "--out", out)
    assert again.returncode == 0 and f"{len(finished)} of 12 images are predicted already" in again.stdout
    assert len(list(out.rglob("*.tif"))) == 12


@pytest.mark.parametrize("part", ["0/4", "5/4", "1", "a/b", "-1/2"])
def test_an_impossible_shard_is_refused(part):
    refused = tool("x", "--out", "y", f"--shard={part}")
    assert refused.returncode == 2 and "is not a part such as" in refused.stderr
