"""Stored values that may mean "unlabelled": the run stops and proposes `ignore`, or reads them as classes."""

import re

import numpy as np
import pytest

from src.errors import UserError
from tests.conftest import prepared
from tests.corpus import tiff
from tests.mask_sets import BINARY, BLACK, LABELS, RED, check, data_set, indexed

UNLABELLED = {  # stored values in the order of the labels, and the value to ignore
    "-1": ([0, 1, -1], -1),
    "-1 and gaps": ([3, 7, -1], -1),
    "-9999": ([0, 1, -9999], -9999),
    "255 above 1, 2": ([1, 2, 255], 255),
    "255 above 0, 8": ([0, 8, 255], 255),
    "255 above 0, 1": ([0, 1, 255], 255),
    "65535": ([0, 1, 65535], 65535),
}


@pytest.mark.parametrize("name", UNLABELLED)
def test_numbers_that_mean_unlabelled_are_asked_about_with_ignore_first(tmp_path, name):
    values, ignore = UNLABELLED[name]
    dtype = np.uint8 if min(values) >= 0 and max(values) < 256 else np.int32
    contents = [tiff(np.array(values, dtype)[labels]) for labels in LABELS]
    source = data_set(tmp_path / "set", contents)
    with pytest.raises(UserError, match=rf"→ [^;]*: in dataset\.yaml: ignore: {ignore}; or .*classes"):
        prepared(source, tmp_path)
    (source / "dataset.yaml").write_text(f"ignore: {ignore}\n")
    check(prepared(source, tmp_path), [np.array([0, 1, 255], np.uint8)[labels] for labels in LABELS])
    (source / "dataset.yaml").write_text("ignore: none\n")
    try:
        assert len(prepared(source, tmp_path).dataset.classes) == 3
    except UserError as error:
        assert "ignore:" not in str(error)


def test_void_borders_of_palettes_are_asked_about_and_never_called_soft_edges(tmp_path):
    colours = [(n * 3 % 256, n * 5 % 256, n * 7 % 256) for n in range(256)]
    contents = [indexed(np.array([0, 15 if n % 2 else 8, 255])[one], colours) for n, one in enumerate(LABELS)]
    with pytest.raises(UserError, match=r"ignore: 255; or 4 classes") as error:
        prepared(data_set(tmp_path / "set", contents), tmp_path)
    assert "soft edges" not in str(error.value)


def test_the_void_colour_of_voc_is_asked_about(tmp_path):
    colours = np.array([BLACK, RED, (224, 224, 192)], np.uint8)
    with pytest.raises(UserError, match=r'→ [^;]*ignore: "#E0E0C0"; or 3 classes'):
        prepared(data_set(tmp_path / "set", [colours[labels] for labels in LABELS]), tmp_path)


def test_the_no_data_tag_of_a_mask_is_asked_about(tmp_path):
    tag = {"extratags": [(42113, "s", 0, "9", True)]}
    contents = [tiff(np.array([0, 1, 9], np.uint8)[labels], **tag) for labels in LABELS]
    with pytest.raises(UserError, match=r"→ [^;]*ignore: 9; or 3 classes"):
        prepared(data_set(tmp_path / "set", contents), tmp_path)


@pytest.mark.parametrize("values", [[0, 128, 255], [0, 1, 2], [10, 20, 30], [0, 255]])
def test_evenly_spread_greys_are_not_taken_for_unlabelled(tmp_path, values):
    contents = [np.array(values, np.uint8)[np.minimum(labels, len(values) - 1)] for labels in LABELS]
    try:
        assert list(prepared(data_set(tmp_path / "set", contents), tmp_path).dataset.classes) == values
    except UserError as error:  # soft edges are proposed, but no value to ignore
        assert len(values) == 3 and "classes" in str(error) and "ignore:" not in str(error)


@pytest.mark.parametrize(
    ("values", "ignore"),
    [([0, 1, 254], 254), ([0, 1, 99], 99), ([0, 3, 250], 250), ([0, 1, 32767], 32767), ([1, 2, 127], 127)],
)
def test_a_number_far_above_all_others_is_asked_about(tmp_path, values, ignore):
    contents = [tiff(np.array(values, np.int16)[labels]) for labels in LABELS]
    source = data_set(tmp_path / "set", contents)
    with pytest.raises(UserError, match=rf"→ [^;]*: in dataset\.yaml: ignore: {ignore}; or 3 classes"):
        prepared(source, tmp_path)
    (source / "dataset.yaml").write_text(f"ignore: {ignore}\n")
    check(prepared(source, tmp_path), [np.array([0, 1, 255], np.uint8)[labels] for labels in LABELS])


@pytest.mark.parametrize("values", [[0, 7, 26], [0, 50, 100], [0, 60, 120], [0, 1, 2], [2, 5, 9], [0, 10, 50]])
def test_unevenly_spaced_class_values_are_not_taken_for_unlabelled(tmp_path, values):
    check(prepared(data_set(tmp_path / "set", [np.array(values, np.uint8)[x] for x in LABELS]), tmp_path), LABELS)


def test_soft_edges_up_to_white_are_not_taken_for_unlabelled(tmp_path):
    soft = [np.array([0, 28, 60, 199, 227, 251, 255], np.uint8)[x + 4 * (x > 1)] for x in LABELS]
    for array in soft:
        array[0, :5] = 28, 60, 199, 227, 251
    with pytest.raises(UserError, match=r"7 classes: .*foreground with soft edges: .*threshold: 128") as error:
        prepared(data_set(tmp_path / "set", soft), tmp_path)
    assert "ignore" not in str(error.value)


def test_a_second_value_for_unlabelled_is_asked_about_without_proposing_a_second_ignore(tmp_path):
    values = np.array([0, 1, 254, 255], np.uint8)
    labels = [np.where(np.arange(480).reshape(24, 20) % 9 == 0, 3, x) for x in LABELS]
    source = data_set(tmp_path / "set", [values[x] for x in labels])
    with pytest.raises(UserError, match=r"ignore: 255; or .*ignore: 254; or 4 classes"):
        prepared(source, tmp_path)
    (source / "dataset.yaml").write_text("ignore: 255\n")
    with pytest.raises(UserError, match=r"save them with the value 255 \(dataset\.yaml ignores 255") as error:
        prepared(source, tmp_path)
    assert "in dataset.yaml: ignore" not in str(error.value)


def test_with_ignore_none_every_value_is_a_class(tmp_path):
    contents = [np.array([0, 1, 255], np.uint8)[x] for x in LABELS]
    check(prepared(data_set(tmp_path / "set", contents, "ignore: none\n"), tmp_path), LABELS)


def test_minus_one_and_zero_are_asked_about_in_both_orders(tmp_path):
    source = data_set(tmp_path / "set", [tiff(-x.astype(np.int8)) for x in BINARY])
    with pytest.raises(UserError, match=r"-1 is the foreground.*0 is the foreground") as error:
        prepared(source, tmp_path)
    (source / "dataset.yaml").write_text(re.search(r"(classes: \{.*?\})", str(error.value))[1])
    check(prepared(source, tmp_path), BINARY)


def test_a_single_value_besides_the_ignored_one_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"without 0, which dataset.yaml ignores, this is a single class"):
        prepared(data_set(tmp_path / "set", BINARY, "ignore: 0\n"), tmp_path)
