"""Masks with palettes: different palettes, palettes among grey or colour masks, and what is proposed."""

import re

import numpy as np
import pytest
from PIL import Image

from src.errors import UserError
from tests.conftest import prepared
from tests.corpus import saved
from tests.mask_sets import (
    BINARY,
    BLACK,
    BLUE,
    GREEN,
    LABELS,
    RED,
    WHITE,
    check,
    data_set,
    indexed,
    settings,
    warnings_of,
)


def own_palette(labels, colours, order, format="PNG"):
    """The picture `colours[labels]` as a palette image. Its palette has the colours in this order."""
    place = np.argsort(order)
    return indexed(place[labels], [colours[index] for index in order], format)


def bits(labels):
    return saved(Image.fromarray(labels * np.uint8(255)).convert("1"), "PNG")


def alternate(one, other):
    """Masks of which `one` writes those with even numbers, `other` those with odd numbers."""
    return [other(labels) if number % 2 else one(labels) for number, labels in enumerate(BINARY)]


def grey(labels):
    return labels * np.uint8(255)


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF"])
@pytest.mark.parametrize("classes", [2, 3])
def test_different_palettes_stop_the_run_and_the_proposed_line_reads_colours(tmp_path, format, classes):
    colours = [BLACK, RED, GREEN][:classes]
    orders = [list(range(classes)), list(range(classes))[::-1]]
    labels = [np.minimum(one, classes - 1) for one in LABELS]
    contents = [own_palette(one, colours, orders[number % 2], format) for number, one in enumerate(labels)]
    source = data_set(tmp_path / "set", contents)
    with pytest.raises(UserError, match=r"index 0 is #000000 in 'm00' and #[0-9A-F]{6} in 'm01'") as error:
        prepared(source, tmp_path)
    line = re.search(r"in dataset\.yaml: (classes: \{.*?\})", str(error.value))[1]
    (source / "dataset.yaml").write_text(line)
    store = prepared(source, tmp_path)
    for index, name in enumerate(sorted(path.name for path in (source / "masks").iterdir())):
        shown = np.array(Image.open(source / "masks" / name).convert("RGB")).astype(int) @ [65536, 256, 1]
        np.testing.assert_array_equal(np.array(store.dataset.stored_values)[store.mask(index)], shown)


def test_different_palettes_stop_the_run_even_if_classes_are_named_by_number(tmp_path):
    contents = [own_palette(one, [BLACK, RED], [n % 2, 1 - n % 2]) for n, one in enumerate(BINARY)]
    source = data_set(tmp_path / "set", contents, "classes: {0: background, 1: cell}\n")
    with pytest.raises(UserError, match=r"palettes differ.*data\.masks\.read: indices"):
        prepared(source, tmp_path)


def test_palette_indices_are_read_as_stored_with_read_indices(tmp_path):
    contents = [indexed(one, [BLACK, RED if n % 2 else BLUE]) for n, one in enumerate(BINARY)]
    source = data_set(tmp_path / "set", contents)
    with pytest.raises(UserError, match=r"index 1 is #1E1EC8 in 'm00' and #C81E1E in 'm01'"):
        prepared(source, tmp_path)
    check(prepared(source, tmp_path, masks=settings("indices")), BINARY)


def test_palettes_that_differ_only_in_unused_colours_are_accepted(tmp_path):
    contents = [indexed(one, [BLACK, RED, GREEN if n % 2 else BLUE]) for n, one in enumerate(BINARY)]
    check(prepared(data_set(tmp_path / "set", contents), tmp_path), BINARY)


def test_one_palette_for_all_files_with_a_colour_at_two_indices_is_no_conflict(tmp_path):
    colours = [BLACK, GREEN, RED, RED]
    masks = [np.where(one == 2, 3 if n % 2 else 2, one) for n, one in enumerate(LABELS)]
    source = data_set(tmp_path / "set", [indexed(one, colours) for one in masks], "classes: {0: a, 1: b, 2: c, 3: d}\n")
    check(prepared(source, tmp_path), [one.astype(np.uint8) for one in masks])


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
def test_palettes_that_contradict_grey_masks_stop_the_run_and_the_proposed_line_reads_both(tmp_path, name):
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
def test_palettes_that_agree_with_other_masks_need_no_decision(tmp_path, name):
    check(prepared(data_set(tmp_path / "set", alternate(*AGREE[name])), tmp_path), BINARY)
    assert not [row for row in warnings_of(tmp_path) if "palette" in row["what"]]


def test_palettes_among_colour_masks_are_read_as_colours_by_the_proposed_line(tmp_path):
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


def test_the_proposed_line_for_colours_gives_the_ignored_value_as_a_colour(tmp_path):
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
