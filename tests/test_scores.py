"""Predictions become metrics/test.json and its tables: means, pooled counts, false alarms, objects."""

import numpy as np
import pandas as pd
import pytest

import src.evaluation.scoring.measure as measure
from src.data.classes.label_format import LabelFormat
from src.data.source.dataset import IGNORE
from src.data.store.subsets import Subset
from src.evaluation.metrics.calibration import Calibration
from src.evaluation.metrics.confusion import confusion_matrix, dice, pixel_counts
from src.evaluation.metrics.outputs import Outputs
from src.evaluation.scoring.error_analysis import WORST, sharpness, worst_rows
from src.evaluation.scoring.measure import COLUMNS, image_rows, measure_all
from src.evaluation.scoring.scores import Scoring, class_rows, classes_with_objects, dice_gain, summary
from src.evaluation.scoring.tables import write_tables
from src.files import write_csv
from tests.conftest import changed_params, prepared, write_pair

SETTINGS = changed_params(**{"evaluate.resamples": 500}).evaluate
EVERY = range(12)


def shaken(store, seed=0):
    """Predictions that are the masks moved by some pixels."""
    rng = np.random.default_rng(seed)
    for index in range(len(store)):
        yield index, np.roll(store.mask(index), rng.integers(-4, 5, 2), (0, 1))


def results(store, predictions=None, tolerance=2.0):
    groups = [f"group {index // 2}" for index in range(len(store))]
    return measure_all(
        Subset(store, range(len(groups)), groups), shaken(store) if predictions is None else predictions, tolerance
    )


def test_images_are_measured_independently_of_each_other(store):
    found = results(store)
    assert found.ids == [record.id for record in store.records] and found.groups[:3] == ["group 0"] * 2 + ["group 1"]
    for image, (index, prediction) in enumerate(shaken(store)):
        counts = confusion_matrix(store.mask(index), prediction, 3)
        np.testing.assert_array_equal(found.values["dice"][image], dice(pixel_counts(counts, LabelFormat(3))))
        by_itself = measure.measure(store.mask(index), prediction, LabelFormat(3), (1.0, 1.0), 2.0)
        for name in measure.BOUNDARIES:
            np.testing.assert_array_equal(found.values[name][image], by_itself.boundaries[name])
        np.testing.assert_array_equal(found.objects[image], by_itself.objects)
    total = sum(confusion_matrix(store.mask(index), prediction, 3) for index, prediction in shaken(store))
    np.testing.assert_array_equal(found.confusion, total)


def test_the_number_of_threads_changes_nothing(store, monkeypatch):
    rows = []
    for threads in (1, 4):
        monkeypatch.setattr(measure, "THREADS", threads)
        rows.append(list(image_rows(results(store), store.dataset.names, "unet")))
    assert rows[0] == rows[1] and len(rows[0]) == 36 and list(rows[0][0]) == COLUMNS


def test_the_summary_equals_means_of_the_table(store):
    found = results(store)
    table = pd.DataFrame(image_rows(found, store.dataset.names, "unet")).replace("", np.nan)
    scores = summary(found, Scoring(store.dataset, SETTINGS, 0))
    means = table.groupby("class").mean(numeric_only=True)
    totals = table.groupby("class")[["true", "predicted", "overlap"]].sum()
    for name in store.dataset.names:
        for key in ("dice", "iou", "precision", "recall", "surface_dice", "hd95"):
            assert scores["classes"][name][key] == pytest.approx(means.loc[name, key], abs=1e-6)
        pooled = 2 * totals.loc[name, "overlap"] / (totals.loc[name, "true"] + totals.loc[name, "predicted"])
        assert scores["pooled"][name]["dice"] == pytest.approx(pooled, abs=1e-6)
    for key in ("dice", "iou", "surface_dice", "hd95"):
        assert scores[key]["mean"] == pytest.approx(means[key].mean(), abs=1e-6)
        assert scores[key]["low"] < scores[key]["mean"] < scores[key]["high"]


def test_empty_images_are_left_out_and_their_false_alarms_reported(store):
    def predictions():
        for index in EVERY:
            truth = store.mask(index)
            truth[:] = 0 if index < 4 else truth
            found = np.array(truth)
            if index < 3:
                found[:2, :5] = 2  # a false alarm of ten pixels
            yield index, found

    masks = [np.array(store.mask(index)) for index in EVERY]
    store.mask = lambda index: masks[index]
    found = results(store, predictions())
    scores = summary(found, Scoring(store.dataset, SETTINGS, 0))
    second, third = store.dataset.names[1:]
    assert scores["classes"][second] | {"images": 8, "groups": 4, "dice": 1} == scores["classes"][second]
    assert scores["classes"][third]["images"] == 11  # three of them with nothing but a false alarm
    assert scores["classes"][third]["dice"] == pytest.approx(8 / 11, abs=1e-6)
    shares = [10 / store.mask(index).size for index in range(3)]
    expected = {"images": 4, "false_alarms": 3, "area": pytest.approx(sum(shares) / 4, abs=1e-6)}
    assert scores["empty"][third] == expected
    assert scores["empty"][second] == {"images": 4, "false_alarms": 0, "area": 0}
    assert third in scores["classes"] and "hd95" in scores["classes"][third]


def test_a_class_that_no_truth_holds_is_left_out_of_the_mean(store):
    """Else one false pixel of it would count as much as all there is of another class."""
    masks = [np.where(np.array(store.mask(index)) == 2, 0, store.mask(index)).astype(np.uint8) for index in EVERY]
    store.mask = lambda index: masks[index]
    predictions = [np.array(mask) for mask in masks]
    predictions[0][0, 0] = 2
    scores = summary(results(store, enumerate(predictions)), Scoring(store.dataset, SETTINGS, 0))
    third = store.dataset.names[2]
    assert scores["dice"]["mean"] > 0.99 and scores["classes"][third]["dice"] == 0
    assert scores["empty"][third]["false_alarms"] == 1


def test_ignored_pixels_are_not_counted(store):
    masks = [np.array(store.mask(index)) for index in EVERY]
    for mask in masks:
        mask[:, :20] = IGNORE
    store.mask = lambda index: masks[index]
    rng = np.random.default_rng(0)
    predictions = [np.roll(mask, 2, 0) % IGNORE for mask in masks]
    other = [
        np.where(mask == IGNORE, rng.integers(0, 3, mask.shape), found).astype(np.uint8)
        for mask, found in zip(masks, predictions, strict=True)
    ]
    rows = [
        list(image_rows(results(store, enumerate(some)), store.dataset.names, "unet")) for some in (predictions, other)
    ]
    assert rows[0] == rows[1]
    assert all(row["pixels"] == (mask != IGNORE).sum() for row, mask in zip(rows[0][::3], masks, strict=True))


def test_boundaries_and_objects_of_large_images_are_left_out(store, monkeypatch):
    monkeypatch.setattr(measure, "LARGEST", 64 * 64 - 1)
    found = results(store)
    small = [record.height * record.width < 64 * 64 for record in store.records]
    assert found.left_out == 12 - sum(small) > 0
    np.testing.assert_array_equal(~np.isnan(found.values["hd95"][:, 1]), small)
    assert not np.isnan(found.values["dice"]).any()
    row = next(
        row
        for row, whole in zip(list(image_rows(found, store.dataset.names, "unet"))[1::3], small, strict=True)
        if not whole
    )
    assert row["objects_true"] == row["hd95"] == row["object_f1"] == ""
    counts = results(store, tolerance=None)
    assert counts.left_out == 12 and "surface_dice" not in summary(counts, Scoring(store.dataset, SETTINGS, 0))


def test_objects_are_scored_where_there_are_some(store):
    found = results(store)
    assert classes_with_objects(found, "auto", [1, 2]) == [] and classes_with_objects(found, "all", [1, 2]) == [
        1,
        2,
    ]  # a disc of each in each image
    assert classes_with_objects(found, "none", [1, 2]) == []
    found.objects[:, 2] = [3, 2, 1]
    assert classes_with_objects(found, "auto", [1, 2]) == [2]


def test_gain_is_the_difference_of_the_means(store):
    plain, better = results(store), results(store, ((index, store.mask(index)) for index in EVERY))
    found = dice_gain(plain, better, Scoring(store.dataset, SETTINGS, 0))
    mean = np.mean([np.nanmean(plain.values["dice"][:, label]) for label in store.dataset.foreground])
    assert found["gain"] == pytest.approx(1 - mean) and 0 < found["low"] < found["gain"] < found["high"]


def test_write_tables_writes_scores_classes_and_confusion(store, tmp_path):
    found, calibration = results(store), Calibration(Outputs(LabelFormat(3)))
    calibration.add(np.zeros((4, 4, 3), np.float32), np.zeros((4, 4), np.uint8))
    write_tables(
        tmp_path,
        {"unet": found, "colour": results(store, tolerance=None)},
        calibration,
        Scoring(store.dataset, SETTINGS, 0),
    )
    scores = pd.read_csv(tmp_path / "scores.csv")
    assert list(scores.columns) == COLUMNS and set(scores["method"]) == {"unet", "colour"} and len(scores) == 72
    pixels = pd.read_csv(tmp_path / "confusion.csv").pivot(index="actual", columns="predicted", values="pixels")
    np.testing.assert_array_equal(pixels.loc[store.dataset.names, store.dataset.names], found.confusion)
    classes = pd.read_csv(tmp_path / "classes.csv").set_index(["class", "measure"])
    name = store.dataset.names[1]
    assert classes.loc[(name, "dice"), "mean"] == pytest.approx(found.values["dice"][:, 1].mean(), abs=1e-6)
    assert classes.loc[(name, "dice"), "pooled"] == pytest.approx(dice(found.pooled)[1], abs=1e-6)
    assert np.isnan(classes.loc[(name, "hd95"), "pooled"]) and classes.loc[(name, "assd"), "low"] > 0
    rows = [row for row in class_rows(found, Scoring(store.dataset, SETTINGS, 0)) if row["measure"] == "object_f1"]
    assert rows == []  # one disc an image: no separate things
    assert len(pd.read_csv(tmp_path / "reliability.csv")) == len(store.dataset.foreground)


@pytest.fixture
def odd_ones(tmp_path):
    """Twenty like images of a disc; the last ones are dark, blurred, without a disc, and with a small one."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:64, :64]
    for number in range(24):
        radius = {22: 0, 23: 3}.get(number, 14 + number % 5)
        mask = (np.hypot(rows - 32, columns - 32) < radius).astype(np.uint8)
        image = 60 + 60 * mask[..., None] + rng.normal(0, 12, (64, 64, 3))
        image = image / 4 if number == 20 else image
        image = np.repeat(np.repeat(image[::8, ::8], 8, 0), 8, 1) if number == 21 else image
        write_pair(tmp_path / "set", f"{number:02d}", image.clip(0, 255).astype(np.uint8), mask)
    return prepared(tmp_path / "set", tmp_path)


def test_worst_images_come_first_with_their_reasons(odd_ones, tmp_path):
    def predictions():
        for index in range(20, 24):
            found = np.array(odd_ones.mask(index))
            found[:8] = 1 if index != 23 else 0
            if index == 23:
                found[:] = 0
            yield index, found

    found = measure_all(Subset(odd_ones, range(20, 24), list("abcd")), predictions(), 2.0)
    rows = list(worst_rows(found, Subset.ungrouped(odd_ones, range(20, 24)), Subset.ungrouped(odd_ones, range(20))))
    write_csv(tmp_path / "worst.csv", rows, WORST)
    dice = [float(row["dice"]) for row in rows]
    assert dice == sorted(dice) and {row["id"] for row in rows[:2]} == {"22", "23"}
    reasons = {row["id"]: row["reasons"] for row in rows}
    assert reasons["22"].startswith(f"false alarm: it holds no {odd_ones.dataset.names[1]}")
    assert "missed: nothing" in reasons["23"] and "small share: 25 of its pixels" in reasons["23"]
    assert "dark: less brightness than 100% of the training images" in reasons["20"] and "low contrast" in reasons["20"]
    assert "blurred" in reasons["21"] and "blurred" not in reasons["23"]


def test_sharpness_does_not_depend_on_contrast_and_falls_with_blur():
    image = np.random.default_rng(0).normal(100, 20, (60, 60, 3))
    blurred = (image + np.roll(image, 1, 0) + np.roll(image, 1, 1)) / 3
    assert sharpness(blurred) < 0.7 * sharpness(image) == pytest.approx(0.7 * sharpness(image / 3), rel=1e-4)
    assert sharpness(np.full((8, 8, 1), 7, np.uint8)) == 0
