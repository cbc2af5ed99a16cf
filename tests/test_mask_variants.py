"""More masks that could be misread: palettes beside grey, markers, objects with gaps, extra channels, names in YAML."""

import re

import numpy as np
import pytest
import tifffile
from PIL import Image

from src.data.source.dataset import Dataset, as_yaml, plain_name
from src.data.source.pairs import View
from src.data.store.prepare import prepare
from src.errors import UserError
from src.files import parse_yaml
from tests.conftest import data_section, prepared
from tests.corpus import palette_image, saved, tiff
from tests.mask_sets import BINARY, LABELS, check, data_set
from tests.test_mask_meaning import BLACK, GREEN, RED, WHITE, objects, settings, warnings_of


def indexed(indices, colours):
    return saved(palette_image(indices.astype(np.uint8), [part for colour in colours for part in colour]), "PNG")


def bits(labels):
    return saved(Image.fromarray(labels * np.uint8(255)).convert("1"), "PNG")


def alternate(one, other):
    """A set whose even masks are written by `one`, the odd ones by `other`."""
    return [other(labels) if number % 2 else one(labels) for number, labels in enumerate(BINARY)]


# Palettes beside other masks


def grey(labels):
    return labels * np.uint8(255)


MIXED = {
    "indices 0, 1 beside grey 0, 255": (lambda x: indexed(x, [BLACK, WHITE]), grey),
    "white first beside grey": (lambda x: indexed(1 - x, [WHITE, BLACK]), grey),
    "white first beside bits": (lambda x: indexed(1 - x, [WHITE, BLACK]), bits),
    "beside grey as RGB": (lambda x: indexed(x, [BLACK, WHITE]), lambda x: np.dstack([grey(x)] * 3)),
    "white is index 1, or 255": (
        lambda x: indexed(x, [BLACK, WHITE]),
        lambda x: indexed(grey(x), [(n, n, n) for n in range(256)]),
    ),
}


@pytest.mark.parametrize("name", MIXED)
def test_palettes_that_grey_masks_contradict_stop_the_run_and_the_line_shown_reads_them(tmp_path, name):
    source = data_set(tmp_path / "set", alternate(*MIXED[name]))
    with pytest.raises(UserError, match=r"palettes differ: .*'m0") as error:
        prepared(source, tmp_path)
    line = re.search(r"in dataset\.yaml: (classes: \{.*?\})", str(error.value))[1]
    (source / "dataset.yaml").write_text(line)
    check(prepared(source, tmp_path), BINARY)


def test_black_at_another_index_than_0_beside_grey_masks_stops_the_run(tmp_path):
    contents = alternate(lambda x: indexed(1 - x, [RED, BLACK]), bits)
    with pytest.raises(UserError, match=r"index 0 is #C81E1E in 'm00', but not in 'm0\d', which is grey"):
        prepared(data_set(tmp_path / "set", contents), tmp_path)


AGREE = {
    "a red palette beside grey 0, 1": (lambda x: indexed(x, [BLACK, RED]), lambda x: x),
    "a red palette beside bits": (lambda x: indexed(x, [BLACK, RED]), bits),
    "black and white beside bits": (lambda x: indexed(x, [BLACK, WHITE]), bits),
    "greys at their own index beside grey": (lambda x: indexed(grey(x), [(n, n, n) for n in range(256)]), grey),
}


@pytest.mark.parametrize("name", AGREE)
def test_palettes_that_other_masks_agree_with_need_no_decision(tmp_path, name):
    check(prepared(data_set(tmp_path / "set", alternate(*AGREE[name])), tmp_path), BINARY)
    assert not [row for row in warnings_of(tmp_path) if "palette" in row["what"]]


def test_palettes_beside_colours_are_read_as_colours_by_the_line_shown(tmp_path):
    colours = np.array([BLACK, RED, GREEN], np.uint8)
    contents = [colours[x] if n % 2 else indexed(x, colours.tolist()) for n, x in enumerate(LABELS)]
    source = data_set(tmp_path / "set", contents)
    with pytest.raises(UserError, match="the mask is in colour, most masks are in grey") as error:
        prepared(source, tmp_path)
    assert "data.masks.read: alpha" not in str(error.value)
    (source / "dataset.yaml").write_text(re.search(r"in dataset\.yaml: (classes: \{.*?\})", str(error.value))[1])
    store = prepared(source, tmp_path)
    codes = np.array(store.dataset.stored_values)
    for index, labels in enumerate(LABELS):
        np.testing.assert_array_equal(codes[store.mask(index)], colours[labels].astype(int) @ [65536, 256, 1])


def test_the_value_to_ignore_is_a_colour_in_the_line_that_reads_palettes_as_colours(tmp_path):
    orders = [[0, 1, 2], [1, 0, 2]]
    colours = [BLACK, RED, GREEN]
    contents = [
        indexed(np.argsort(orders[n % 2])[x], [colours[i] for i in orders[n % 2]]) for n, x in enumerate(LABELS)
    ]
    source = data_set(tmp_path / "set", contents, "ignore: 2\n")
    with pytest.raises(UserError, match=r'and ignore: "#1EC81E" in place of ignore: 2') as error:
        prepared(source, tmp_path)
    (source / "dataset.yaml").write_text(
        re.search(r"(classes: \{.*?\})", str(error.value))[1] + '\nignore: "#1EC81E"\n'
    )
    check(prepared(source, tmp_path), [np.array([0, 1, 255], np.uint8)[x] for x in LABELS])


def test_objects_in_palettes_with_another_background_are_refused(tmp_path):
    contents = [indexed(x if n % 2 else 1 - x, [BLACK, RED] if n % 2 else [RED, BLACK]) for n, x in enumerate(BINARY)]
    with pytest.raises(UserError, match=r"palettes differ: index 0 .*read: instances takes index 0 for the background"):
        prepared(data_set(tmp_path / "set", contents), tmp_path, masks=settings("instances"))


def test_a_palette_that_shows_the_background_lighter_than_the_foreground_is_warned_of(tmp_path):
    mostly_white = [np.where(np.arange(480).reshape(24, 20) % 7 == n, 1, 0).astype(np.uint8) for n in range(6)]
    source = data_set(tmp_path / "set", [indexed(x, [WHITE, BLACK]) for x in mostly_white])
    check(prepared(source, tmp_path), mostly_white)
    (row,) = warnings_of(tmp_path)
    assert "show the background (index 0) lighter" in row["what"]
    (source / "dataset.yaml").write_text(row["setting"].partition("other class: ")[2])
    store = prepared(source, tmp_path)
    assert store.dataset.classes == {1: "background", 0: "foreground"} and store.dataset.background_index == 0


def test_two_palette_indices_of_one_colour_are_warned_of(tmp_path):
    prepared(data_set(tmp_path / "set", [indexed(x, [BLACK, RED, RED]) for x in LABELS]), tmp_path)
    (row,) = warnings_of(tmp_path)
    assert row["what"] == "the palette indices 1, 2 have one colour, #C81E1E, and are 2 classes"


# Numbers that mean that nobody labelled the pixel


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
def test_uneven_class_values_are_no_markers(tmp_path, values):
    check(prepared(data_set(tmp_path / "set", [np.array(values, np.uint8)[x] for x in LABELS]), tmp_path), LABELS)


def test_soft_edges_up_to_white_are_no_markers(tmp_path):
    soft = [np.array([0, 28, 60, 199, 227, 251, 255], np.uint8)[x + 4 * (x > 1)] for x in LABELS]
    for array in soft:
        array[0, :5] = 28, 60, 199, 227, 251
    with pytest.raises(UserError, match=r"7 classes: .*foreground with soft edges: .*threshold: 128") as error:
        prepared(data_set(tmp_path / "set", soft), tmp_path)
    assert "ignore" not in str(error.value)


def test_a_second_marker_is_asked_about_without_a_line_that_would_be_refused(tmp_path):
    values = np.array([0, 1, 254, 255], np.uint8)
    labels = [np.where(np.arange(480).reshape(24, 20) % 9 == 0, 3, x) for x in LABELS]
    source = data_set(tmp_path / "set", [values[x] for x in labels])
    with pytest.raises(UserError, match=r"ignore: 255; or .*ignore: 254; or 4 classes"):
        prepared(source, tmp_path)
    (source / "dataset.yaml").write_text("ignore: 255\n")
    with pytest.raises(UserError, match=r"save them with the value 255 \(dataset\.yaml ignores 255") as error:
        prepared(source, tmp_path)
    assert "in dataset.yaml: ignore" not in str(error.value)


def test_where_no_value_is_ignored_every_value_is_a_class(tmp_path):
    contents = [np.array([0, 1, 255], np.uint8)[x] for x in LABELS]
    check(prepared(data_set(tmp_path / "set", contents, "ignore: none\n"), tmp_path), LABELS)


def test_names_for_negative_classes_are_not_nearly_those_of_others(tmp_path):
    source = data_set(tmp_path / "set", [tiff(np.array([0, 1, -1], np.int8)[x]) for x in LABELS])
    with pytest.raises(UserError) as error:
        prepared(source, tmp_path)
    (source / "dataset.yaml").write_text(re.search(r"(classes: \{.*?\})", str(error.value))[1])
    prepared(source, tmp_path)
    assert not warnings_of(tmp_path)


def test_minus_one_and_zero_are_asked_about_in_both_orders(tmp_path):
    source = data_set(tmp_path / "set", [tiff(-x.astype(np.int8)) for x in BINARY])
    with pytest.raises(UserError, match=r"-1 is the foreground.*0 is the foreground") as error:
        prepared(source, tmp_path)
    (source / "dataset.yaml").write_text(re.search(r"(classes: \{.*?\})", str(error.value))[1])
    check(prepared(source, tmp_path), BINARY)


@pytest.mark.parametrize(("marker", "dtype"), [(255, np.uint8), (-1, np.int16), (65535, np.uint16)])
def test_markers_among_numbered_objects_are_asked_about(tmp_path, marker, dtype):
    arrays = [objects(*range(1, 4 + n)).astype(dtype) for n in range(4)]
    for array in arrays:
        array[0] = marker
    source = data_set(tmp_path / "set", [tiff(array) for array in arrays])
    with pytest.raises(UserError, match=rf"masks hold {marker} \(as in 'm00'\).*ignore: {marker}, if they are"):
        prepared(source, tmp_path, masks=settings("instances"))
    wanted = [(array != 0).astype(np.uint8) for array in arrays]
    (source / "dataset.yaml").write_text("ignore: none\n")
    check(prepared(source, tmp_path, masks=settings("instances")), wanted)
    (source / "dataset.yaml").write_text(f"ignore: {marker}\n")
    for one in wanted:
        one[0] = 255
    check(prepared(source, tmp_path, masks=settings("instances")), wanted)


def test_a_single_value_beside_the_ignored_one_is_said(tmp_path):
    with pytest.raises(UserError, match=r"without 0, which dataset.yaml ignores, there is nothing to tell apart"):
        prepared(data_set(tmp_path / "set", BINARY, "ignore: 0\n"), tmp_path)


# Extra channels


def test_alpha_that_is_not_the_last_channel_takes_none_away(tmp_path):
    source = data_set(tmp_path / "set", BINARY, "background: background\n")
    rng = np.random.default_rng(0)
    for path in (source / "images").iterdir():
        path.write_bytes(tiff(rng.integers(0, 255, (24, 20, 5), np.uint8), photometric="rgb", extrasamples=[2, 0]))
    store = prepared(source, tmp_path)
    np.testing.assert_array_equal(store.image(0), tifffile.imread(source / "images/m00.png"))


def test_an_empty_mask_among_masks_in_alpha_is_read_by_the_line_shown(tmp_path):
    drawn = [x * (n > 0) for n, x in enumerate(BINARY)]
    contents = [saved(Image.fromarray(np.dstack([np.full((24, 20, 3), 255, np.uint8), 255 * x])), "PNG") for x in drawn]
    source = data_set(tmp_path / "set", contents)
    with pytest.raises(UserError, match=r"'m00': the mask is in grey, .* in params\.yaml: data\.masks\.read: alpha"):
        prepared(source, tmp_path)
    check(prepared(source, tmp_path, masks=settings("alpha")), drawn)


def test_a_threshold_takes_one_hot_masks_by_the_number_of_their_channel(tmp_path):
    one_hot = [255 * (np.arange(2) == x[..., None]).astype(np.uint8) for x in BINARY]
    contents = [tiff(one_hot[n], photometric="minisblack") if n % 2 else grey(x) for n, x in enumerate(BINARY)]
    source = data_set(tmp_path / "set", contents)
    with pytest.raises(UserError, match=r"foreground as 1 in some masks, as 255 in others.*threshold: 1"):
        prepared(source, tmp_path)
    check(prepared(source, tmp_path, masks=settings(threshold=1)), BINARY)


# Photometric interpretation


def test_masks_that_all_store_white_as_zero_are_named(tmp_path):
    contents = [tiff((255 * (1 - x)).astype(np.uint8), photometric="miniswhite") for x in BINARY]
    source = data_set(tmp_path / "set", contents, "background: background\n")
    store = prepared(source, tmp_path)
    shown = np.array(Image.open(source / "masks/m00.png").convert("L")) > 0
    np.testing.assert_array_equal(store.mask(0), shown)
    (row,) = warnings_of(tmp_path)
    assert row["what"].startswith("6 of 6 masks store white as 0")


# Class names


@pytest.mark.parametrize("name", ["no", "it's, cell", "a: b", "cell", "null", "1", "-", "background ", "背景", "[x]"])
def test_names_are_quoted_where_yaml_needs_it(tmp_path, name):
    assert parse_yaml(f"background: {as_yaml(name)}\n", tmp_path) == {"background": name}
    assert parse_yaml(f"classes: {{0: {as_yaml(name)}, 1: x}}\n", tmp_path) == {"classes": {0: name, 1: "x"}}


def test_plain_names_keep_what_stands_between_digits():
    assert plain_name("1-1") != plain_name("11") and plain_name("grade-1") == plain_name("Grade 1")
    assert plain_name("Don't care") == plain_name("dont_care") == "dontcare"


def test_the_class_to_ignore_is_no_class_where_its_name_says_so():
    dataset = Dataset(classes={0: "road", 1: "car", 2: "Void"}, ignore=2)
    assert dataset.classes == {0: "road", 1: "car"} and dataset.ignored_value == 2
    with pytest.raises(ValueError, match="ignore: 1 is the value of class car"):
        Dataset(classes={0: "road", 1: "car", 2: "tree"}, ignore=1)


def test_masks_that_cannot_be_used_do_not_make_classes_look_empty(tmp_path):
    source = data_set(tmp_path / "set", LABELS, "classes: {0: background, 1: a}\n")
    with pytest.raises(UserError, match="the mask holds 2, known are 0, 1"):
        prepared(source, tmp_path)
    assert not warnings_of(tmp_path)


def test_a_few_wanted_images_are_not_warned_of_for_the_classes_that_they_lack(tmp_path):
    source = data_set(tmp_path / "set", LABELS[:5] + BINARY[5:], "classes: {0: background, 1: a, 2: b}\n")
    seen = []
    prepare(data_section(source), tmp_path / "prepared", seen.append, View(only=frozenset({"m00", "m05"})))
    assert [finding.what for finding in seen[0].findings] == []
