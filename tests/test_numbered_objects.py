"""Numbered objects are distinguished from classes by the values of the masks: in random draws and in data sets."""

from collections import Counter

import numpy as np
import pytest

from src.data.checks.mask_interpretation import Hints, interpretations
from src.errors import UserError
from tests.conftest import prepared
from tests.corpus import tiff
from tests.mask_sets import BLACK, LABELS, WHITE, check, data_set, objects, settings

TRIES = 50


def asked(held, coloured=False):
    """Whether numbered objects are proposed for masks that hold 0 and these values."""
    masks = {f"m{number:03d}": {0, *values} for number, values in enumerate(held)}
    pixels = {value: 100 for values in masks.values() for value in values}
    found = interpretations(Counter(pixels), masks, coloured, Hints())
    return any("numbered objects" in one.description for one in found)


def counted(rng, masks, least, most, dropped=0.0, numbers=None):
    """Object numbers in images of `least` to `most` objects. A share `dropped` is removed from `numbers`."""
    numbers = np.arange(1, most + 1) if numbers is None else numbers
    return [{int(v) for v in numbers[: rng.integers(least, most + 1)] if rng.random() >= dropped} for _ in range(masks)]


def share(draw, coloured=False):
    rng = np.random.default_rng(0)
    return sum(asked(draw(rng), coloured) for _ in range(TRIES)) / TRIES


@pytest.mark.parametrize("masks", [10, 50])
@pytest.mark.parametrize("dropped", [0.0, 0.2])
def test_numbers_with_gaps_are_asked_about(masks, dropped):
    assert share(lambda rng: counted(rng, masks, 5, 20, dropped)) >= 0.9


@pytest.mark.parametrize("masks", [6, 20])
def test_objects_in_colours_taken_in_one_order_are_asked_about(masks):
    colours = np.random.default_rng(1).permutation(2**24)[:20]
    assert share(lambda rng: counted(rng, masks, 5, 20, numbers=colours), coloured=True) >= 0.95


def test_many_random_numbers_are_asked_about():
    assert share(lambda rng: [set(map(int, rng.integers(1, 200, 4))) for _ in range(8)]) >= 0.9


CLASSES = {
    "5 of any frequency": lambda rng: present(rng, 30, rng.uniform(0.3, 1, 5)),
    "10 of any frequency": lambda rng: present(rng, 10, rng.uniform(0.3, 1, 10)),
    "18, most of them in each image": lambda rng: present(rng, 50, rng.uniform(0.6, 1, 18)),
    "20, one to three in an image": lambda rng: [set(map(int, rng.integers(1, 21, 3))) for _ in range(40)],
    "4 in every image": lambda rng: [{1, 2, 3, 4}] * 8,
}


def present(rng, masks, probabilities):
    return [{n + 1 for n, p in enumerate(probabilities) if rng.random() < p} for _ in range(masks)]


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("coloured", [False, True])
def test_classes_are_rarely_taken_for_objects(name, coloured):
    assert share(CLASSES[name], coloured) <= 0.1


def test_coloured_objects_are_read_by_the_line_shown(tmp_path):
    colours = np.concatenate([[[0, 0, 0]], np.random.default_rng(0).integers(1, 255, (12, 3))]).astype(np.uint8)
    arrays = [objects(*range(1, 5 + n)) for n in range(6)]
    source = data_set(tmp_path / "set", [colours[array] for array in arrays])
    with pytest.raises(UserError, match=r"numbered objects on background 0: in params\.yaml: data\.masks\.read: inst"):
        prepared(source, tmp_path)
    check(prepared(source, tmp_path, masks=settings("instances")), [(array > 0).astype(np.uint8) for array in arrays])


def test_two_masks_with_one_numbered_object_each_are_asked_about(tmp_path):
    arrays = [objects(1), objects(2)]
    source = data_set(tmp_path / "set", [tiff(array.astype(np.uint16)) for array in arrays])
    with pytest.raises(UserError, match="numbered objects"):
        prepared(source, tmp_path)


def test_values_without_0_are_no_numbered_objects(tmp_path):
    labels = [np.random.default_rng(n).integers(0, 3, (24, 20)).astype(np.uint8) for n in range(5)]
    check(prepared(data_set(tmp_path / "set", [tiff(x + np.uint16(300)) for x in labels]), tmp_path), labels)


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


def test_the_same_values_in_every_mask_are_not_taken_for_numbered_objects(tmp_path):
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


def test_object_numbers_above_the_number_of_pixels_are_read(tmp_path):
    arrays = [np.where(labels > 0, 20_000_000 + labels.astype(np.uint32), 0).astype(np.uint32) for labels in LABELS]
    source = data_set(tmp_path / "set", [tiff(array) for array in arrays])
    check(prepared(source, tmp_path, masks=settings("instances")), [np.minimum(one, 1) for one in LABELS])


@pytest.mark.parametrize(("marker", "dtype"), [(255, np.uint8), (-1, np.int16), (65535, np.uint16)])
def test_a_value_for_unlabelled_among_numbered_objects_is_asked_about(tmp_path, marker, dtype):
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
