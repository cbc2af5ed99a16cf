"""What the values of a set's masks mean: one reading is taken, several are shown with the line that picks each."""

import re

import cv2
import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image

from src.data.dataset import IGNORE
from src.data.masks import read_mask
from src.errors import UserError
from src.files import read_csv
from tests.conftest import data_section, prepared
from tests.corpus import palette_image, pixels, png, saved, tiff

RNG = np.random.default_rng(0)
LABELS = [RNG.integers(0, 3, (24, 20)).astype(np.uint8) for _ in range(6)]
BINARY = [np.minimum(labels, 1) for labels in LABELS]
COLOURS = np.array([[0, 0, 0], [200, 30, 90], [10, 220, 30]], np.uint8)


def data_set(folder, masks, dataset=""):
    """Images of noise with these masks, each an array or the content of a file."""
    for number, mask in enumerate(masks):
        content = mask if isinstance(mask, bytes) else saved(Image.fromarray(mask), "PNG")
        height, width = 24, 20
        image = RNG.integers(0, 255, (height, width, 3), np.uint8)
        for kind, data in (("images", saved(Image.fromarray(image), "PNG")), ("masks", content)):
            path = folder / kind / f"m{number:02d}.png"  # the content decides, not the name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    if dataset:
        (folder / "dataset.yaml").write_text(dataset)
    return folder


def check(store, wanted):
    for index, labels in enumerate(wanted):
        np.testing.assert_array_equal(store.mask(index), labels)
        counted = np.bincount(labels[labels != IGNORE].ravel(), minlength=len(store.dataset.classes))
        assert store.records[index].pixels == counted.tolist()


def rgba(alpha):
    return saved(Image.fromarray(np.dstack([np.full((24, 20, 3), 255, np.uint8), alpha])), "PNG")


BINARIES = {
    "0/255": lambda b: saved(Image.fromarray(b * np.uint8(255)), "PNG"),
    "0/1": lambda b: saved(Image.fromarray(b), "PNG"),
    "5/77": lambda b: saved(Image.fromarray(np.where(b, 77, 5).astype(np.uint8)), "BMP"),
    "one bit": lambda b: saved(Image.fromarray(b > 0), "PNG"),
    "one bit in TIFF": lambda b: saved(Image.fromarray(b > 0), "TIFF"),
    "grey as RGB": lambda b: saved(Image.fromarray(np.dstack([b * np.uint8(255)] * 3)), "PNG"),
    "colours": lambda b: saved(Image.fromarray(COLOURS[b]), "PNG"),
    "lossless WebP": lambda b: saved(Image.fromarray(COLOURS[b]), "WEBP", lossless=True),
    "palette": lambda b: saved(palette_image(b, COLOURS.ravel().tolist()), "PNG"),
    "alpha": lambda b: rgba(b * np.uint8(255)),
    "16 bits": lambda b: tiff(b.astype(np.uint16) * 60000),
    "float": lambda b: tiff(b.astype(np.float32)),
    "signed": lambda b: tiff(b.astype(np.int16) * 9 - 3),
}


@pytest.mark.parametrize("name", BINARIES)
def test_two_values_are_background_and_foreground_however_they_are_stored(tmp_path, name):
    source = data_set(tmp_path / "set", [BINARIES[name](labels) for labels in BINARY])
    store = prepared(source, tmp_path)
    check(store, BINARY)
    assert store.dataset.names == ["background", "foreground"] and store.dataset.foreground == [1]


@pytest.mark.parametrize("name", ["0/255", "0/1", "one bit", "grey as RGB", "colours", "palette", "alpha", "float"])
def test_the_written_dataset_yaml_gives_the_same_store_again(tmp_path, name):
    source = data_set(tmp_path / "set", [BINARIES[name](labels) for labels in BINARY])
    prepared(source, tmp_path / "first")
    written = tmp_path / "first/prepared"
    (source / "dataset.yaml").write_bytes((written / "dataset.yaml").read_bytes())
    prepared(source, tmp_path / "second")
    assert {path.name for path in written.iterdir()} == {"images.bin", "masks.bin", "index.json", "dataset.yaml"}
    for path in written.iterdir():
        assert path.read_bytes() == (tmp_path / "second/prepared" / path.name).read_bytes(), path.name


@pytest.mark.parametrize(
    ("kinds", "names"),
    [
        (["0/255", "one bit", "grey as RGB"], ["background", "foreground"]),
        (["0/1", "palette", "one bit", "float"], ["background", "foreground"]),
        (["one bit in TIFF", "one bit"], ["background", "foreground"]),
    ],
)
def test_ways_to_store_that_go_together(tmp_path, kinds, names):
    masks = [BINARIES[kinds[number % len(kinds)]](labels) for number, labels in enumerate(BINARY)]
    store = prepared(data_set(tmp_path / "set", masks), tmp_path)
    check(store, BINARY)
    assert store.dataset.names == names


def test_ways_to_store_that_do_not_go_together_are_listed(tmp_path):
    kinds = ["0/255", "0/255", "0/255", "colours", "0/255", "alpha"]
    masks = [BINARIES[kind](labels) for kind, labels in zip(kinds, BINARY, strict=True)]
    source = data_set(tmp_path / "set", masks)
    with pytest.raises(UserError, match=r"2 problem") as error:
        prepared(source, tmp_path)
    assert "'m03': the mask is in colour, most masks are in grey" in str(error.value)
    assert "'m05': the mask is in alpha, most masks are in grey" in str(error.value)
    store = prepared(source, tmp_path, on_error="skip")
    check(store, [BINARY[number] for number in (0, 1, 2, 4)])


def test_colours_with_some_masks_in_grey_alone(tmp_path):
    masks = [COLOURS[labels] for labels in LABELS]
    masks[2] = np.zeros_like(masks[2])  # a mask of background: grey, saved as RGB
    store = prepared(data_set(tmp_path / "set", masks), tmp_path)
    assert list(store.dataset.classes) == ["#000000", "#0ADC1E", "#C81E5A"]  # by value
    order = np.array([0, 2, 1], np.uint8)
    check(store, [order[labels] for labels in (*LABELS[:2], np.zeros_like(LABELS[2]), *LABELS[3:])])


def test_colours_that_dataset_yaml_names_in_its_order(tmp_path):
    names = 'classes: {"#c81e5a": wall, "#000000": void, "#0ADC1E": cell}\nbackground: void\n'
    order = np.array([1, 0, 2], np.uint8)
    palettes = [saved(palette_image(labels, COLOURS.ravel().tolist()), "PNG") for labels in LABELS]
    for number, masks in enumerate(([COLOURS[labels] for labels in LABELS], palettes)):
        store = prepared(data_set(tmp_path / str(number), masks, names), tmp_path / f"p{number}")
        check(store, [order[labels] for labels in LABELS])
        assert store.dataset.foreground == [0, 2]


@pytest.mark.parametrize("ignore", [255, 11, 2])
def test_ignored_pixels_count_nowhere(tmp_path, ignore):
    stored = np.array([0, 1, ignore], np.uint8)
    masks = [stored[labels] for labels in LABELS]
    store = prepared(data_set(tmp_path / "set", masks, f"ignore: {ignore}\n"), tmp_path)
    check(store, [np.array([0, 1, IGNORE], np.uint8)[labels] for labels in LABELS])
    for index, record in enumerate(store.records):
        counted = np.sqrt(store.image(index)[LABELS[index] < 2].astype(float))
        np.testing.assert_allclose(record.mean, counted.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(record.std, counted.std(axis=0), rtol=1e-5)


def test_a_colour_and_a_negative_number_can_be_ignored(tmp_path):
    wanted = [np.array([0, 1, IGNORE], np.uint8)[labels] for labels in LABELS]
    source = data_set(tmp_path / "colours", [COLOURS[labels] for labels in LABELS], 'ignore: "#0adc1e"\n')
    check(prepared(source, tmp_path / "1"), wanted)
    signed = [tiff(np.array([0, 1, -1], np.int16)[labels]) for labels in LABELS]
    check(prepared(data_set(tmp_path / "signed", signed, "ignore: -1\n"), tmp_path / "2"), wanted)


def numbered(count, fewest=3):
    """`count` masks of consecutively numbered objects, some more, some fewer."""
    return [np.minimum(np.arange(480).reshape(24, 20) // 40, fewest + n % 4).astype(np.uint8) for n in range(count)]


def soft_edges():
    steps = np.linspace(0, 255, 20).round().astype(np.uint8)
    return [
        np.tile(np.where(np.arange(20) < 8 + n, 0, np.where(np.arange(20) > 9 + n, 255, steps[9])), (24, 1))
        for n in (0, 1)
    ]


AMBIGUOUS = {
    "three greys": [np.array([0, 128, 255], np.uint8)[labels] for labels in LABELS],
    "soft edges": [mask.astype(np.uint8) for mask in soft_edges()],
    "1 here, 255 there": [np.array([0, 255 if n % 2 else 1], np.uint8)[pixels() % 2] for n in range(4)],
    "VOC": [np.where(pixels() % 22 == 21, 255, pixels() % 22).astype(np.uint8), (pixels() % 21).astype(np.uint8)],
    "numbered objects": numbered(8),
    "none to three objects": numbered(9, 0)[1:],
    "numbered objects, one missing": [*numbered(8), np.where(numbered(1)[0] == 2, 0, numbered(1)[0])],
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_several_readings_stop_and_each_line_makes_it_pass(tmp_path, name):
    source = data_set(tmp_path / "set", AMBIGUOUS[name])
    with pytest.raises(UserError, match="more than one reading is possible →") as error:
        prepared(source, tmp_path)
    assert not (tmp_path / "prepared").exists()
    lines = re.findall(r": in (dataset|params)\.yaml: (.*?)(?:; or |$)", str(error.value), re.MULTILINE)
    assert len(lines) == 2, str(error.value)
    for number, (file, line) in enumerate(lines):
        folder = tmp_path / str(number)
        if file == "dataset":
            (source / "dataset.yaml").write_text(line)
            store = prepared(source, folder)
            content = yaml.safe_load(line)
            assert len(store.dataset.classes) == len(content.get("classes", range(21)))
            (source / "dataset.yaml").unlink()
        else:
            *_, key, value = line.replace("data.masks.", "").split(": ")
            masks = {"read": "auto", "threshold": 0} | {key: yaml.safe_load(value)}
            store = prepared(source, folder, masks=masks)
            assert store.dataset.names == ["background", "foreground"]
            assert store.mask(0).max() == 1


def test_colours_that_blend_at_edges_are_not_taken_for_classes(tmp_path):
    """Red discs on black with half-tones, as a drawing program makes them; without, they are two classes."""
    discs = [cv2.circle(np.zeros((24, 20), np.uint8), (7 + number, 12), 6, 255, -1) for number in range(4)]
    soft = [cv2.GaussianBlur(disc, (3, 3), 0) for disc in discs]
    red = [[np.dstack([one, 0 * one, 0 * one]) for one in masks] for masks in (discs, soft)]
    store = prepared(data_set(tmp_path / "sharp", red[0]), tmp_path / "1")
    assert store.dataset.classes == {"#000000": "background", "#FF0000": "foreground"}
    with pytest.raises(UserError, match=r"more than one reading is possible → .*colours with soft edges"):
        prepared(data_set(tmp_path / "soft", red[1]), tmp_path / "2")


def test_instances_leave_nothing_but_the_ignored_value(tmp_path):
    array = np.tile(np.array([0, -1, 2, 3], np.int16), (24, 5))
    tifffile.imwrite(tmp_path / "a.tif", array)
    masks = data_section(tmp_path, masks={"read": "instances", "threshold": 0}).masks
    assert read_mask(tmp_path / "a.tif", masks, False, None).values.pixels == {0: 120, 1: 360}
    assert read_mask(tmp_path / "a.tif", masks, False, -1).values.pixels == {-1: 120, 0: 120, 1: 240}


@pytest.mark.parametrize(("threshold", "names"), [(128, ["background", "foreground"])])
@pytest.mark.parametrize("format", ["JPEG", "WEBP"])
def test_lossy_masks_are_refused_until_a_threshold_says_how_to_read_them(tmp_path, format, threshold, names):
    shapes = [np.zeros((24, 20), np.uint8) for _ in range(4)]
    for number, shape in enumerate(shapes):
        shape[:, 8 + number :] = 255
    masks = [saved(Image.fromarray(shape).convert("RGB"), format, quality=80) for shape in shapes]
    source = data_set(tmp_path / "set", masks)
    with pytest.raises(UserError, match=r"4 problem.*") as error:
        prepared(source, tmp_path)
    assert "'m00', 'm01', 'm02', 'm03': the mask is in a lossy format" in str(
        error.value
    ) and "data.masks.threshold: 1" in str(error.value)
    store = prepared(source, tmp_path, masks={"read": "auto", "threshold": threshold})
    check(store, [np.minimum(shape, 1) for shape in shapes])
    assert store.dataset.names == names


def test_lossy_masks_are_refused_also_where_their_values_happen_to_be_classes(tmp_path):
    flat = saved(Image.fromarray(np.full((24, 20), 1, np.uint8)), "JPEG", quality=100)
    source = data_set(tmp_path / "set", [BINARY[0], flat, BINARY[1]], "classes: {0: a, 1: b}")
    with pytest.raises(UserError, match=r"1 problem.*\n  'm01': the mask is in a lossy format"):
        prepared(source, tmp_path)
    check(prepared(source, tmp_path, on_error="skip"), BINARY[:2])


def test_probabilities_and_instances(tmp_path):
    soft = [RNG.random((24, 20), np.float32) for _ in range(3)]
    store = prepared(
        data_set(tmp_path / "soft", [tiff(one) for one in soft]),
        tmp_path / "1",
        masks={"read": "auto", "threshold": 0.5},
    )
    check(store, [(one >= 0.5).astype(np.uint8) for one in soft])
    objects = [RNG.integers(0, 4, (24, 20)).astype(np.uint16) * 700 for _ in range(3)]
    source = data_set(tmp_path / "objects", [png(one, 16, 0) for one in objects])
    check(
        prepared(source, tmp_path / "2", masks={"read": "instances", "threshold": 0}),
        [(o > 0).astype(np.uint8) for o in objects],
    )
    many = [np.arange(480, dtype=np.uint16).reshape(24, 20) // 3 * (n + 1) for n in range(3)]
    with pytest.raises(
        UserError, match=r"numbered objects on background 0: in params\.yaml: data\.masks\.read: instances"
    ):
        prepared(data_set(tmp_path / "many", [png(one, 16, 0) for one in many]), tmp_path / "3")


@pytest.mark.parametrize("blur", [3, 7])
def test_smooth_edges_have_to_be_confirmed(tmp_path, blur):
    discs = [cv2.circle(np.zeros((24, 20), np.uint8), (7 + number, 12), 6, 255, -1) for number in range(6)]
    masks = [cv2.GaussianBlur(disc, (blur, blur), 0) for disc in discs]
    source = data_set(tmp_path / "set", masks)
    with pytest.raises(UserError, match=r"foreground with soft edges: in params\.yaml: data\.masks\.threshold: 128"):
        prepared(source, tmp_path)
    store = prepared(source, tmp_path, masks={"read": "auto", "threshold": 128})
    check(store, [(mask >= 128).astype(np.uint8) for mask in masks])


def test_many_values_without_a_reading_ask_for_names(tmp_path):
    masks = [RNG.integers(0, 150, (24, 20)).astype(np.uint8) for _ in range(3)]
    source = data_set(tmp_path / "set", masks)
    with pytest.raises(UserError, match=r"\(150 values\).*classes: in dataset\.yaml, all of them"):
        prepared(source, tmp_path)
    (source / "dataset.yaml").write_text(f"classes: {{{', '.join(f'{value}: c{value}' for value in range(150))}}}")
    check(prepared(source, tmp_path), masks)


def test_sixteen_bit_soft_edges_get_a_threshold_in_their_own_range(tmp_path):
    soft = np.zeros((24, 20), np.uint16)
    soft[:, 10:] = 65535
    soft[:, 9] = np.linspace(1, 65534, 24)
    soft[:, 10] = np.linspace(100, 60000, 24)
    masks = [png(np.roll(soft, n, 1), 16, 0) for n in range(3)]
    with pytest.raises(UserError, match=r"data\.masks\.threshold: 3276[78]"):
        prepared(data_set(tmp_path / "set", masks), tmp_path)


def test_one_unknown_value_in_one_of_two_hundred_files(tmp_path):
    masks = [BINARY[number % 6].copy() for number in range(200)]
    masks[137][5, 6] = 9
    source = data_set(tmp_path / "set", masks, "classes: {0: no, 1: yes}\n")
    with pytest.raises(UserError, match=r"1 problem.*\n  'm137': the mask holds 9, known are 0, 1 →") as error:
        prepared(source, tmp_path)
    assert str(error.value).count("\n") == 1
    assert len(prepared(source, tmp_path, on_error="skip")) == 199
    assert [row["file"] for row in read_csv(tmp_path / "checks.csv") if row["severity"] == "skipped"] == ["m137"]


def test_the_rarest_value_is_shown_with_a_mask_that_holds_it(tmp_path):
    masks = [np.array([0, 128, 255], np.uint8)[labels] for labels in LABELS]
    masks[3][5, 6] = 7
    with pytest.raises(UserError, match=re.escape("(7 in 1, as in 'm03'; ")):
        prepared(data_set(tmp_path / "set", masks), tmp_path)


@pytest.mark.parametrize("value", [0, 255])
def test_masks_with_a_single_value_cannot_be_told_apart(tmp_path, value):
    with pytest.raises(UserError, match="nothing to tell apart → add masks that hold the classes"):
        prepared(data_set(tmp_path / "set", [np.full((24, 20), value, np.uint8)] * 3), tmp_path)
