"""A few validation images that stand for many."""

from types import SimpleNamespace

import numpy as np
import pytest

from src.data.few import EACH, few_of


def store_of(pixels):
    """What `few_of` looks at: of each image how many pixels of each class it holds."""
    records = [SimpleNamespace(pixels=list(held)) for held in pixels]
    return SimpleNamespace(records=records, dataset=SimpleNamespace(names=["a", "b", "c"][: len(pixels[0])]))


def test_all_of_them_if_they_are_no_more():
    store = store_of([(1, 1)] * 20)
    assert few_of(store, [3, 1, 7], 3) == few_of(store, [3, 1, 7], 1000) == [3, 1, 7]


@pytest.mark.parametrize("number", [1, 7, 50, 99])
def test_they_are_evenly_spaced(number):
    chosen = few_of(store_of([(9, 9)] * 200), range(100, 200), max(number, EACH))
    assert len(chosen) == max(number, EACH) and chosen == sorted(set(chosen))
    gaps = np.diff([*chosen, 200])
    assert chosen[0] == 100 and gaps.max() - gaps.min() <= 1


def test_every_class_is_among_them_as_far_as_there_are_images_that_hold_it():
    held = [[5, 0, 0] for _ in range(300)]
    for index, pixels in zip((7, 8, 9, 10, 11, 12, 13), (1, 9, 2, 8, 3, 7, 4), strict=True):
        held[index][1] = pixels
    held[200][2] = 1
    chosen = few_of(store_of(held), range(300), 10)
    assert {200, 8, 10, 12, 13, 11} <= set(chosen)  # the largest five of one class, the only one of the other
    assert len(chosen) == 10 + 6
    assert few_of(store_of(held), range(300), 10) == chosen
