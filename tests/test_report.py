"""Pictures and the terminal summary: colours of pixels, choice of images, sentences, and escaped names."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from src.data.classes.label_format import LabelFormat
from src.data.drawing.drawing import blended, painted, rgb, shown
from src.data.source.dataset import IGNORE, Dataset
from src.data.store.subsets import Subset
from src.evaluation.scoring.measure import measure_all
from src.evaluation.scoring.scores import Scoring, summary
from src.report.figures.curves import draw_curves
from src.report.figures.figures import draw_figures, edges
from src.report.figures.panels import errors_over, plain, ranked
from src.report.figures.style import FALSE_ALARM, HIT, MISS
from src.report.text.scored import scored_text
from src.report.text.summary import Wording, averages, score_warnings, terminal_summary
from tests.conftest import changed_params

BINARY = Dataset(classes={0: "background", 255: "cell"})
THREE = Dataset(classes={0: "ocean", 1: "land", 2: "lake"}, colors={"lake": "#D55E00"})
TRAIN = {"parameters": 1234, "images": {"train": 8, "validation": 2}, "best_epoch": 3, "epochs": 5}
SCORES = {
    "dice": {"mean": 0.8, "low": 0.7, "high": 0.9},
    "iou": {"mean": 0.7},
    "classes": {"<script>alert(1)</script>": {"dice": 0.8, "iou": 0.7, "images": 4}, "cell": {"images": 0}},
    "pooled": {"<script>alert(1)</script>": {"dice": 0.81, "iou": 0.71}},
    "accuracy": 0.95,
}
TEST = SCORES | {"images": 4, "groups": 2, "baseline": SCORES}
WORDING = Wording("test images")
WARNING = Wording("test images", warnings=["Warning: frames"])


def test_errors_have_the_colours_of_hits_misses_and_false_alarms():
    truth = np.array([[1, 1, 0, 0, IGNORE]], np.uint8)
    prediction = np.array([[1, 0, 1, 0, 1]], np.uint8)
    drawn = errors_over(np.zeros((1, 5, 3), np.uint8), truth, prediction, 1, LabelFormat(2))
    for pixel, colour in enumerate((HIT, MISS, FALSE_ALARM, "#000000", "#000000")):
        np.testing.assert_allclose(drawn[0, pixel], 0.75 * rgb(colour), atol=1)


def test_masks_are_painted_in_the_colours_of_their_classes():
    mask = np.array([[0, 1, 2, IGNORE]], np.uint8)
    colours = THREE.class_colours
    assert colours["lake"] == "#D55E00" and len(set(colours.values())) == 3
    expected = [rgb(colour) for colour in [*colours.values(), "#FFFFFF"]]
    np.testing.assert_array_equal(painted(mask, THREE)[0], expected)


def test_the_background_is_not_painted_over():
    image = np.full((1, 2, 3), 100, np.uint8)
    over = blended(image, np.array([[0, 1]], np.uint8), BINARY)
    np.testing.assert_array_equal(over[0, 0], [100, 100, 100])
    assert not np.array_equal(over[0, 1], [100, 100, 100])


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_images_of_any_number_of_channels_are_shown_in_three(channels):
    assert shown(np.zeros((4, 5, channels), np.uint8)).shape == (4, 5, 3)


@pytest.mark.parametrize(
    ("count", "each", "sizes"), [(10, 3, (3, 3, 3)), (2, 4, (1, 0, 1)), (1, 4, (1, 0, 0)), (7, 2, (2, 2, 2))]
)
def test_worst_median_and_best_are_different_images(count, each, sizes):
    scores = {f"image{number}": number / 10 for number in range(count)}
    kinds = ranked(scores, each)
    assert tuple(len(kinds.get(kind, [])) for kind in ("worst", "median", "best")) == sizes
    chosen = [image for images in kinds.values() for image in images]
    assert len(chosen) == len(set(chosen))
    assert kinds["worst"][0] == "image0"
    if count == 10:
        assert kinds == {
            "worst": ["image0", "image1", "image2"],
            "median": ["image4", "image5", "image6"],
            "best": ["image9", "image8", "image7"],
        }


@pytest.mark.parametrize("classes", [2, 5, 6, 40, 200])
def test_every_class_has_a_colour_of_its_own(classes):
    dataset = Dataset(classes={value: f"class {value}" for value in range(classes)})
    colours = dataset.class_colours
    assert list(colours) == dataset.names and len(set(colours.values())) == classes
    assert classes > 5 or not {HIT, MISS, FALSE_ALARM} & set(colours.values())


def test_a_test_set_without_foreground_is_reported_in_words(store):
    store.mask = lambda index: np.zeros((8, 8), np.uint8)
    empty = ((index, np.zeros((8, 8), np.uint8)) for index in range(6))
    found = measure_all(Subset(store, range(6), [str(number) for number in range(6)]), empty, 2.0)
    binary = store.dataset.model_copy(update={"background": store.dataset.names[0]})
    scores = summary(found, Scoring(binary, changed_params().evaluate, 0))
    test = scores | {"images": 6, "groups": 6, "baseline": scores}
    assert "n/a (no image counts for it)" in terminal_summary(TRAIN, test, "page", WORDING)


def test_the_summary_names_decisions_and_their_effect_on_test_images():
    decided = {"temperature": 1.5, "min_object": 8.0, "dice": {"gain": 0.012, "low": 0.001, "high": 0.02}}
    test = TEST | {"decisions": decided, "calibration": {"ece": 0.01, "ece_undecided": 0.03}}
    text = terminal_summary(TRAIN, test, "page", WORDING)
    assert (
        "Added to the plain network: temperature 1.5, min_object 8; on the test images that changes mean Dice" in text
    )
    assert "+0.012 (+0.001 – +0.020), the calibration error from 0.030 to 0.010." in text
    assert "plain network" not in terminal_summary(TRAIN, TEST, "page", WORDING)


def test_classes_in_too_few_groups_for_an_interval_are_named():
    classes = {"cell": {"dice": 0.8, "images": 9, "groups": 4}, "debris": {"dice": 0.8, "images": 9, "groups": 5}}
    text = terminal_summary(TRAIN, TEST | {"classes": classes, "dice": {"mean": 0.8}}, "page", WORDING)
    assert "Too few groups for an interval: cell in 4;" in text
    assert "Too few" not in terminal_summary(TRAIN, TEST, "page", WORDING)


def test_absent_classes_are_named_but_not_as_classes_in_few_groups():
    classes = {"cell": {"dice": 0.0, "images": 3, "groups": 3}, "debris": {"dice": 0.8, "images": 4, "groups": 5}}
    alarms = {"cell": {"images": 4, "false_alarms": 3, "area": 0.1}, "debris": {"images": 1, "false_alarms": 0}}
    test = TEST | {"classes": classes, "dice": {"mean": 0.8}, "empty": alarms}
    text = terminal_summary(TRAIN, test, "page", WORDING)
    assert "None of the test images holds cell: left out of the means." in text and "Too few" not in text
    assert score_warnings(test, WORDING)[0] == "None of the test images holds cell: left out of the means."
    assert "None of" not in terminal_summary(TRAIN, TEST, "page", WORDING)


def test_names_start_no_formula_and_no_new_line_in_matplotlib():
    assert plain("a$b$\n") == r"a\$b\$?"


def test_the_terminal_summary_contains_the_main_numbers():
    text = terminal_summary(TRAIN, TEST, "plots/report.html", WORDING)
    for part in (
        "0.800 (95 % interval 0.700 – 0.900)",
        "no interval: a class counts in fewer than 5 groups",
        "1,234",
        "epoch 3 of 5",
        "plots/report.html",
    ):
        assert part in text
    assert "–" in text.splitlines()[-3]  # a class that no test image holds has no score


def test_a_caveat_stands_beside_the_interval():
    lines = terminal_summary(TRAIN, TEST, "page", WARNING).splitlines()
    assert "pixel accuracy" in lines[lines.index("Warning: frames") - 1]
    said = scored_text(TEST, [], Path("out"), WARNING).splitlines()
    assert "pixel accuracy" in said[said.index("Warning: frames") - 1]
    assert "Warning" not in terminal_summary(TRAIN, TEST, "page", WORDING) + scored_text(TEST, [], Path("out"), WORDING)


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ({0: "crop", 1: "bg", 2: "weed"}, "Averages over classes exclude the background, 'bg'."),
        ({0: "crop", 1: "soil", 2: "weed"}, "Averages are over all 3 classes: none of them is the background."),
        ({0: "a", 1: "b"}, "Averages over classes exclude the background, 'a'."),
    ],
)
def test_the_class_that_averages_exclude_is_named(classes, words):
    assert averages(Dataset(classes=classes)) == words


def test_equal_histories_give_equal_pictures(tmp_path):
    names = ("loss", "dice", "iou", "accuracy")
    history = {"epoch": [1, 2], **{prefix + name: [0.1, 0.2] for name in names for prefix in ("", "val_")}}
    pd.DataFrame(history).to_csv(tmp_path / "history.csv", index=False)
    for name in ("a.png", "b.png"):
        draw_curves(tmp_path / name, tmp_path / "history.csv", 2)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_the_pipeline_is_drawn_without_arrows_that_follow_from_others():
    stages = {"a": {"outs": ["x"]}, "b": {"deps": ["x"], "outs": [{"y": {}}]}, "c": {"deps": ["x", "y"]}}
    assert edges(stages | {"d": {"deps": ["x"]}}) == [(0, 1), (0, 3), (1, 2)]


def test_figures_of_equal_runs_are_equal_files(tmp_path):
    (tmp_path / "overlays").mkdir()
    for name in ("curves.png", "overlays/00.png", "overlays/01.png", "overlays/02.png"):
        (tmp_path / name).write_bytes(name.encode())
    pipeline = {"stages": {"a": {"outs": ["x"]}, "b": {"deps": ["x"]}}}
    one, two = (tmp_path / name for name in ("one", "two"))
    names = draw_figures(one, pipeline, TEST, tmp_path)
    assert (
        names
        == draw_figures(two, pipeline, TEST, tmp_path)
        == [
            "curves.png",
            "overlay.png",
            "pipeline.png",
            "scores.png",
        ]
    )
    assert all((one / name).read_bytes() == (two / name).read_bytes() for name in names)
    assert (one / "overlay.png").read_bytes() == b"overlays/01.png"
