"""Objects of a mask: numbered like scikit-image's components, strip by strip as in one piece, and split at waists."""

import numpy as np
import pytest
from skimage.measure import label, regionprops

import src.objects.components as components
from src.data.classes.label_format import LabelFormat
from src.objects.components import number_objects
from src.objects.split import split_touching
from tests.outlined import blobs, numbered


def small_strips(height, width, rows=3):
    return (slice(top, min(top + rows, height)) for top in range(0, height, rows))


@pytest.mark.parametrize("rows", [1, 3, 1000])
def test_objects_are_the_components_of_each_class(tmp_path, monkeypatch, rows):
    monkeypatch.setattr(components, "strips", lambda *size: small_strips(*size, rows))
    mask = blobs(5)
    objects = number_objects(mask, LabelFormat(3), [1, 2], tmp_path)
    expected = numbered(mask)
    assert len(objects) == expected.max() == objects.numbers.max()
    pairs = np.unique(np.column_stack([objects.numbers.ravel(), expected.ravel()]), axis=0)
    assert len(pairs) == len(objects) + 1  # each of ours is one of scikit-image's
    for region in regionprops(objects.numbers.astype(np.int32)):
        top, left, bottom, right = region.bbox
        assert objects.boxes[region.label - 1].tolist() == [left, top, right, bottom]
        assert (mask[objects.numbers == region.label] == objects.classes[region.label - 1]).all()
    keys = [(one, top, left) for one, (left, top, *_) in zip(objects.classes, objects.boxes, strict=True)]
    assert keys == sorted(keys)


def test_a_spiral_across_all_strips_is_one_object(tmp_path, monkeypatch):
    monkeypatch.setattr(components, "strips", small_strips)
    mask = np.zeros((40, 40), np.uint8)
    mask[::4], mask[:, ::39] = 1, 0
    for row in range(0, 36, 4):
        mask[row : row + 4, 0 if row % 8 else 39] = 1
    assert len(number_objects(mask, LabelFormat(2), [1], tmp_path)) == label(mask, connectivity=2).max() == 1


def test_overlapping_classes_are_numbered_one_by_one(tmp_path):
    labels = np.array([[1, 3, 2, 0, 1]], np.uint8)
    form = LabelFormat(2, overlap=True)
    assert number_objects(labels, form, [0], tmp_path).numbers.tolist() == [[1, 1, 0, 0, 2]]
    assert number_objects(labels, form, [1], tmp_path).numbers.tolist() == [[0, 1, 1, 0, 0]]
    with pytest.raises(ValueError, match="one by one"):
        number_objects(labels, form, [0, 1], tmp_path)


def test_a_mask_without_objects_has_none(tmp_path):
    objects = number_objects(np.zeros((4, 5), np.uint8), LabelFormat(2), [1], tmp_path)
    assert len(objects) == 0 and not objects.numbers.any()
    assert len(number_objects(np.zeros((4, 5), np.uint8), LabelFormat(2), [1], tmp_path, split=True)) == 0


def discs(*centres, side=60, radius=10):
    rows, columns = np.mgrid[:side, :side]
    return np.any([np.hypot(rows - y, columns - x) < radius for y, x in centres], axis=0)


def test_touching_discs_are_split_at_their_waist_and_a_single_disc_is_not():
    parts = split_touching(discs((20, 20), (20, 37)))
    assert parts.max() == 2 and set(np.unique(parts[:, :28])) == {0, 1} and set(np.unique(parts[:, 30:])) == {0, 2}
    assert (parts > 0).sum() == discs((20, 20), (20, 37)).sum()
    for whole in (discs((20, 20)), discs((20, 20), (20, 24)), np.ones((3, 50), bool), np.ones((1, 1), bool)):
        np.testing.assert_array_equal(split_touching(whole), whole)


def test_split_objects_are_numbered_in_order_and_keep_their_class(tmp_path):
    mask = discs((20, 20), (20, 37), (45, 12)).astype(np.uint8) + 2 * discs((47, 45)).astype(np.uint8)
    whole = number_objects(mask, LabelFormat(3), [1, 2], tmp_path)
    split = number_objects(mask, LabelFormat(3), [1, 2], tmp_path, split=True)
    assert (len(whole), len(split)) == (3, 4) and split.classes.tolist() == [1, 1, 1, 2]
    assert split.boxes[:, 1].tolist() == [11, 11, 36, 38]
    np.testing.assert_array_equal(split.numbers > 0, mask > 0)
    for region in regionprops(split.numbers.astype(np.int32)):
        left, top, right, bottom = split.boxes[region.label - 1]
        assert region.bbox == (top, left, bottom, right)
