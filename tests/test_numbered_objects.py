"""Numbered objects and classes, told apart by which values the masks hold: drawn many times, and as data sets."""

from collections import Counter

import numpy as np
import pytest

from src.data.checks.mask_interpretation import Hints, interpretations
from src.errors import UserError
from tests.conftest import prepared
from tests.corpus import tiff
from tests.mask_sets import check, data_set
from tests.test_mask_meaning import objects, settings

TRIES = 50


def asked(held, coloured=False):
    """Whether the reading as numbered objects is offered for masks that hold 0 and these values."""
    masks = {f"m{number:03d}": {0, *values} for number, values in enumerate(held)}
    pixels = {value: 100 for values in masks.values() for value in values}
    found = interpretations(Counter(pixels), masks, coloured, Hints())
    return any("numbered objects" in one.description for one in found)


def counted(rng, masks, least, most, dropped=0.0, numbers=None):
    """Numbers of objects in images of `least` to `most` objects; some are removed; `numbers`: what they are called."""
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
