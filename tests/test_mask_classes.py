"""Warnings about classes: black and white, background, names, few pixels, absent classes."""

import re

import numpy as np
import pytest
from PIL import Image

from src.data.source.dataset import Dataset, as_yaml, plain_name
from src.data.source.folder_files import View
from src.data.store.prepare import prepare
from src.errors import UserError
from src.files import parse_yaml
from tests.conftest import data_section, prepared
from tests.corpus import png, tiff
from tests.mask_sets import (
    BINARY,
    BLACK,
    GREEN,
    LABELS,
    RED,
    check,
    data_set,
    warnings_of,
)


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_files_with_another_photometric_interpretation_are_listed(tmp_path, kind):
    source = data_set(tmp_path / "set", [255 * one for one in BINARY], "background: background\n")
    for number in range(6):
        path = source / kind / f"m{number:02d}.png"
        grey = np.array(Image.open(path).convert("L"))
        stored = 255 - grey if number in (1, 4) else grey
        path.write_bytes(tiff(stored, photometric="miniswhite" if number in (1, 4) else "minisblack"))
    store = prepared(source, tmp_path)
    check(store, BINARY)
    (row,) = warnings_of(tmp_path)
    assert row["what"].startswith(f"2 of 6 {kind} store white as 0") and "'m01', 'm04'" in row["what"]


SPARSE = [np.where(np.arange(480).reshape(24, 20) % 7 == n, 1, 0).astype(np.uint8) for n in range(6)]


def test_a_background_smaller_than_the_foreground_is_warned_of(tmp_path):
    source = data_set(tmp_path / "set", [255 * (1 - one) for one in SPARSE])
    prepared(source, tmp_path)
    (row,) = warnings_of(tmp_path)
    assert "the background is 'background' (value 0), 14.3% of the pixels, less than the foreground" in row["what"]
    line = row["setting"].partition("other class: ")[2]
    (source / "dataset.yaml").write_text(line)
    store = prepared(source, tmp_path)
    assert not warnings_of(tmp_path)
    assert store.dataset.names[store.dataset.background_index] == "background"
    for index, one in enumerate(SPARSE):
        assert ((store.mask(index) == store.dataset.background_index) == (one == 0)).all()


@pytest.mark.parametrize("classes", ["{0: vessel, 255: paper}", "{255: paper, 0: vessel}"])
def test_a_background_that_follows_only_from_the_order_of_values_is_warned_of(tmp_path, classes):
    source = data_set(tmp_path / "set", [255 * (1 - one) for one in SPARSE], f"classes: {classes}\n")
    store = prepared(source, tmp_path)
    assert store.dataset.names[store.dataset.background_index] == "vessel"
    (row,) = warnings_of(tmp_path)
    assert "'vessel' (value 0), 14.3% of the pixels: this follows only from the order of the values" in row["what"]
    for name in ("vessel", "paper"):
        assert f"background: {name}" in row["setting"]
        (source / "dataset.yaml").write_text(f"classes: {classes}\nbackground: {name}\n")
        store = prepared(source, tmp_path)
        assert store.dataset.names[store.dataset.background_index] == name and not warnings_of(tmp_path)


@pytest.mark.parametrize("name", ["background", "Background", "BG", "bg", "_background_", "back ground"])
def test_a_class_called_background_is_the_background(tmp_path, name):
    source = data_set(tmp_path / "set", LABELS, f"classes: {{1: crop, 0: {name}, 2: weed}}\n")
    dataset = prepared(source, tmp_path).dataset
    assert dataset.background_index == 1 and dataset.foreground == [0, 2]
    (source / "dataset.yaml").write_text(f"classes: {{1: crop, 0: {name}, 2: weed}}\nbackground: none\n")
    assert prepared(source, tmp_path).dataset.foreground == [0, 1, 2]
    (source / "dataset.yaml").write_text(f"classes: {{1: crop, 0: {name}, 2: weed}}\nbackground: weed\n")
    assert prepared(source, tmp_path).dataset.foreground == [0, 1]


@pytest.mark.parametrize("name", ["unlabelled", "Unlabeled", "void", "VOID", "ignore"])
def test_a_class_called_void_is_asked_about(tmp_path, name):
    classes = f"classes: {{0: road, 1: car, 2: {name}}}\n"
    source = data_set(tmp_path / "set", LABELS, classes)
    with pytest.raises(UserError, match=rf"is '{name}' \(value 2\) a class to learn.*ignore: 2 in place.*ignore: none"):
        prepared(source, tmp_path)
    for more in ("ignore: none\n", f"background: {name}\n"):
        (source / "dataset.yaml").write_text(classes + more)
        check(prepared(source, tmp_path), LABELS)
    (source / "dataset.yaml").write_text("classes: {0: road, 1: car}\nignore: 2\n")
    check(prepared(source, tmp_path), [np.array([0, 1, 255], np.uint8)[labels] for labels in LABELS])


def test_class_names_that_differ_in_case_or_blanks_only_are_warned_of(tmp_path):
    source = data_set(tmp_path / "set", LABELS, 'classes: {0: cell, 1: "Cell ", 2: other}\n')
    prepared(source, tmp_path)
    assert [row["what"] for row in warnings_of(tmp_path)] == [
        "the classes 'cell' and 'Cell ' have nearly the same name"
    ]


def test_a_labelmap_of_cvat_in_the_folder_is_warned_of(tmp_path):
    source = data_set(tmp_path / "set", [np.array([BLACK, RED, GREEN], np.uint8)[labels] for labels in LABELS])
    (source / "labelmap.txt").write_text("# label:color_rgb:parts:actions\ncat:200,30,30::\n")
    prepared(source, tmp_path)
    assert [(row["file"], "tools.convert voc" in row["setting"]) for row in warnings_of(tmp_path)] == [
        ("labelmap.txt", True)
    ]


def test_a_class_in_one_mask_or_of_few_pixels_or_in_none_is_warned_of(tmp_path):
    labels = [np.minimum(one, 1) for one in LABELS]
    labels[3][0, :7] = 2
    labels[1][2, 3] = labels[4][5, 6] = 3
    source = data_set(tmp_path / "set", labels, "classes: {0: a, 1: b, 2: c, 3: d, 4: e}\nbackground: a\n")
    prepared(source, tmp_path)
    found = {row["file"]: row["what"] for row in warnings_of(tmp_path)}
    assert found == {
        "m03": "the class 'c' (value 2) is in this mask alone, with 7 pixels",
        "masks": "the class 'd' (value 3) has 2 pixels in all masks: 'm01', 'm04'",
        "dataset.yaml": "no mask holds 1 of the 5 classes: 'e'",
    }


def test_sixteen_bit_grey_masks_are_counted_as_numpy_counts_them(tmp_path):
    arrays = [np.array([0, 300, 40000], np.uint16)[labels] for labels in LABELS]
    source = data_set(tmp_path / "set", [png(array, 16, 0) for array in arrays], "classes: {0: a, 300: b, 40000: c}\n")
    store = prepared(source, tmp_path)
    for record, array in zip(store.records, arrays, strict=True):
        assert record.pixels == [int((array == value).sum()) for value in (0, 300, 40000)]


def test_absent_classes_share_one_finding(tmp_path):
    classes = ", ".join(f"{value}: c{value}" for value in range(60))
    prepared(data_set(tmp_path / "set", LABELS, f"classes: {{{classes}}}\n"), tmp_path)
    (row,) = warnings_of(tmp_path)
    assert row["what"].startswith("no mask holds 57 of the 60 classes: 'c3', 'c4'")


def test_the_ignored_class_may_have_a_colour(tmp_path):
    text = 'classes: {0: road, 1: car, 2: void}\nignore: 2\ncolors: {void: "#000000", car: "#FF0000"}\n'
    store = prepared(data_set(tmp_path / "set", LABELS, text), tmp_path)
    check(store, [np.array([0, 1, 255], np.uint8)[labels] for labels in LABELS])
    assert store.dataset.colors == {"car": "#FF0000"}


def test_generated_names_of_negative_values_are_not_similar_to_others(tmp_path):
    source = data_set(tmp_path / "set", [tiff(np.array([0, 1, -1], np.int8)[x]) for x in LABELS])
    with pytest.raises(UserError) as error:
        prepared(source, tmp_path)
    (source / "dataset.yaml").write_text(re.search(r"(classes: \{.*?\})", str(error.value))[1])
    prepared(source, tmp_path)
    assert not warnings_of(tmp_path)


def test_a_warning_lists_masks_if_all_store_white_as_zero(tmp_path):
    contents = [tiff((255 * (1 - x)).astype(np.uint8), photometric="miniswhite") for x in BINARY]
    source = data_set(tmp_path / "set", contents, "background: background\n")
    store = prepared(source, tmp_path)
    shown = np.array(Image.open(source / "masks/m00.png").convert("L")) > 0
    np.testing.assert_array_equal(store.mask(0), shown)
    (row,) = warnings_of(tmp_path)
    assert row["what"].startswith("6 of 6 masks store white as 0")


@pytest.mark.parametrize("name", ["no", "it's, cell", "a: b", "cell", "null", "1", "-", "background ", "背景", "[x]"])
def test_names_are_quoted_if_yaml_requires_it(tmp_path, name):
    assert parse_yaml(f"background: {as_yaml(name)}\n", tmp_path) == {"background": name}
    assert parse_yaml(f"classes: {{0: {as_yaml(name)}, 1: x}}\n", tmp_path) == {"classes": {0: name, 1: "x"}}


def test_plain_names_keep_separators_between_digits():
    assert plain_name("1-1") != plain_name("11") and plain_name("grade-1") == plain_name("Grade 1")
    assert plain_name("Don't care") == plain_name("dont_care") == "dontcare"


def test_a_class_named_void_is_removed_if_its_value_is_ignored():
    dataset = Dataset(classes={0: "road", 1: "car", 2: "Void"}, ignore=2)
    assert dataset.classes == {0: "road", 1: "car"} and dataset.ignored_value == 2
    with pytest.raises(ValueError, match="ignore: 1 is the value of class car"):
        Dataset(classes={0: "road", 1: "car", 2: "tree"}, ignore=1)


def test_masks_that_cannot_be_used_do_not_make_classes_look_empty(tmp_path):
    source = data_set(tmp_path / "set", LABELS, "classes: {0: background, 1: a}\n")
    with pytest.raises(UserError, match="the mask holds 2, known are 0, 1"):
        prepared(source, tmp_path)
    assert not warnings_of(tmp_path)


def test_a_view_of_a_few_images_gives_no_warning_of_absent_classes(tmp_path):
    source = data_set(tmp_path / "set", LABELS[:5] + BINARY[5:], "classes: {0: background, 1: a, 2: b}\n")
    seen = []
    prepare(data_section(source), tmp_path / "prepared", seen.append, View(only=frozenset({"m00", "m05"})))
    assert [finding.what for finding in seen[0].findings] == []
