"""Masks in the classes of a model: matched by name, else by order."""

import numpy as np
import pytest

from src.data.recode import matched_classes, recoded
from src.errors import UserError


def test_classes_are_matched_by_name_else_by_order():
    model = ["background", "cell", "debris"]
    assert matched_classes(["debris", "background"], model, named=True) == ([2, 0], "")
    assert matched_classes(["cell", "background", "debris"], model, named=False) == ([1, 0, 2], "")
    places, note = matched_classes(["class_0", "class_1", "class_2"], model, named=False)
    assert places == [0, 1, 2] and "class_1 as cell" in note
    for own, named in ((["class_0", "class_1", "class_2"], True), (["background", "foreground"], False)):
        with pytest.raises(UserError, match=r"not know .*; its classes are background, cell, debris, those of the"):
            matched_classes(own, model, named=named)


def test_a_store_in_the_classes_of_a_model(store):
    before = [np.array(store.mask(index)) for index in range(len(store))]
    names = ["lake", "sea", "land", "nothing"]
    after = recoded(store, [2, 0, 1], names, 1, {"sea": "#0000FF"})
    assert after.dataset.names == names and after.dataset.background_index == 1 and after.dataset.ignore is None
    assert after.dataset.class_colours["sea"] == "#0000FF"
    for index, mask in enumerate(before):
        np.testing.assert_array_equal(after.mask(index), np.array([2, 0, 1], np.uint8)[mask])
        assert after.records[index].pixels == np.bincount(after.mask(index).ravel(), minlength=4).tolist()
        np.testing.assert_array_equal(after.image(index), store.image(index))
