"""tools.review: the order of images, the files of each labelling tool, and the way back through tools.convert."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

import src.model.inference.predictor
import tools.convert
import tools.review
from src.data.classes.label_format import LabelFormat, pack_planes
from src.data.predictions.inputs import Input
from src.errors import UserError
from src.evaluation.metrics.outputs import Outputs
from src.files import read_csv, read_json
from src.review.annotate import annotate
from src.review.review_files import TOOLS, ReviewFolder
from src.review.uncertainty import Uncertainty, boundary_entropy, expected_dice, measure_uncertainty
from tests.conftest import write_pair
from tests.test_predictor import project

TWO, THREE = LabelFormat(2), LabelFormat(3)
CLASSES = {"classes": ["background", "cell", "debris"], "background": 0, "values": [0, 1, 2]}


def rings(size=(60, 80)):
    """Discs and a ring of two classes: one in the hole of another, some at the border."""
    mask = np.zeros(size, np.uint8)
    discs = (20, 20, 14, 1), (20, 20, 8, 0), (20, 20, 3, 2), (79, 30, 9, 2), (50, 45, 9, 1)
    for x, y, radius, label in discs:
        cv2.circle(mask, (x, y), radius, label, -1)
    return mask


def one_hot(mask, classes=3, certain=0.9):
    values = np.full((*mask.shape, classes), (1 - certain) / (classes - 1), np.float32)
    np.put_along_axis(values, mask[..., None].astype(np.int64), certain, axis=-1)
    return values


class Predictor:
    """Predicts the mask that the red channel of an image shows; green tells how certain."""

    def __init__(self):
        self.project, self.outputs, self.channels = project(**CLASSES, mean=[1.0] * 3, std=[1.0] * 3), Outputs(THREE), 3

    def logits(self, image):
        if image.dtype != np.uint8:
            raise UserError("the image is of another type")
        return self.outputs.logits(one_hot(image[..., 0], certain=image[0, 0, 1] / 255))

    def decide(self, logits):
        return self.outputs.decide(logits)

    def postprocess(self, labels):
        return labels


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Three images, the second the least certain, and a stand-in for the network."""
    for name, certain in (("a", 240), ("b", 150), ("sub/c", 200)):
        mask = rings()
        image = np.stack([mask, np.full_like(mask, certain), mask], axis=-1)
        write_pair(tmp_path / "set", name, image, mask)
    (tmp_path / "unet.keras").write_bytes(b"")
    monkeypatch.setattr(src.model.inference.predictor, "load_predictor", lambda _: Predictor())
    return tmp_path


def review(folder: Path, *options):
    arguments = [str(folder / "set/images"), "--out", str(folder / "out"), "--model", str(folder / "unet.keras")]
    return tools.review.main(tools.review.arguments().parse_args([*arguments, *options]))


def convert(*arguments):
    tools.convert.main(tools.convert.arguments().parse_args([*map(str, arguments)]))


def test_expected_dice_is_the_mean_dice_of_drawn_masks():
    rng = np.random.default_rng(0)
    probability = rng.beta(0.5, 0.8, (24, 24)).astype(np.float32)
    prediction = (probability > 0.5).astype(np.uint8)
    drawn = rng.random((4000, 24, 24)) < probability
    dice = 2 * (drawn & (prediction > 0)).sum(axis=(1, 2)) / (drawn.sum(axis=(1, 2)) + prediction.sum())
    both = np.stack([1 - probability, probability], axis=-1)
    assert expected_dice(both, prediction, TWO, [1]) == pytest.approx(dice.mean(), abs=0.003)


def test_expected_dice_of_classes_adds_up_their_pixels_and_knows_empty_predictions():
    mask, values = rings(), one_hot(rings(), certain=0.8)
    sizes = sum(values[..., label].sum() + (mask == label).sum() for label in (1, 2))
    both = sum(values[..., label][mask == label].sum() for label in (1, 2))
    assert expected_dice(values, mask, THREE, [1, 2]) == pytest.approx(2 * both / sizes, rel=1e-5)
    assert expected_dice(values, np.zeros_like(mask), THREE, [1, 2]) == pytest.approx(0.2, abs=1e-6)
    assert expected_dice(one_hot(np.zeros_like(mask)), np.zeros_like(mask), THREE, [1, 2]) == pytest.approx(0.95)


@pytest.mark.parametrize("overlap", [False, True])
def test_entropy_counts_near_boundaries_only(overlap):
    labels, mask = LabelFormat(3, overlap), np.zeros((20, 20), np.uint8)
    mask[:, 10:] = 1
    values = np.random.default_rng(0).dirichlet([1, 1, 1], (20, 20)).astype(np.float32)
    if overlap:
        near = values[:, 8:12].astype(float)
        expected = -(near * np.log2(near) + (1 - near) * np.log2(1 - near)).mean()
    else:
        near = values[:, 8:12].astype(float)
        expected = -(near * np.log(near)).sum(axis=-1).mean() / np.log(3)
    assert boundary_entropy(values, mask, labels) == pytest.approx(expected, rel=1e-4)
    assert boundary_entropy(values, np.ones_like(mask), labels) == 0
    assert boundary_entropy(np.full_like(values, 1 / 3), mask, LabelFormat(3)) == pytest.approx(1)


def test_objects_have_the_area_and_the_mean_probability_of_their_pixels(tmp_path):
    dataset, mask = Predictor().project.dataset, rings()
    values = np.random.default_rng(0).dirichlet([1, 1, 1], mask.shape).astype(np.float32)
    found = annotate("a.png", mask, values, dataset, tmp_path)
    assert [one.label for one in found.objects] == ["cell", "cell", "debris", "debris"]
    assert sum(one.area for one in found.objects if one.label == "debris") == (mask == 2).sum()
    total = sum(one.area * one.score for one in found.objects if one.label == "cell")
    assert total == pytest.approx(values[..., 1][mask == 1].sum(), rel=1e-4)


def test_overlapping_objects_are_numbered_one_class_after_the_other(tmp_path):
    planes = np.zeros((2, 20, 30), bool)
    planes[0, 2:18, 2:20] = planes[1, 5:15, 10:28] = True
    dataset = project(classes=["a", "b"], background=None, values=[0, 1], overlap=True).dataset
    values = np.moveaxis(planes, 0, -1).astype(np.float32)
    found = annotate("a.png", pack_planes(list(planes)), values, dataset, tmp_path)
    assert [(one.number, one.label, one.area) for one in found.objects] == [(1, "a", 288), (2, "b", 180)]
    assert found.overlap


def test_the_least_certain_image_comes_first_with_the_number_that_explains_it(photos, capsys):
    assert review(photos, "--for", "coco") == 0
    rows = read_csv(photos / "out/order.csv")
    assert [row["file"] for row in rows] == ["1-b.png", "2-sub-c.png", "3-a.png"]
    assert [row["image"] for row in rows] == [str(photos / f"set/images/{name}.png") for name in ("b", "sub/c", "a")]
    values = Outputs(THREE).probabilities(Predictor().logits(cv2.imread(str(photos / "set/images/b.png"))[..., ::-1]))
    expected = measure_uncertainty(values, rings(), THREE, [1, 2])
    assert float(rows[0]["expected_dice"]) == pytest.approx(expected.expected_dice, abs=1e-5)
    assert float(rows[0]["boundary_entropy"]) == pytest.approx(expected.boundary_entropy, abs=1e-5)
    assert rows[0]["objects"] == "4"
    names = [image["file_name"] for image in read_json(photos / "out/annotations.json")["images"]]
    assert names == [row["file"] for row in rows]
    copied, source = (photos / "out/images/2-sub-c.png", photos / "set/images/sub/c.png")
    assert copied.read_bytes() == source.read_bytes() and not list((photos / "out").glob(".*"))
    assert "3 of 3 images are in" in capsys.readouterr().out


def test_equally_certain_images_are_ordered_by_entropy_then_by_name(tmp_path):
    target, reviewed = ReviewFolder(tmp_path, "coco", ["cell", "debris"], 0), []
    found = annotate("", rings(), one_hot(rings()), Predictor().project.dataset, tmp_path)
    given = {"c": (0.5, 0.1), "b": (0.5, 0.1), "a": (0.5, 0.2), "d": (0.4, 0)}
    for number, (name, numbers) in enumerate(given.items()):
        path = tmp_path / f"{name}.png"
        path.write_bytes(b"")
        reviewed.append(target.add(number, Input(path, Path(name)), found, Uncertainty(*numbers)))
    assert [row["file"] for row in target.finish(reviewed, 3)] == ["1-d.png", "2-a.png", "3-b.png"]
    assert len(read_json(tmp_path / "annotations.json")["images"]) == 3


def converted(photos, *arguments):
    """The masks of the data set that tools.convert makes."""
    convert(*arguments, "--out", photos / "back")
    names = read_csv(photos / "out/order.csv")
    masks = [cv2.imread(str(photos / f"back/masks/{row['file']}"), cv2.IMREAD_UNCHANGED) for row in names]
    assert len(masks) == 3 == len(list((photos / "back/images").iterdir()))
    return masks


COMMANDS = {
    "labelme": ["labelme", "out"],
    "coco": ["coco", "out/annotations.json", "--images", "out/images"],
    "cvat": ["coco", "out/annotations/instances_default.json", "--images", "out/images"],
}


@pytest.mark.parametrize("tool", COMMANDS)
def test_annotations_come_back_through_convert_without_the_loss_of_a_pixel(photos, tool, monkeypatch):
    monkeypatch.chdir(photos)
    review(photos, "--for", tool, "--simplify", "0")
    assert all((mask == rings()).all() for mask in converted(photos, *COMMANDS[tool]))


def test_corrections_become_training_data(photos, monkeypatch):
    monkeypatch.chdir(photos)
    review(photos, "--for", "labelme", "--simplify", "0")
    path = photos / "out/1-b.json"
    content = read_json(path)
    square = {"label": "debris", "points": [[60, 50], [70, 50], [70, 58], [60, 58]], "shape_type": "polygon"}
    content["shapes"] = [one for one in content["shapes"] if one["group_id"] != 2] + [square | {"flags": {}}]
    path.write_text(json.dumps(content))
    corrected, *others = converted(photos, *COMMANDS["labelme"])
    expected = rings()
    number, parts = cv2.connectedComponents((expected == 1).astype(np.uint8))
    expected[parts == parts[45, 50]] = 0
    expected[50:58, 60:70] = 2
    assert number == 3 and (corrected == expected).all() and all((mask == rings()).all() for mask in others)


def test_submitted_tasks_of_label_studio_come_back_through_convert(photos, monkeypatch):
    monkeypatch.chdir(photos)
    review(photos, "--for", "label-studio", "--simplify", "0")
    tasks = json.loads((photos / "out/tasks.json").read_text())
    for number, task in enumerate(tasks):
        task["annotations"] = [{"id": number, "result": task["predictions"][0]["result"]}]
    (photos / "export.json").write_text(json.dumps(tasks))
    masks = converted(photos, "label-studio", "export.json", "--images", "out/images")
    assert all((mask == rings()).all() for mask in masks)


def test_tasks_of_label_studio_hold_each_object_in_shares_of_the_size(photos, monkeypatch):
    monkeypatch.chdir(photos)
    review(photos, "--for", "label-studio", "--simplify", "0")
    tasks = json.loads((photos / "out/tasks.json").read_text())
    assert tasks[0]["data"]["image"] == "/data/local-files/?d=images/1-b.png"
    scores = [task["predictions"][0]["score"] for task in tasks]
    assert scores == sorted(scores)
    assert '<Label value="cell"/>' in (photos / "out/setup.xml").read_text()
    (first, *_) = tasks[0]["predictions"][0]["result"]
    assert (first["original_width"], first["original_height"], first["value"]["polygonlabels"]) == (80, 60, ["cell"])
    planes = np.zeros((60, 80), np.uint8)
    for result in tasks[0]["predictions"][0]["result"]:
        points = np.array(result["value"]["points"]) * (80, 60) / 100 - 0.5
        label = 1 + ["cell", "debris"].index(result["value"]["polygonlabels"][0])
        assert points.min() >= -0.5 and (points[:, 0].max(), points[:, 1].max()) <= (79.5, 59.5)
        planes = np.maximum(planes, label * filled(points))
    assert (planes == rings()).all()


def filled(points):
    """The pixels whose centres lie in a ring, by the even-odd rule."""
    y, x = np.mgrid[:60, :80]
    inside = np.zeros((60, 80), bool)
    for (x1, y1), (x2, y2) in zip(points, np.roll(points, -1, axis=0), strict=True):
        if y1 != y2:
            crossed = (y >= min(y1, y2)) & (y < max(y1, y2)) & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
            inside ^= crossed
    return inside


def test_images_that_cannot_be_predicted_are_listed(photos, capsys):
    (photos / "set/images/broken.png").write_bytes(b"no image")
    assert review(photos, "--for", "labelme", "--most", "1") == 1
    printed = capsys.readouterr().out
    assert "1 could not be predicted" in printed and "broken.png" in printed and "1 of 3 images are in" in printed
    assert {path.name for path in (photos / "out").iterdir()} == {"1-b.png", "1-b.json", "order.csv", "failed.csv"}


def test_a_folder_that_may_hold_corrections_is_never_replaced(photos):
    (photos / "out").mkdir()
    (photos / "out/mine.json").write_text("{}")
    with pytest.raises(UserError, match=r"out: exists, and may hold corrections: choose another folder, or delete it"):
        review(photos, "--for", "labelme")
    (photos / "unet.keras").unlink()
    with pytest.raises(UserError, match=r"unet\.keras: no such file; dvc repro makes models/unet\.keras"):
        review(photos, "--for", "labelme")
    assert [path.name for path in (photos / "out").iterdir()] == ["mine.json"]


def test_the_tool_offers_what_the_library_writes():
    assert tuple(tools.review.TOOLS) == TOOLS
