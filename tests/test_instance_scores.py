"""Objects are scored against the numbers of the masks, held against SciPy's assignment of all pairs."""

import shutil

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import label as labelled
from scipy.optimize import linear_sum_assignment

from src.data.classes.label_format import LabelFormat, pack_planes
from src.data.labelled.remap_classes import remap_classes
from src.data.source.dataset import IGNORE
from src.data.store.subsets import Subset
from src.evaluation.metrics.objects import THRESHOLDS, Numbered, average_precision, count_objects, object_scores
from src.evaluation.scoring.error_analysis import Reference
from src.evaluation.scoring.measure import measure_all
from src.evaluation.scoring.scores import Scoring, class_rows, summary
from src.evaluation.scoring.tables import write_tables
from src.files import read_csv
from src.report.page.tables import headline_scores
from src.report.text.summary import Wording, measured
from tests.conftest import changed_params, prepared
from tests.mask_sets import data_set, settings
from tests.ready_masks import scored

SETTINGS = changed_params(**{"evaluate.resamples": 200}).evaluate
SCIPY_8 = np.ones((3, 3))


def cells(rng, shape=(40, 44), points=9, fill=0.6):
    """Touching cells: the pixels nearest to each of some points, without those far from all points."""
    rows, columns = np.indices(shape)
    distances = np.stack([np.hypot(rows - y, columns - x) for y, x in rng.uniform(0, shape, (points, 2))])
    nearest = distances.argmin(axis=0) + 1
    return np.where(distances.min(axis=0) < fill * 10, nearest, 0).astype(np.uint16)


def assigned(true, predicted, threshold):
    """True, predicted and matched objects: the largest assignment of pairs with an IoU above the threshold."""
    one, other = ([mask == n for n in np.unique(mask[mask > 0])] for mask in (true, predicted))
    iou = np.array([[(a & b).sum() / (a | b).sum() for b in other] for a in one]).reshape(len(one), len(other))
    good = iou > threshold / 100 + 1e-12
    return [len(one), len(other), int(good[linear_sum_assignment(-good.astype(float))].sum())]


def test_counts_at_every_threshold_equal_an_assignment_by_scipy():
    rng, matched = np.random.default_rng(1), np.zeros(len(THRESHOLDS))
    for number in range(30):
        true = cells(rng, points=rng.integers(1, 12), fill=rng.choice([0.3, 0.6, 2]))
        moved = np.roll(true, (number % 3, 0), (0, 1)) * (rng.random(true.shape) > 0.05)
        moved[moved == 2] = 1
        truth, prediction = (true > 0).astype(np.uint8), (moved > 0).astype(np.uint8)
        truth[rng.random(true.shape) < 0.1 * (number % 2)] = IGNORE
        inside = truth != IGNORE
        for numbers in ({}, {1: moved}):
            found = count_objects(truth, prediction, LabelFormat(2), Numbered({1: true}, numbers), THRESHOLDS)
            objects = moved * inside if numbers else labelled((moved > 0) & inside, SCIPY_8)[0]
            wanted = [assigned(true * inside, objects, threshold) for threshold in THRESHOLDS]
            assert found[1].tolist() == wanted[0][:2] + [one[2] for one in wanted]
            matched += found[1, 2:]
    assert matched[0] > 100 and matched[-1] > 10 and (np.diff(matched) < 0).sum() > 3


def test_touching_objects_that_are_predicted_as_one_do_not_match():
    true = np.zeros((6, 12), np.uint16)
    true[1:5, 1:4], true[1:5, 4:9], true[1:5, 10:] = 1, 2, 3
    mask = (true > 0).astype(np.uint8)
    assert count_objects(mask, mask, LabelFormat(2))[1].tolist() == [2, 2, 2]
    counts = count_objects(mask, mask, LabelFormat(2), Numbered({1: true}), THRESHOLDS)
    assert counts[1].tolist() == [3, 2, 2, 2, 2, *[1] * 6]  # 20 of 32 pixels are object 2: an IoU of 0.625
    assert counts[0].tolist() == [1, 1, *[1] * 9]  # the background has components
    np.testing.assert_allclose(object_scores(counts).f1[1], 4 / 5)
    np.testing.assert_allclose(average_precision(counts)[1], [2 / 3] * 3 + [1 / 4] * 6)


def test_objects_in_parts_are_one_and_empty_images_have_no_precision():
    true = np.zeros((5, 9), np.uint16)
    true[1:4, 1:3] = true[1:4, 6:8] = 1
    mask = (true > 0).astype(np.uint8)
    counts = count_objects(mask, mask, LabelFormat(2), Numbered({1: true}, {1: true}), THRESHOLDS)
    assert counts[1].tolist() == [1, 1, *[1] * 9]
    nothing = count_objects(mask * 0, mask * 0, LabelFormat(2), Numbered({1: true * 0}), THRESHOLDS)
    assert np.isnan(average_precision(nothing)[1]).all()
    missed = count_objects(mask, mask * 0, LabelFormat(2), Numbered({1: true}), THRESHOLDS)
    assert (average_precision(missed)[1] == 0).all()


def test_overlapping_classes_are_scored_each_by_its_own_numbers():
    rng = np.random.default_rng(3)
    planes = [cells(rng), cells(rng)]
    labels, form = pack_planes([plane > 0 for plane in planes]), LabelFormat(2, overlap=True)
    found = count_objects(labels, labels, form, Numbered({1: planes[1]}), THRESHOLDS)
    components = labelled(planes[0] > 0, SCIPY_8)[1]
    assert found[0].tolist() == [components] * 11
    assert found[1, :3].tolist() == assigned(planes[1], labelled(planes[1] > 0, SCIPY_8)[0], 50)


MASKS = [cells(np.random.default_rng(seed), (24, 20), 4, 0.5).astype(np.uint8) for seed in range(6)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six images of touching cells, and the same masks as numbers and as foreground in other folders."""
    folder = data_set(tmp_path_factory.mktemp("cells") / "set", MASKS)
    for name, factor in (("numbers", 0), ("foreground", 255)):
        (folder / name).mkdir()
        for number, mask in enumerate(MASKS):
            changed = (mask > 0).astype(np.uint8) * np.uint8(factor) if factor else mask
            Image.fromarray(changed).save(folder / name / f"m{number:02d}.png")
    return folder


@pytest.fixture(scope="module")
def store(folder, tmp_path_factory):
    return prepared(folder, tmp_path_factory.mktemp("store"), masks=settings("instances"))


def wanted(threshold):
    """Counts of objects of perfect foreground masks, [images, 3]."""
    return np.array([assigned(mask, labelled(mask > 0, SCIPY_8)[0], threshold) for mask in MASKS])


def f1(counts):
    return 2 * counts[:, 2] / counts[:, :2].sum(axis=1)


def precision(counts):
    return counts[:, 2] / (counts[:, 0] + counts[:, 1] - counts[:, 2])


def test_scores_of_a_perfect_mask_show_the_cells_that_it_joins(store, tmp_path):
    subset = Subset.ungrouped(store, range(6))
    found = measure_all(subset, ((index, store.mask(index)) for index in range(6)), 2.0)
    scoring = Scoring(store.dataset, SETTINGS, 0)
    scores, halves = summary(found, scoring), wanted(50)
    assert scores["dice"]["mean"] == 1 and f1(halves).mean() < 0.8
    assert scores["object_f1"]["mean"] == pytest.approx(f1(halves).mean(), abs=1e-6)
    assert scores["object_ap_75"]["mean"] == pytest.approx(precision(wanted(75)).mean(), abs=1e-6)
    mean = np.mean([precision(wanted(threshold)) for threshold in THRESHOLDS])
    assert scores["object_ap"]["mean"] == pytest.approx(mean, abs=1e-6)
    assert scores["object_ap"]["low"] < mean < scores["object_ap"]["high"]
    assert scores["classes"]["foreground"]["object_ap"] == pytest.approx(mean, abs=1e-6)
    assert "object_ap" not in scores["classes"]["background"]
    rows = {row["measure"]: row for row in class_rows(found, scoring) if row["class"] == "foreground"}
    assert rows["object_ap_50"]["pooled"] == pytest.approx(precision(halves.sum(axis=0)[None])[0], abs=1e-6)
    write_tables(tmp_path, {"unet": found, "colour": measure_all(subset, shifted(store), None)}, None, scoring)
    table = [row for row in read_csv(tmp_path / "scores.csv") if row["class"] == "foreground"]
    assert [int(row["objects_true"]) for row in table[:6]] == halves[:, 0].tolist()
    assert [float(row["object_ap_90"]) for row in table[:6]] == pytest.approx(precision(wanted(90)), abs=1e-6)
    assert {row["object_ap"] for row in table[6:]} == {""}
    areas = Reference.of(found, subset).areas[:, 1]
    np.testing.assert_allclose(areas, [(mask > 0).sum() / len(np.unique(mask[mask > 0])) for mask in MASKS])
    assert any("AP at an IoU of 0.5 to 0.9" in line for line in measured(scores, Wording()))
    assert "object AP, IoU 0.5 – 0.9" in [one["title"] for one in headline_scores(scores, "pixels")]


def shifted(store):
    return ((index, np.roll(store.mask(index), 1, 0)) for index in range(6))


def test_masks_without_numbers_have_no_average_precision(folder, tmp_path):
    for name, source in (("images", "images"), ("masks", "foreground")):
        shutil.copytree(folder / source, tmp_path / "set" / name)
    plain = prepared(tmp_path / "set", tmp_path)
    found = measure_all(Subset.ungrouped(plain, range(6)), ((i, plain.mask(i)) for i in range(6)), 2.0)
    scores = summary(found, Scoring(plain.dataset, SETTINGS, 0))
    assert not [
        name for name in [*found.values, *scores, *scores["classes"][plain.dataset.names[1]]] if "object_ap" in name
    ]
    assert np.nanmean(found.values["object_f1"][:, 1]) == 1


def test_ready_masks_are_scored_by_their_numbers_if_they_have_any(folder, tmp_path):
    section = {"data.masks": changed_params().data.masks.model_dump() | {"read": "instances"}}
    results, _, ready, _ = scored(folder, tmp_path / "1", folder / "numbers", **section)
    assert (results.values["object_ap"][:, 1] == 1).all() and any("those that they number" in n for n in ready.notes())
    results, _, ready, _ = scored(folder, tmp_path / "2", folder / "foreground", **section)
    np.testing.assert_allclose(results.values["object_f1"][:, 1], f1(wanted(50)))
    assert any(note.endswith("connected components") for note in ready.notes())


def test_numbers_follow_their_class_to_the_classes_of_a_model(folder, tmp_path):
    store = prepared(folder, tmp_path, masks=settings("instances"))
    before = [store.numbers(index)[1].copy() for index in range(6)]
    moved = remap_classes(store, [2, 0], ["cell", "debris", "background"], 2, {})
    assert moved.numbered == [0] and [record.objects[1:] for record in moved.records] == [[0, 0]] * 6
    for index in range(6):
        np.testing.assert_array_equal(moved.numbers(index)[0], before[index])
