"""Scores of overlapping classes: each class is judged as a binary problem of its own, held against scikit-learn."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import brier_score_loss, f1_score, hamming_loss, jaccard_score, log_loss
from sklearn.metrics import confusion_matrix as sklearn_confusion_matrix

from src.data.classes.label_format import LabelFormat, pack_planes
from src.data.source.dataset import IGNORE, Dataset
from src.data.store.subsets import Subset
from src.evaluation.metrics.boundary import boundary_scores
from src.evaluation.metrics.calibration import BINS, Calibration
from src.evaluation.metrics.confusion import RATIOS, accuracy, confusion_matrix, pixel_counts
from src.evaluation.metrics.objects import count_objects
from src.evaluation.metrics.outputs import Outputs
from src.evaluation.metrics.postprocess import fill_small_holes, remove_small_objects
from src.evaluation.metrics.remove_small_components import remove_small_components
from src.evaluation.scoring.baseline import ColourClassifier, largest_class
from src.evaluation.scoring.error_analysis import worst_rows
from src.evaluation.scoring.measure import measure_all
from src.evaluation.scoring.scores import Scoring, confusion_rows, summary
from src.evaluation.scoring.tables import write_tables
from src.files import read_csv
from tests.conftest import changed_params, prepared
from tests.test_overlap import NAMES, in_folders

THREE = LabelFormat(3, overlap=True)
TWO = Dataset(classes={0: "nucleus", 1: "cell"}, overlap=True)


def pair(classes=3, size=(40, 60), ignored=0.1, seed=0):
    """A truth and a prediction that agree in two thirds of the pixels, in blocks; some pixels are ignored."""
    rng = np.random.default_rng(seed)
    truth, prediction = (
        rng.integers(0, 2**classes, (size[0] // 4, size[1] // 4), dtype=np.uint8).repeat(4, 0).repeat(4, 1)
        for _ in range(2)
    )
    prediction = np.where(rng.random(size) < 0.6, truth, prediction)
    truth[rng.random(size) < ignored] = IGNORE
    return truth, prediction


def flat_planes(truth, prediction, labels=THREE):
    """The counted pixels of both as bool [n, classes]."""
    return [labels.planes(mask)[truth != IGNORE] for mask in (truth, prediction)]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scores")
    return prepared(in_folders(folder / "set", 8, values=(0, 255)), folder)


def test_ratios_and_accuracy_equal_scikit_learn():
    truth, prediction = pair()
    counts = pixel_counts(confusion_matrix(truth, prediction, THREE.limit), THREE)
    planes = flat_planes(truth, prediction)
    np.testing.assert_allclose(RATIOS["dice"](counts), f1_score(*planes, average=None))
    np.testing.assert_allclose(RATIOS["iou"](counts), jaccard_score(*planes, average=None))
    assert accuracy(counts, THREE) == pytest.approx(1 - hamming_loss(*planes))
    nothing = pixel_counts(confusion_matrix(np.full_like(truth, IGNORE), prediction, THREE.limit), THREE)
    assert np.isnan(accuracy(nothing, THREE)) and np.isnan(RATIOS["dice"](nothing)).all()


def test_classes_that_happen_not_to_overlap_score_like_exclusive_ones():
    """Every pixel is of one class: counts, boundaries and objects are those of the same masks as class indices."""
    rng = np.random.default_rng(0)
    both = [rng.integers(0, 3, (10, 12), dtype=np.uint8).repeat(4, 0).repeat(4, 1) for _ in range(2)]
    both[0][:3, :7] = IGNORE
    sets = [np.where(mask == IGNORE, IGNORE, 1 << (mask & 3)).astype(np.uint8) for mask in both]
    found = [
        (
            pixel_counts(confusion_matrix(*masks, labels.limit), labels),
            boundary_scores(*masks, labels, (1.0, 1.5), 2.0),
            count_objects(*masks, labels),
        )
        for masks, labels in ((both, LabelFormat(3)), (sets, THREE))
    ]
    for one, other in zip(*found, strict=True):
        for a, b in zip(*(part.values() if isinstance(part, dict) else part for part in (one, other)), strict=True):
            np.testing.assert_array_equal(a, b)


def test_boundaries_and_objects_of_a_class_do_not_depend_on_the_other_classes():
    truth, prediction = pair()
    scores, objects = boundary_scores(truth, prediction, THREE, (1, 1), 1), count_objects(truth, prediction, THREE)
    for label in range(3):
        plane = [THREE.of_class(mask, label).view(np.uint8) for mask in (truth, prediction)]
        plane[0][truth == IGNORE] = IGNORE
        alone = boundary_scores(*plane, LabelFormat(2), (1, 1), 1)
        assert [alone[name][1] for name in alone] == [scores[name][label] for name in scores]
        np.testing.assert_array_equal(count_objects(*plane, LabelFormat(2))[1], objects[label])


def test_logits_become_sigmoids_and_sets_of_classes():
    logits = np.array([[0.0, 1.0, -1.0], [3.0, -3.0, 0.1]], np.float32)
    meaning = Outputs(THREE)
    np.testing.assert_allclose(meaning.probabilities(logits, 2.0), expit(logits / 2), atol=1e-6)
    assert meaning.decide(logits).tolist() == [0b010, 0b101]
    assert meaning.decide(logits, [-0.5, 2.0, 0.5]).tolist() == [0b001, 0b001]
    np.testing.assert_array_equal(meaning.decide(logits), pack_planes([logits[..., label] > 0 for label in range(3)]))


def test_probabilities_become_logits_again_and_stay_finite():
    meaning, logits = Outputs(THREE), np.linspace(-12, 12, 60, dtype=np.float32).reshape(20, 3)
    np.testing.assert_allclose(meaning.logits(meaning.probabilities(logits)), logits, rtol=0.02)
    ends = meaning.logits(np.array([[0, 0.5, 1]], np.float32))
    assert np.isfinite(ends).all() and ends[0, 0] == -ends[0, 2] and ends[0, 1] == 0
    mean = meaning.average([logits, np.flip(logits)])
    expected = (expit(logits.astype(float)) + expit(np.flip(logits).astype(float))) / 2
    np.testing.assert_allclose(meaning.probabilities(mean), expected, atol=1e-6)


def test_calibration_is_the_mean_over_the_classes_and_equals_scikit_learn():
    truth, _ = pair()
    logits = np.random.default_rng(1).normal(0, 3, (*truth.shape, 3)).astype(np.float32)
    calibration = Calibration(Outputs(THREE), 1.5)
    for rows in np.array_split(np.arange(len(truth)), 3):
        calibration.add(logits[rows], truth[rows])
    (planes, _), chances = flat_planes(truth, truth), expit(logits[truth != IGNORE].astype(float) / 1.5)
    briers = [brier_score_loss(planes[:, label], chances[:, label]) for label in range(3)]
    assert calibration.brier_score() == pytest.approx(np.mean(briers), abs=1e-6)
    errors = []
    for label in range(3):
        confidence, right = np.maximum(chances, 1 - chances)[:, label], (chances > 0.5)[:, label] == planes[:, label]
        place = np.minimum(confidence * BINS, BINS - 1).astype(int)
        gaps = [abs((right[place == k] - confidence[place == k]).sum()) for k in range(BINS)]
        errors.append(sum(gaps) / len(right))
    assert calibration.expected_calibration_error() == pytest.approx(np.mean(errors), abs=1e-6)
    losses = [log_loss(planes[:, label], chances[:, label]) for label in range(3)]
    counted = truth != IGNORE
    found = Outputs(THREE).negative_log_likelihood(logits[counted], truth[counted], 1.5)
    assert found == pytest.approx(np.mean(losses), abs=1e-5)


def test_specks_and_holes_of_a_class_change_this_class_alone():
    nucleus, cell = np.zeros((2, 20, 20), bool)
    cell[2:18, 2:18], nucleus[5:9, 5:9] = True, True
    nucleus[15, 15] = True  # a speck within the cell
    cell[6, 6] = cell[12, 12] = False  # holes: one of them within the nucleus
    mask = pack_planes([nucleus, cell])
    cleaned, filled = remove_small_objects(mask, TWO, 4), fill_small_holes(mask, TWO, 4)
    labels = LabelFormat.of(TWO)
    for label, plane in enumerate((nucleus, cell)):
        alone = plane.view(np.uint8)
        np.testing.assert_array_equal(labels.of_class(cleaned, label), remove_small_components(alone, [1], 4))
        wanted = remove_small_components(alone, [0], 4, inside=True)
        np.testing.assert_array_equal(labels.of_class(filled, label), wanted)
    assert (cleaned != mask).sum() == 1 and (filled != mask).sum() == 2


def results_of(store):
    rng = np.random.default_rng(0)
    moved = ((index, np.roll(store.mask(index), rng.integers(-2, 3, 2), (0, 1))) for index in range(len(store)))
    groups = [f"g{index}" for index in range(len(store))]
    return measure_all(Subset(store, range(len(store)), groups), moved, 2.0)


def test_the_summary_equals_scikit_learn_on_all_pixels_and_images(store):
    scoring = Scoring(store.dataset, changed_params(**{"evaluate.resamples": 200}).evaluate, 0)
    found, rng = results_of(store), np.random.default_rng(0)
    scores, planes = summary(found, scoring), []
    for index in range(len(store)):
        prediction = np.roll(store.mask(index), rng.integers(-2, 3, 2), (0, 1))
        planes.append([THREE.planes(mask).reshape(-1, 3) for mask in (store.mask(index), prediction)])
    truth, prediction = (np.concatenate(part) for part in zip(*planes, strict=True))
    assert list(scores["classes"]) == list(NAMES)
    for label, name in enumerate(NAMES):
        pooled = f1_score(truth[:, label], prediction[:, label])
        assert scores["pooled"][name]["dice"] == pytest.approx(pooled, abs=1e-6)
        held = [(t[:, label], p[:, label]) for t, p in planes if t[:, label].any() or p[:, label].any()]
        assert scores["classes"][name]["dice"] == pytest.approx(np.mean([f1_score(*one) for one in held]), abs=1e-6)
    assert scores["dice"]["mean"] == pytest.approx(np.mean([scores["classes"][name]["dice"] for name in NAMES]))
    assert scores["accuracy"] == pytest.approx((truth == prediction).mean(), abs=1e-6)


def test_the_confusion_table_holds_each_class_against_its_absence(store, tmp_path):
    found, rows = results_of(store), {}
    for row in confusion_rows(found, store.dataset):
        rows[row["actual"], row["predicted"]] = row["pixels"]
    assert len(rows) == 4 * len(NAMES)
    for label, name in enumerate(NAMES):
        truth = [THREE.of_class(store.mask(index), label).ravel() for index in range(len(store))]
        both = found.pooled.both[label]
        wanted = sklearn_confusion_matrix(np.concatenate(truth), np.concatenate(truth))  # the marginals of the truth
        assert rows[name, name] == both and rows[name, name] + rows[name, f"not {name}"] == wanted[1, 1]
        assert rows[f"not {name}", name] == found.pooled.predicted[label] - both
        assert sum(rows[f"not {name}", other] for other in (name, f"not {name}")) == wanted[0, 0]
    calibration = Calibration(Outputs(THREE))
    calibration.add(np.zeros((24, 20, 3), np.float32), store.mask(0))
    scoring = Scoring(store.dataset, changed_params(**{"evaluate.resamples": 200}).evaluate, 0)
    write_tables(tmp_path, {"unet": found}, calibration, scoring)
    assert {row["class"] for row in read_csv(tmp_path / "precision_recall.csv")} == set(NAMES)


def test_the_colour_baseline_predicts_sets_of_classes_and_no_class_is_the_largest(store, monkeypatch):
    monkeypatch.setattr("src.evaluation.scoring.baseline.TREES", 2)
    subset = Subset.ungrouped(store, range(8))
    predicted = ColourClassifier(subset, 0)(store.image(0))
    assert predicted.dtype == np.uint8 and predicted.max() < THREE.limit
    assert largest_class(subset, subset) == {}
    rows = list(worst_rows(results_of(store), subset, subset))
    assert len(rows) == 8 and {row["worst_class"] for row in rows} <= set(NAMES)


def test_shares_in_reasons_are_of_the_counted_pixels(store):
    """A class that covers most pixels is not rare, although three classes share them."""
    from src.evaluation.scoring.error_analysis import Reference, class_reasons

    found = results_of(store)
    reference = Reference.of(found, Subset.ungrouped(store, range(8)))
    pixels = np.array([[record.counted_pixels] * 3 for record in store.records])
    full = replace(reference, pixels=pixels)  # each class covers all pixels
    assert not any("rare class" in reason for reason in class_reasons(found, 0, 1, store.dataset, full))
    assert any("rare class" in r for r in class_reasons(found, 0, 0, store.dataset, replace(full, pixels=pixels // 9)))
