"""Objects against SciPy's labels and loops over all pairs."""

import numpy as np
import pytest
from scipy.ndimage import label as labelled

from src.data.classes.label_format import LabelFormat
from src.data.source.dataset import IGNORE
from src.evaluation.metrics.objects import count_objects, object_scores
from tests.pixel_masks import class_images


def brute_force(truth, prediction, classes):
    counts = []
    for value in range(classes):
        inside = truth != IGNORE
        parts = [labelled((mask == value) & inside, np.ones((3, 3))) for mask in (truth, prediction)]
        sets = [[set(np.flatnonzero(labels == number)) for number in range(1, n + 1)] for labels, n in parts]
        matched = sum(2 * len(one & other) > len(one | other) for one in sets[0] for other in sets[1])
        counts.append([len(sets[0]), len(sets[1]), matched])
    return counts


def test_counts_of_random_masks_equal_plain_loops():
    matched = 0
    for truth, prediction in class_images(2, 500, 3, side=30):
        found = count_objects(truth, prediction, LabelFormat(3))
        assert found.dtype == np.int64 and found.tolist() == brute_force(truth, prediction, 3)
        matched += found[:, 2].sum()
    assert matched > 1000


def test_objects_match_only_above_an_iou_of_one_half():
    truth, prediction = np.zeros((2, 3, 8), np.uint8)
    truth[1, 0:4], prediction[1, 0:2] = 1, 1
    assert count_objects(truth, prediction, LabelFormat(2))[1].tolist() == [1, 1, 0]
    prediction[1, 2] = 1
    assert count_objects(truth, prediction, LabelFormat(2))[1].tolist() == [1, 1, 1]


def test_pixels_that_touch_by_a_corner_are_one_object():
    assert count_objects(np.eye(5, dtype=np.uint8), np.eye(5, dtype=np.uint8), LabelFormat(2)).tolist() == [
        [1, 1, 1],
        [1, 1, 1],
    ]


def test_more_than_65535_objects_are_counted():
    truth = np.zeros((600, 600), np.uint8)
    truth[::2, ::2] = 1
    prediction = truth.copy()
    prediction[0, ::2] = 0
    assert count_objects(truth, prediction, LabelFormat(3)).tolist() == [[1, 1, 1], [90_000, 89_700, 89_700], [0, 0, 0]]


def test_ratios_of_counts():
    counts = np.array([[[4, 5, 3], [0, 0, 0], [2, 0, 0], [0, 2, 0]]])
    precision, recall, f1 = object_scores(counts)
    np.testing.assert_allclose(precision, [[3 / 5, np.nan, np.nan, 0]])
    np.testing.assert_allclose(recall, [[3 / 4, np.nan, 0, np.nan]])
    np.testing.assert_allclose(f1, [[6 / 9, np.nan, 0, 0]])


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="truth is"):
        count_objects(np.zeros((2, LabelFormat(3)), np.uint8), np.zeros((3, 2), np.uint8), 2)
