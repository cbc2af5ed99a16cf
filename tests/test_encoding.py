"""Encodings of masks: in every encoding the same classes are read, and mixed encodings are accepted or listed."""

import numpy as np
import pytest
from PIL import Image

from src.data.source.dataset import IGNORE
from src.errors import UserError
from tests.conftest import prepared
from tests.corpus import palette_image, saved, tiff
from tests.mask_sets import BINARY, LABELS, check, data_set

COLOURS = np.array([[0, 0, 0], [200, 30, 90], [10, 220, 30]], np.uint8)


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
def test_two_values_become_background_and_foreground_in_every_encoding(tmp_path, name):
    source = data_set(tmp_path / "set", [BINARIES[name](labels) for labels in BINARY])
    store = prepared(source, tmp_path)
    check(store, BINARY)
    assert store.dataset.names == ["background", "foreground"] and store.dataset.foreground == [1]


@pytest.mark.parametrize("name", ["0/255", "0/1", "one bit", "grey as RGB", "colours", "palette", "alpha", "float"])
def test_the_dataset_yaml_that_is_written_gives_the_same_store(tmp_path, name):
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
def test_compatible_encodings_may_be_mixed(tmp_path, kinds, names):
    masks = [BINARIES[kinds[number % len(kinds)]](labels) for number, labels in enumerate(BINARY)]
    store = prepared(data_set(tmp_path / "set", masks), tmp_path)
    check(store, BINARY)
    assert store.dataset.names == names


def test_masks_in_incompatible_encodings_are_listed(tmp_path):
    kinds = ["0/255", "0/255", "0/255", "colours", "0/255", "alpha"]
    masks = [BINARIES[kind](labels) for kind, labels in zip(kinds, BINARY, strict=True)]
    source = data_set(tmp_path / "set", masks)
    with pytest.raises(UserError, match=r"2 problem") as error:
        prepared(source, tmp_path)
    assert "'m03': the mask is in colour, most masks are in grey" in str(error.value)
    assert "'m05': the mask is in alpha, most masks are in grey" in str(error.value)
    store = prepared(source, tmp_path, on_error="skip")
    check(store, [BINARY[number] for number in (0, 1, 2, 4)])


def test_colour_masks_that_hold_only_grey_are_read_as_colours(tmp_path):
    masks = [COLOURS[labels] for labels in LABELS]
    masks[2] = np.zeros_like(masks[2])  # a mask of background: grey, saved as RGB
    store = prepared(data_set(tmp_path / "set", masks), tmp_path)
    assert list(store.dataset.classes) == ["#000000", "#0ADC1E", "#C81E5A"]  # by value
    order = np.array([0, 2, 1], np.uint8)
    check(store, [order[labels] for labels in (*LABELS[:2], np.zeros_like(LABELS[2]), *LABELS[3:])])


def test_colour_classes_have_the_order_of_dataset_yaml(tmp_path):
    names = 'classes: {"#c81e5a": wall, "#000000": void, "#0ADC1E": cell}\nbackground: void\n'
    order = np.array([1, 0, 2], np.uint8)
    palettes = [saved(palette_image(labels, COLOURS.ravel().tolist()), "PNG") for labels in LABELS]
    for number, masks in enumerate(([COLOURS[labels] for labels in LABELS], palettes)):
        store = prepared(data_set(tmp_path / str(number), masks, names), tmp_path / f"p{number}")
        check(store, [order[labels] for labels in LABELS])
        assert store.dataset.foreground == [0, 2]


@pytest.mark.parametrize("ignore", [255, 11, 2])
def test_ignored_pixels_are_not_counted(tmp_path, ignore):
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
