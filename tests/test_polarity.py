"""Warnings about a background that does not follow from the values, and about two kinds of masks."""

import numpy as np
import pytest
from PIL import Image

from tests.conftest import prepared
from tests.corpus import saved
from tests.mask_sets import LABELS, data_set, warnings_of

SPARSE = [np.where(np.arange(480).reshape(24, 20) % 7 == n, 1, 0).astype(np.uint8) for n in range(6)]
UNDECIDED = {
    "grey without 0": np.array([1, 2], np.uint8),
    "grey 128 and 255": np.array([128, 255], np.uint8),
    "colours without black": np.array([(30, 30, 200), (200, 30, 30)], np.uint8),
    "white and red": np.array([(255, 0, 0), (255, 255, 255)], np.uint8),
}


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("name", UNDECIDED)
def test_a_background_that_is_only_the_lower_value_is_warned_of(tmp_path, name, inverted):
    labels = [1 - x if inverted else x for x in SPARSE]
    contents = [saved(Image.fromarray(UNDECIDED[name][x]), "PNG") for x in labels]
    source = data_set(tmp_path / "set", contents)
    prepared(source, tmp_path)
    (row,) = warnings_of(tmp_path)
    assert "this follows only from the order of the values" in row["what"]
    right, _, swapped = row["setting"].partition("; if it is the other class: ")
    for line, background in ((right.partition("dataset.yaml: ")[2], 0), (swapped, 1)):
        (source / "dataset.yaml").write_text(line)
        store = prepared(source, tmp_path)
        assert not any("lower one" in row["what"] for row in warnings_of(tmp_path))
        for index, x in enumerate(labels):
            np.testing.assert_array_equal(store.mask(index) == store.dataset.background_index, x == background)


@pytest.mark.parametrize("values", [[0, 1], [0, 255], [0, 7], [(0, 0, 0), (200, 30, 30)], [(0, 0, 0), (255,) * 3]])
def test_a_usual_background_of_0_or_black_gives_no_warning(tmp_path, values):
    contents = [saved(Image.fromarray(np.array(values, np.uint8)[x]), "PNG") for x in SPARSE]
    store = prepared(data_set(tmp_path / "set", contents), tmp_path)
    assert not warnings_of(tmp_path)
    np.testing.assert_array_equal(store.mask(0), SPARSE[0])


TWO_KINDS = {
    "grey 0, 1, 2 and 0, 85, 170": ([0, 1, 2], [0, 85, 170], "1, 2 as in 'm00', the others 85, 170 as in 'm01'"),
    "no common value": ([0, 1, 2], [253, 254, 255], "0, 1, 2 as in 'm00', the others 253, 254, 255 as in 'm01'"),
}


@pytest.mark.parametrize("name", TWO_KINDS)
def test_two_kinds_of_masks_that_share_no_class_are_warned_of(tmp_path, name):
    *values, words = TWO_KINDS[name]
    contents = [np.array(values[n % 2], np.uint8)[x] for n, x in enumerate(LABELS)]
    source = data_set(tmp_path / "set", contents, "ignore: none\n")
    prepared(source, tmp_path)
    assert [row["what"] for row in warnings_of(tmp_path)] == [f"some masks hold {words}, and no mask holds both"]


def test_masks_with_one_class_each_give_no_warning(tmp_path):
    contents = [np.where(x > 0, n % 4 + 1, 0).astype(np.uint8) for n, x in enumerate(LABELS + LABELS)]
    prepared(data_set(tmp_path / "set", contents), tmp_path)
    assert not [row for row in warnings_of(tmp_path) if "no mask holds both" in row["what"]]
