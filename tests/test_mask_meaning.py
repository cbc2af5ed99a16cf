"""Masks whose values could be taken for something else: the run stops, warns or reads them as an independent reader."""

import re

import numpy as np
import pytest
import tifffile
from PIL import Image

from src.errors import UserError
from src.files import read_csv
from tests.conftest import prepared
from tests.corpus import palette_image, png, saved, tiff
from tests.mask_sets import BINARY, LABELS, check, data_set

RED, GREEN, BLUE, BLACK, WHITE = (200, 30, 30), (30, 200, 30), (30, 30, 200), (0, 0, 0), (255, 255, 255)


def settings(read="auto", threshold=0):
    return {"read": read, "threshold": threshold}


def warnings_of(folder):
    return [row for row in read_csv(folder / "checks.csv") if row["severity"] == "warning"]


def indexed(labels, colours, format="PNG"):
    """Class indices as a palette image whose palette holds the colours in another order for every call."""
    return saved(palette_image(labels.astype(np.uint8), [part for colour in colours for part in colour]), format)


def own_palette(labels, colours, order, format="PNG"):
    """The picture `colours[labels]` as palette image whose palette begins with the colours in this order."""
    place = np.argsort(order)
    return indexed(place[labels], [colours[index] for index in order], format)


# Palettes


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF"])
@pytest.mark.parametrize("classes", [2, 3])
def test_palettes_that_differ_stop_the_run_and_the_line_shown_reads_colours(tmp_path, format, classes):
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


def test_palettes_that_differ_stop_the_run_also_where_numbers_are_named(tmp_path):
    contents = [own_palette(one, [BLACK, RED], [n % 2, 1 - n % 2]) for n, one in enumerate(BINARY)]
    source = data_set(tmp_path / "set", contents, "classes: {0: background, 1: cell}\n")
    with pytest.raises(UserError, match=r"palettes differ.*data\.masks\.read: indices"):
        prepared(source, tmp_path)


def test_indices_are_read_as_they_are_where_the_setting_says_so(tmp_path):
    contents = [indexed(one, [BLACK, RED if n % 2 else BLUE]) for n, one in enumerate(BINARY)]
    source = data_set(tmp_path / "set", contents)
    with pytest.raises(UserError, match=r"index 1 is #1E1EC8 in 'm00' and #C81E1E in 'm01'"):
        prepared(source, tmp_path)
    check(prepared(source, tmp_path, masks=settings("indices")), BINARY)


def test_palettes_that_differ_only_in_colours_nobody_uses_are_alike(tmp_path):
    contents = [indexed(one, [BLACK, RED, GREEN if n % 2 else BLUE]) for n, one in enumerate(BINARY)]
    check(prepared(data_set(tmp_path / "set", contents), tmp_path), BINARY)


# Numbers that mean that nobody labelled the pixel


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
        prepared(data_set(tmp_path / "set", contents), tmp_path)
    except UserError as error:
        assert "ignore:" not in str(error)


# Numbered objects


def objects(*numbers):
    """A mask of 24 × 20 pixels with background 0 and a stripe of each number."""
    mask = np.zeros((24, 20), np.int64)
    for place, number in enumerate(numbers):
        mask[2 + 2 * (place % 10), 1 + 9 * (place // 10) : 8 + 9 * (place // 10)] = number
    return mask


NUMBERED = {
    "four masks, more in each": ([range(1, 4 + 3 * n) for n in range(4)], np.uint16),
    "two masks of 8 bits": ([range(1, 5), range(1, 8)], np.uint8),
    "two masks of 16 bits, equal counts": ([range(1, 6), range(1, 6)], np.uint16),
    "numbers go on in the next mask": ([range(1, 5), range(5, 9), range(9, 12)], np.uint8),
    "16 bits, some objects were removed": ([(1, 2, 5, 9), (1, 3, 4), (2, 7, 8), (1, 2, 3), (4, 6)], np.uint16),
    "one or two cells in each": ([(1,), (1, 2), (1,)], np.uint16),
}


@pytest.mark.parametrize("name", NUMBERED)
def test_numbered_objects_are_asked_about_from_two_masks_on(tmp_path, name):
    numbers, dtype = NUMBERED[name]
    arrays = [objects(*one).astype(dtype) for one in numbers]
    source = data_set(tmp_path / "set", [tiff(array) for array in arrays])
    with pytest.raises(UserError, match=r"numbered objects on background 0: in params\.yaml: data\.masks\.read: inst"):
        prepared(source, tmp_path)
    check(prepared(source, tmp_path, masks=settings("instances")), [(array > 0).astype(np.uint8) for array in arrays])


def test_the_same_classes_in_every_mask_are_no_numbered_objects(tmp_path):
    check(prepared(data_set(tmp_path / "set", [tiff(one.astype(np.int16)) for one in LABELS]), tmp_path), LABELS)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("ignore", [False, True])
def test_colour_coded_objects_are_read_as_foreground(tmp_path, dtype, ignore):
    rng = np.random.default_rng(0)
    scale = 256 if dtype == np.uint16 else 1
    colours = np.concatenate([[BLACK], rng.integers(1, 250, (30, 3))]) * scale
    arrays = [rng.integers(0, 31, (24, 20)) for _ in range(3)]
    pictures = [colours[array].astype(dtype) for array in arrays]
    wanted = [(array > 0).astype(np.uint8) for array in arrays]
    if ignore and dtype == np.uint8:
        for picture, one in zip(pictures, wanted, strict=True):
            picture[:3], one[:3] = WHITE, 255
    contents = [tiff(picture, photometric="rgb") for picture in pictures]
    text = 'ignore: "#FFFFFF"\n' if ignore and dtype == np.uint8 else ""
    store = prepared(data_set(tmp_path / "set", contents, text), tmp_path, masks=settings("instances"))
    check(store, wanted)
    assert store.dataset.classes == {0: "background", 1: "foreground"}


# Extra channels


def one_hot(labels, classes, dtype=np.uint8, top=255):
    return (np.arange(classes)[:, None, None] == labels).astype(dtype) * dtype(top)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint8, 1), (np.float32, 1), (np.uint16, 65535)])
@pytest.mark.parametrize("classes", [2, 4])
def test_one_hot_masks_are_the_numbers_of_their_channels(tmp_path, classes, dtype, top, last):
    labels = [one if classes > 2 else np.minimum(one, 1) for one in LABELS]
    arrays = [one_hot(one, classes, dtype, top) for one in labels]
    arrays = [np.ascontiguousarray(np.moveaxis(array, 0, -1)) if last else array for array in arrays]
    planar = {"planarconfig": "contig" if last else "separate", "photometric": "minisblack"}
    store = prepared(data_set(tmp_path / "set", [tiff(array, **planar) for array in arrays]), tmp_path)
    for index, array in enumerate(arrays):
        path = tmp_path / "set/masks" / f"m{index:02d}.png"
        held = tifffile.imread(path)
        assert held.shape == array.shape
        np.testing.assert_array_equal(store.mask(index), held.argmax(-1 if last else 0))


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_channels_that_overlap_or_leave_pixels_out_are_refused(tmp_path, channels):
    arrays = [one_hot(one, channels) for one in LABELS[:3]]
    for array in arrays:
        array[:, 0, 0] = 0
        array[:2, 1, 1] = 255
    source = data_set(
        tmp_path / "set", [tiff(one, planarconfig="separate", photometric="minisblack") for one in arrays]
    )
    with pytest.raises(UserError, match=f"has {channels} channels, which are neither RGB nor one-hot"):
        prepared(source, tmp_path)


def test_grey_with_alpha_that_complement_each_other_are_not_inverted(tmp_path):
    arrays = [np.stack([255 * (1 - one), 255 * one], -1).astype(np.uint8) for one in BINARY]
    store = prepared(data_set(tmp_path / "set", [saved(Image.fromarray(a, "LA"), "PNG") for a in arrays]), tmp_path)
    check(store, BINARY)
    drawn = [np.dstack([255 * (1 - one)] * 3 + [255 * one]).astype(np.uint8) for one in BINARY]
    check(
        prepared(data_set(tmp_path / "rgba", [saved(Image.fromarray(a), "PNG") for a in drawn]), tmp_path / "2"), BINARY
    )


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_an_alpha_channel_that_varies_is_said_to_be_dropped_and_can_be_kept(tmp_path, mode, format):
    source = data_set(tmp_path / "set", BINARY, "background: background\n")
    rng = np.random.default_rng(0)
    channels = len(mode)
    arrays = [rng.integers(0, 255, (24, 20, channels)).astype(np.uint8) for _ in BINARY]
    for index, array in enumerate(arrays):
        (source / "images" / f"m{index:02d}.png").write_bytes(saved(Image.fromarray(array, mode), format))
    store = prepared(source, tmp_path)
    np.testing.assert_array_equal(store.image(0), arrays[0][..., :-1])
    rows = warnings_of(tmp_path)
    assert len(rows) == len(BINARY) and all(row["setting"] == f"data.channels: {channels} keeps it" for row in rows)
    np.testing.assert_array_equal(prepared(source, tmp_path, channels=channels).image(0), arrays[0])
    assert not warnings_of(tmp_path)


def test_an_opaque_alpha_channel_is_dropped_without_a_word(tmp_path):
    source = data_set(tmp_path / "set", BINARY, "background: background\n")
    for path in (source / "images").iterdir():
        Image.open(path).convert("RGBA").save(path)
    prepared(source, tmp_path)
    assert not warnings_of(tmp_path)


# Photometric interpretation


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_a_mixed_photometric_interpretation_is_named(tmp_path, kind):
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


# Which class is the background


SPARSE = [np.where(np.arange(480).reshape(24, 20) % 7 == n, 1, 0).astype(np.uint8) for n in range(6)]


def test_a_background_smaller_than_the_foreground_is_remarked_on(tmp_path):
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
def test_a_background_by_the_order_of_values_alone_is_said(tmp_path, classes):
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


# Classes that look like slips


def test_class_names_that_differ_in_case_or_blanks_are_warned_of(tmp_path):
    source = data_set(tmp_path / "set", LABELS, 'classes: {0: cell, 1: "Cell ", 2: other}\n')
    prepared(source, tmp_path)
    assert [row["what"] for row in warnings_of(tmp_path)] == [
        "the classes 'cell' and 'Cell ' have nearly the same name"
    ]


def test_a_labelmap_of_cvat_beside_the_folders_is_pointed_out(tmp_path):
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


# Found by a reviewer


def test_one_palette_for_all_files_with_a_colour_at_two_indices_is_no_conflict(tmp_path):
    colours = [BLACK, GREEN, RED, RED]
    masks = [np.where(one == 2, 3 if n % 2 else 2, one) for n, one in enumerate(LABELS)]
    source = data_set(tmp_path / "set", [indexed(one, colours) for one in masks], "classes: {0: a, 1: b, 2: c, 3: d}\n")
    check(prepared(source, tmp_path), [one.astype(np.uint8) for one in masks])


def test_objects_numbered_above_what_an_image_can_hold_are_read(tmp_path):
    arrays = [np.where(labels > 0, 20_000_000 + labels.astype(np.uint32), 0).astype(np.uint32) for labels in LABELS]
    source = data_set(tmp_path / "set", [tiff(array) for array in arrays])
    check(prepared(source, tmp_path, masks=settings("instances")), [np.minimum(one, 1) for one in LABELS])


def test_a_mask_without_a_channel_set_is_refused_among_one_hot_masks(tmp_path):
    arrays = [one_hot(labels, 3, top=1) for labels in LABELS]
    arrays[2] = np.zeros_like(arrays[2])
    contents = [tiff(np.moveaxis(array, 0, -1).copy(), photometric="rgb") for array in arrays]
    with pytest.raises(UserError, match=r"1 problem.*\n  'm02': the masks are one-hot, but this one has no pixel"):
        prepared(data_set(tmp_path / "set", contents), tmp_path)


def test_a_threshold_above_the_channels_of_a_one_hot_mask_is_refused(tmp_path):
    contents = [tiff(one_hot(one, 2), photometric="minisblack", planarconfig="separate") for one in BINARY]
    source = data_set(tmp_path / "set", contents)
    with pytest.raises(UserError, match=r"data\.masks\.threshold \(128\) counts its 2 channels"):
        prepared(source, tmp_path, masks=settings(threshold=128))
    check(prepared(source, tmp_path, masks=settings(threshold=1)), BINARY)


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
